// SPDX-License-Identifier: Apache-2.0
// PCI functions, VMBus and the like. May include: core.
#include "detect/evidence.h"

#include "core/memory.h"
#include "detect/signatures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Big servers have hundreds of functions; the first ones tell what machine it is.
enum { DEVICES_MAX = 64 };

// "KEY=value" in a uevent file.
static bool uevent_value(const char *text, const char *key, char *out, size_t size) {
    const char *at = strstr(text, key);
    if (!at)
        return false;
    at += strlen(key);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
    return true;
}

static bool from_uevent(struct sysroot *root, const char *dir, struct pci_device *out) {
    char path[320];
    char value[32];
    snprintf(path, sizeof path, "%s/uevent", dir);
    const char *text = sysroot_read(root, path, NULL);
    if (!text || !uevent_value(text, "PCI_ID=", value, sizeof value) ||
        sscanf(value, "%x:%x", &out->vendor, &out->device) != 2)
        return false;
    if (uevent_value(text, "PCI_CLASS=", value, sizeof value))
        out->class_code = (uint32_t)strtoul(value, NULL, 16);
    uevent_value(text, "DRIVER=", out->driver, sizeof out->driver);
    return true;
}

static bool hex_file(struct sysroot *root, const char *dir, const char *name, uint32_t *out) {
    char path[320];
    char text[32];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!sysroot_text(root, path, text, sizeof text))
        return false;
    char *end;
    *out = (uint32_t)strtoul(text, &end, 16);
    return end != text;
}

static bool from_files(struct sysroot *root, const char *dir, struct pci_device *out) {
    char path[320];
    if (!hex_file(root, dir, "vendor", &out->vendor) || !hex_file(root, dir, "device", &out->device))
        return false;
    hex_file(root, dir, "class", &out->class_code);
    snprintf(path, sizeof path, "%s/driver", dir);
    const char *driver = sysroot_link(root, path);
    const char *name = driver ? strrchr(driver, '/') : NULL;
    if (driver)
        snprintf(out->driver, sizeof out->driver, "%s", name ? name + 1 : driver);
    return true;
}

// In a recorded folder the link to the device's own folder may be a plain file: "../../../devices/pci0000:00/...".
static void device_dir(struct sysroot *root, const char *address, char *out, size_t size) {
    snprintf(out, size, "sys/bus/pci/devices/%s", address);
    if (root->live)
        return;
    const char *link = sysroot_link(root, out);
    const char *devices = link ? strstr(link, "devices/") : NULL;
    if (devices && strlen(devices) < 200 && !strstr(devices, ".."))
        snprintf(out, size, "sys/%s", devices);
}

static void say_device(struct evidence_set *set, const struct pci_device *device) {
    const struct pci_signature *row = pci_find(device->vendor, device->device);
    if (!row || !*row->says)
        return;
    char source[48];
    char value[96];
    snprintf(source, sizeof source, "pci:%s", device->address);
    snprintf(value, sizeof value, "%04x:%04x %s", device->vendor, device->device, row->what);
    evidence_add(set, GROUP_DEVICES, source, value, row->says);
}

static void add_address(void *context, const char *address) {
    struct evidence_set *set = context;
    struct pci_device device = {0};
    char dir[256];
    if (set->pci_count >= DEVICES_MAX || strlen(address) >= sizeof device.address)
        return;
    device_dir(set->root, address, dir, sizeof dir);
    if (!from_uevent(set->root, dir, &device) && !from_files(set->root, dir, &device))
        return;
    memcpy(device.address, address, strlen(address));
    say_device(set, &device);
    ARRAY_PUSH(set->pci, set->pci_count, set->pci_capacity, device);
}

// /proc/bus/pci/devices: bus and function, vendor and device, ..., driver last (drivers/pci/proc.c).
static void read_proc_pci(struct evidence_set *set) {
    const char *text = sysroot_read(set->root, "proc/bus/pci/devices", NULL);
    for (; text && *text && set->pci_count < DEVICES_MAX; text += strcspn(text, "\n"), text += *text == '\n') {
        struct pci_device device = {0};
        unsigned place;
        if (sscanf(text, "%4x\t%4x%4x", &place, &device.vendor, &device.device) != 3)
            continue;
        snprintf(device.address, sizeof device.address, "0000:%02x:%02x.%u", place >> 8 & 0xff, place >> 3 & 0x1f,
                 place & 7);
        say_device(set, &device);
        ARRAY_PUSH(set->pci, set->pci_count, set->pci_capacity, device);
    }
}

