// SPDX-License-Identifier: Apache-2.0
// Where the kernel hangs a disk or NIC tells which way its requests go: sysfs names every bus on the way to it.
//     .../pci0000:00/0000:00:02.0/virtio1/block/vda     a virtio device behind PCI
//     .../vbd-768/block/xvda                            a Xen front end
//     .../VMBUS:00/f8615163-.../net/eth0                a Hyper-V channel
// Recorded evidence may have the buses without the classes: then the buses' own devices are listed.
// See devices.h. May include: core.
#include "detect/devices.h"

#include "core/memory.h"
#include "detect/names.h"
#include "detect/signatures.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 48, SEEN_MAX = 128 };

struct finder {
    struct evidence_set *set;
    struct platform *out;
    const char *resource;    // while listing a class
    size_t members;          // of the classes block and net
    char seen[SEEN_MAX][40]; // bus devices that have a row
    size_t seen_count;
};

static void mark(struct finder *f, const char *name) {
    if (f->seen_count < SEEN_MAX)
        snprintf(f->seen[f->seen_count++], sizeof f->seen[0], "%.39s", name);
}

static bool seen(const struct finder *f, const char *name) {
    for (size_t i = 0; i < f->seen_count; i++)
        if (!strcmp(f->seen[i], name))
            return true;
    return false;
}

static bool full(const struct finder *f) {
    return f->out->path_count >= ROWS_MAX;
}

static bool is_pci_address(const char *text) {
    unsigned domain, bus, device, function;
    int end = 0;
    return sscanf(text, "%x:%2x:%2x.%1u%n", &domain, &bus, &device, &function, &end) == 4 && !text[end];
}

static bool is_guid(const char *text) {
    return strlen(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-';
}

static bool numbered(const char *text, const char *prefix) {
    size_t length = strlen(prefix);
    return !strncmp(text, prefix, length) && isdigit((unsigned char)text[length]);
}

static bool drives_hardware(const struct platform *p) {
    return !path_is_virtual(p) || name_is(p->role, "dom0") || name_is(p->role, "root-partition") ||
           name_is(p->role, "service-vm");
}

// VMMs that serve virtio inside their own process. Others may hand it to vhost or to hardware, which a guest cannot
// see.
static const char *const own_backends[] = {"firecracker", "kvmtool", "crosvm", "cloud-hypervisor", "libkrun"};

static void add_virtio(struct finder *f, const char *resource, const char *name, const char *driver) {
    const char *vmm = f->out->vmm;
    for (size_t i = 0; i < ARRAY_LEN(own_backends); i++)
        if (name_is(vmm, own_backends[i])) {
            path_add(f->out, resource, name, PATH_PARAVIRTUAL, "vmm", driver,
                     mem_printf("virtio: rings in shared memory that a thread of %s serves", name_title(vmm)));
            return;
        }
    path_add(
        f->out, resource, name, PATH_PARAVIRTUAL, NULL, driver,
        mem_strdup(
            "virtio: rings in shared memory; whether the VMM, vhost or a card serves them cannot be seen from inside"));
}

static void add_xen(struct finder *f, const char *resource, const char *name) {
    path_add(f->out, resource, name, PATH_PARAVIRTUAL, "dom0",
             !strcmp(resource, "disk") ? "xen-blkfront" : "xen-netfront",
             mem_strdup("Xen front end: requests go over a shared ring to the back end in Dom0 or a driver domain"));
}

static void add_vmbus(struct finder *f, const char *resource, const char *name) {
    path_add(f->out, resource, name, PATH_PARAVIRTUAL, "root-partition",
             !strcmp(resource, "disk") ? "hv_storvsc" : "hv_netvsc",
             mem_strdup("VMBus: requests go over a shared ring to the root partition"));
}

// NVMe controllers by model; the PCI ids of some are those of the drive that they imitate.
static const struct {
    const char *model;
    enum path_kind path;
    const char *via;
} nvme_models[] = {
    {"Amazon Elastic Block Store", PATH_OFFLOAD, "nitro-card"},
    {"Amazon EC2 NVMe Instance Storage", PATH_OFFLOAD, "nitro-card"},
    {"nvme_card", PATH_OFFLOAD, "host-nvme"},
    {"MSFT NVMe Accelerator", PATH_OFFLOAD, "host-nvme"},
    {"Microsoft NVMe Direct Disk", PATH_OFFLOAD, "host-nvme"},
    {"QEMU NVMe Ctrl", PATH_EMULATED, "vmm"},
    {"VMware Virtual NVMe Disk", PATH_EMULATED, "vmm"},
    {"ORCL-VBOX-NVME", PATH_EMULATED, "vmm"},
    {"bhyve-NVMe", PATH_EMULATED, "vmm"},
};

static bool add_nvme(struct finder *f, const char *name, const char *controller) {
    char path[96];
    char model[96];
    snprintf(path, sizeof path, "sys/class/nvme/%s/model", controller);
    if (!*controller || !sysroot_text(f->set->root, path, model, sizeof model))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(nvme_models); i++) {
        if (strncmp(model, nvme_models[i].model, strlen(nvme_models[i].model)) != 0)
            continue;
        path_add(f->out, "disk", name, nvme_models[i].path, nvme_models[i].via, "nvme", mem_printf("NVMe: %s", model));
        return true;
    }
    return false;
}

// Devices that VMMs imitate although no row of the table says so: IDE, floppy, plain SATA.
static bool old_storage(uint32_t class_code) {
    uint32_t kind = class_code >> 8;
    return kind == 0x0101 || kind == 0x0102 || kind == 0x0106;
}

// A guest has IOMMU groups only if its hypervisor gives it an IOMMU.
static bool behind_iommu(const struct finder *f, const char *address) {
    char path[80];
    snprintf(path, sizeof path, "sys/bus/pci/devices/%.24s/iommu_group", address);
    return sysroot_exists(f->set->root, path);
}

static void add_pci(struct finder *f, const char *resource, const char *name, const char *address,
                    const char *controller) {
    const struct pci_device *device = evidence_pci(f->set, address);
    const char *driver = device ? device->driver : "";
    const struct pci_signature *row = device ? pci_find(device->vendor, device->device) : NULL;
    if (!strcmp(driver, "vfio-pci")) {
        path_add(f->out, resource, name, PATH_PASSTHROUGH, NULL, driver,
                 mem_strdup("vfio-pci holds it for a guest of this machine"));
        return;
    }
    // Nitro cards serve .metal instances too: there is no hypervisor, but the disk is still behind the card.
    bool offloaded = row && row->path == PATH_OFFLOAD && row->via && strcmp(row->via, "vf") != 0;
    if (drives_hardware(f->out) && !offloaded) {
        path_add(f->out, resource, name, PATH_NATIVE, NULL, driver, mem_strdup("this system drives the device itself"));
        return;
    }
    if (row && row->path != PATH_UNKNOWN) {
        path_add(f->out, resource, name, row->path, row->via, driver,
                 mem_printf("%04x:%04x is %s", device->vendor, device->device, row->what));
        return;
    }
    if (add_nvme(f, name, controller))
        return;
    if (!device)
        path_add(f->out, resource, name, PATH_UNKNOWN, NULL, NULL,
                 mem_printf("the PCI function %s was not recorded", address));
    else if (old_storage(device->class_code))
        path_add(
            f->out, resource, name, PATH_EMULATED, "vmm", driver,
            mem_printf("%04x:%04x: a disk controller of the kind that VMMs imitate", device->vendor, device->device));
    else
        path_add(f->out, resource, name, PATH_PASSTHROUGH, NULL, driver,
                 mem_printf("%04x:%04x is in no table of virtual devices: a physical one, given to this guest%s",
                            device->vendor, device->device,
                            behind_iommu(f, address) ? "; a virtual IOMMU is in front" : ""));
}

// Finds the innermost bus that says which way the device goes, and adds its row. `target` is the device's sysfs path.
static void add_by_path(struct finder *f, const char *resource, const char *name, const char *target) {
    char copy[512];
    char controller[32] = "";
    snprintf(copy, sizeof copy, "%s", target);
    bool scsi = strstr(copy, "/host") != NULL;
    for (char *part = strrchr(copy, '/'); part; part = strrchr(copy, '/')) {
        const char *word = part + 1;
        if (numbered(word, "nvme") && !strchr(word + 4, 'n'))
            snprintf(controller, sizeof controller, "%s", word);
        if (numbered(word, "virtio")) {
            mark(f, word);
            add_virtio(f, resource, name,
                       !strcmp(resource, "nic") ? "virtio_net"
                       : scsi                   ? "virtio_scsi"
                                                : "virtio_blk");
            return;
        }
        if (numbered(word, "vbd-") || numbered(word, "vif-")) {
            mark(f, word);
            add_xen(f, resource, name);
            return;
        }
        if (is_pci_address(word)) {
            mark(f, word);
            add_pci(f, resource, name, word, controller);
            return;
        }
        if (is_guid(word) || !strncmp(word, "vmbus_", 6)) {
            mark(f, word);
            add_vmbus(f, resource, name);
            return;
        }
        if (!strcmp(word, "vio")) {
            path_add(f->out, resource, name, PATH_PARAVIRTUAL, "vios", NULL,
                     mem_strdup("virtual I/O: a Virtual I/O Server partition serves it"));
            return;
        }
        *part = '\0';
    }
    path_add(f->out, resource, name, drives_hardware(f->out) ? PATH_NATIVE : PATH_UNKNOWN, NULL, NULL,
             mem_strdup(drives_hardware(f->out) ? "this system drives the device itself" : "its bus is in no table"));
}

// NVMe with multipath hangs the disk under a virtual subsystem; its controller is the way to the card.
static bool add_multipath(struct finder *f, const char *name) {
    char path[64];
    int digits = (int)strspn(name + 4, "0123456789");
    snprintf(path, sizeof path, "sys/class/nvme/nvme%.*s", digits, name + 4);
    const char *target = sysroot_link(f->set->root, path);
    if (!target)
        return false;
    add_by_path(f, "disk", name, target);
    return true;
}