// "pci 0000:00:01.0: [1af4:1005] type 00 class 0x00ff00", where sysfs was not recorded.
void read_pci_line(struct evidence_set *set, const char *line) {
    struct pci_device device = {0};
    if (sscanf(line, "pci %12[0-9a-f:.]: [%4x:%4x] type %*x class %x", device.address, &device.vendor, &device.device,
               &device.class_code) != 4)
        return;
    if (set->pci_count >= DEVICES_MAX || evidence_pci(set, device.address))
        return;
    say_device(set, &device);
    ARRAY_PUSH(set->pci, set->pci_count, set->pci_capacity, device);
}

static void count_vmbus(void *context, const char *name) {
    (void)name;
    (*(size_t *)context)++;
}

// A device is proof of the bus; its folder alone is made by the driver on any machine.
static void read_vmbus(struct evidence_set *set) {
    size_t count = 0;
    sysroot_list(set->root, "sys/bus/vmbus/devices", count_vmbus, &count);
    if (count)
        evidence_add(set, GROUP_DEVICES, "/sys/bus/vmbus", "has devices", "hypervisor=hyperv:0.97");
}

// A machine that shares out its own adapter shows the physical function on the same bus: no guest does.
static bool has_physical_function(const struct evidence_set *set, const struct pci_device *vf) {
    enum { BUS_LENGTH = 7 }; // "0000:05"
    for (size_t i = 0; i < set->pci_count; i++) {
        const struct pci_device *other = &set->pci[i];
        const struct pci_signature *row = pci_find(other->vendor, other->device);
        if (other->vendor == vf->vendor && !strncmp(other->address, vf->address, BUS_LENGTH) &&
            other->class_code >> 16 == vf->class_code >> 16 && !(row && row->via))
            return true;
    }
    return false;
}

static void explain_own_functions(struct evidence_set *set) {
    char source[48];
    for (size_t i = 0; i < set->pci_count; i++) {
        const struct pci_signature *row = pci_find(set->pci[i].vendor, set->pci[i].device);
        if (!row || !row->via || strcmp(row->via, "vf") != 0 || !has_physical_function(set, &set->pci[i]))
            continue;
        snprintf(source, sizeof source, "pci:%s", set->pci[i].address);
        for (size_t e = 0; e < set->count; e++)
            if (!strcmp(set->items[e].source, source) && set->items[e].claim.topic == TOPIC_HYPERVISOR)
                set->items[e].explained = true;
    }
}

// AWS: what has its cards is a .metal instance or a guest. The smallest of the former has 12 CPUs (mac1.metal).
static void count_cpus_beside_nitro_cards(struct evidence_set *set) {
    enum { AMAZON = 0x1d0f, METAL_CPUS = 12 };
    const char *text = set->root->live ? NULL : sysroot_read(set->root, "proc/cpuinfo", NULL);
    bool amazon = false;
    size_t cpus = 0;
    for (size_t i = 0; i < set->pci_count; i++)
        amazon |= set->pci[i].vendor == AMAZON;
    if (!amazon)
        return;
    for (; text && (text = strstr(text, "processor\t:")); text++)
        cpus++;
    if (cpus && cpus < METAL_CPUS)
        evidence_add(set, GROUP_CPU_MODEL, "/proc/cpuinfo", "fewer CPUs than any .metal instance of AWS has",
                     "hypervisor!=none:0.9");
}

void read_devices(struct evidence_set *set) {
    sysroot_list(set->root, "sys/bus/pci/devices", add_address, set);
    if (!set->pci_count && !set->root->live)
        read_proc_pci(set);
    read_vmbus(set);
    explain_own_functions(set);
    count_cpus_beside_nitro_cards(set);
}