// True if `target` is a partition: ".../block/vda/vda1".
static bool is_partition(const char *target) {
    const char *block = strstr(target, "/block/");
    return block && strchr(block + 7, '/');
}

static void add_class_member(void *context, const char *name) {
    struct finder *f = context;
    char path[128];
    f->members++;
    if (full(f) || strlen(name) > 64)
        return;
    snprintf(path, sizeof path, "sys/class/%s/%s", !strcmp(f->resource, "disk") ? "block" : "net", name);
    const char *target = sysroot_link(f->set->root, path);
    if (!target || is_partition(target))
        return;
    if (numbered(name, "nvme") && strchr(name + 4, 'p'))
        return; // a partition of an NVMe namespace
    if (strstr(target, "nvme-subsystem") && numbered(name, "nvme") && add_multipath(f, name))
        return;
    if (strstr(target, "/virtual/") || !strncmp(target, "virtual/", 8))
        return;
    add_by_path(f, f->resource, name, target);
}

// virtio device types (virtio specification, chapter 5).
static const struct {
    unsigned long id;
    const char *resource, *driver;
} virtio_types[] = {
    {1, "nic", "virtio_net"},  {2, "disk", "virtio_blk"}, {8, "disk", "virtio_scsi"},
    {16, "gpu", "virtio_gpu"}, {26, "disk", "virtiofs"},
};

static void add_virtio_member(void *context, const char *name) {
    struct finder *f = context;
    char path[96];
    char text[32];
    if (full(f) || seen(f, name) || strlen(name) > 32)
        return;
    snprintf(path, sizeof path, "sys/bus/virtio/devices/%s/device", name);
    if (!sysroot_text(f->set->root, path, text, sizeof text))
        return;
    unsigned long id = strtoul(text, NULL, 16);
    for (size_t i = 0; i < ARRAY_LEN(virtio_types); i++)
        if (virtio_types[i].id == id) {
            mark(f, "virtio");
            add_virtio(f, virtio_types[i].resource, name, virtio_types[i].driver);
        }
}

static void add_xen_member(void *context, const char *name) {
    struct finder *f = context;
    if (full(f) || seen(f, name) || strlen(name) > 32)
        return;
    if (numbered(name, "vbd-"))
        add_xen(f, "disk", name);
    if (numbered(name, "vif-"))
        add_xen(f, "nic", name);
}

static void add_vmbus_member(void *context, const char *name) {
    struct finder *f = context;
    char path[160];
    char guid[64];
    if (full(f) || seen(f, name) || strlen(name) > 64)
        return;
    snprintf(path, sizeof path, "sys/bus/vmbus/devices/%s/class_id", name);
    if (!sysroot_text(f->set->root, path, guid, sizeof guid))
        return;
    const char *id = guid + (*guid == '{');
    for (size_t i = 0; i < vmbus_class_count; i++)
        if (vmbus_classes[i].resource && !strncmp(id, vmbus_classes[i].guid, strlen(vmbus_classes[i].guid)))
            path_add(f->out, vmbus_classes[i].resource, NULL, vmbus_classes[i].path, "root-partition", NULL,
                     mem_printf("VMBus: %s", vmbus_classes[i].what));
}

// PCI base classes (PCI Code and ID Assignment Specification).
static const char *class_resource(uint32_t class_code) {
    switch (class_code >> 16) {
    case 1:
        return "disk";
    case 2:
        return "nic";
    case 3:
        return "gpu";
    default:
        return NULL;
    }
}

static void add_functions(struct finder *f) {
    for (size_t i = 0; i < f->set->pci_count && !full(f); i++) {
        const struct pci_device *device = &f->set->pci[i];
        const char *resource = class_resource(device->class_code);
        if (!resource || seen(f, device->address) || (device->vendor == 0x1af4 && seen(f, "virtio")))
            continue;
        // Where disks and NICs were listed, a controller without one is no path.
        if (f->members && strcmp(resource, "gpu") != 0)
            continue;
        if (device->vendor == 0x1af4)
            add_virtio(f, resource, device->address, device->driver);
        else
            add_pci(f, resource, device->address, device->address, "");
    }
}

void find_devices(struct evidence_set *set, struct platform *out) {
    struct finder f = {.set = set, .out = out, .resource = "disk"};
    sysroot_list(set->root, "sys/class/block", add_class_member, &f);
    f.resource = "nic";
    sysroot_list(set->root, "sys/class/net", add_class_member, &f);
    if (!f.members) {
        sysroot_list(set->root, "sys/bus/virtio/devices", add_virtio_member, &f);
        sysroot_list(set->root, "sys/bus/xen/devices", add_xen_member, &f);
        sysroot_list(set->root, "sys/bus/vmbus/devices", add_vmbus_member, &f);
    }
    add_functions(&f);
}
