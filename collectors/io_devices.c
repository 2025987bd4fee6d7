// SPDX-License-Identifier: Apache-2.0
// Which disks and network interfaces there are, which way their requests go as detect has found out, and how the
// kernel numbers them, their virtio devices and their interrupts. See io_path.h.
#include "collectors/io_path.h"

#include "core/memory.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The cause that a device's requests belong to. The first row that fits wins; NULL fits all. What reaches the device
// without software in between is told under one cause for disks and one for network interfaces, on bare metal, too:
// that is what a guest's hop is compared with.
static const struct {
    const char *path, *via;
    enum cause disk, nic;
} causes[] = {
    {"paravirtual", "dom0", CAUSE_HOP_DOM0, CAUSE_HOP_DOM0},
    {"paravirtual", "vhost", CAUSE_HOP_VHOST, CAUSE_HOP_VHOST},
    {"paravirtual", NULL, CAUSE_HOP_VMM, CAUSE_HOP_VMM},
    {"emulated", NULL, CAUSE_HOP_VMM, CAUSE_HOP_VMM},
    {"offload", NULL, CAUSE_OFFLOAD_NVME, CAUSE_OFFLOAD_VF},
    {"passthrough", NULL, CAUSE_OFFLOAD_NVME, CAUSE_OFFLOAD_VF},
    {"native", NULL, CAUSE_OFFLOAD_NVME, CAUSE_OFFLOAD_VF},
};

static enum cause cause_of(const char *path, const char *via, bool nic) {
    for (size_t i = 0; path && i < ARRAY_LEN(causes); i++) {
        bool fits = !causes[i].via || (via && strcmp(causes[i].via, via) == 0);
        if (fits && strcmp(causes[i].path, path) == 0)
            return nic ? causes[i].nic : causes[i].disk;
    }
    return CAUSE_COUNT;
}

static enum io_kick kick_of(const struct io_target *target) {
    if (target->virtio < IO_VIRTIO)
        return KICK_VIRTIO;
    if (target->cause == CAUSE_HOP_DOM0)
        return KICK_XEN;
    return target->cause == CAUSE_OFFLOAD_NVME || target->cause == CAUSE_OFFLOAD_VF ? KICK_NONE : KICK_UNSEEN;
}

// --- sysfs ----------------------------------------------------------------------------------------------------------

// The digits behind `prefix` in the last part of a path that starts with it: .../virtio1/block/vda. `none` without.
static unsigned number_behind(const char *path, const char *prefix, unsigned none) {
    size_t length = strlen(prefix);
    unsigned found = none;
    for (const char *at = path; (at = strchr(at, '/')) != NULL;)
        if (strncmp(++at, prefix, length) == 0 && isdigit((unsigned char)at[length]))
            found = (unsigned)strtoul(at + length, NULL, 10);
    return found;
}

// disk: "253:0" in `dev`; network interface: "2" in `ifindex`.
static unsigned read_number(const char *folder, bool nic) {
    char *path = mem_printf("%s/%s", folder, nic ? "ifindex" : "dev");
    size_t length;
    char *text = json_read_file(path, 64, &length, NULL);
    unsigned major = 0;
    unsigned minor = 0;
    bool found = text && sscanf(text, nic ? "%u" : "%u:%u", &major, &minor) == (nic ? 1 : 2);
    free(text);
    free(path);
    return !found ? 0 : nic ? major : major << 20 | minor;
}

static unsigned count_queues(const char *folder) {
    char *path = mem_printf("%s/mq", folder);
    DIR *dir = opendir(path);
    unsigned count = 0;
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        count += isdigit((unsigned char)entry->d_name[0]) != 0;
    if (dir)
        closedir(dir);
    free(path);
    return count;
}

// The message interrupts of the PCI function that the device hangs on: the innermost folder that has some.
static void find_irqs(struct io_target *target, const char *folder) {
    char *path = mem_strdup(folder);
    DIR *dir = NULL;
    for (char *slash = strrchr(path, '/'); slash && slash != path && !dir; slash = strrchr(path, '/')) {
        char *list = mem_printf("%s/msi_irqs", path);
        dir = opendir(list);
        free(list);
        *slash = '\0';
    }
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        unsigned long irq = strtoul(entry->d_name, NULL, 10);
        if (isdigit((unsigned char)entry->d_name[0]) && irq < IO_IRQS)
            target->irqs[irq] = true;
    }
    if (dir)
        closedir(dir);
    free(path);
}

static bool find_in_kernel(struct io_target *target, const char *sys) {
    char *link = mem_printf("%s/class/%s/%s", sys, target->nic ? "net" : "block", target->name);
    char *folder = realpath(link, NULL);
    free(link);
    if (!folder)
        return false;
    target->number = read_number(folder, target->nic);
    target->virtio = number_behind(folder, "virtio", IO_VIRTIO);
    target->vif = target->nic ? number_behind(folder, "vif-", IO_NO_VIF) : IO_NO_VIF;
    target->queues = target->nic ? 0 : count_queues(folder);
    unsigned controller = number_behind(folder, "nvme", UINT_MAX);
    if (!target->nic && controller != UINT_MAX)
        target->controller = mem_printf("nvme%u", controller);
    find_irqs(target, folder);
    free(folder);
    return target->number != 0;
}

// --- targets --------------------------------------------------------------------------------------------------------

static char *copy_of(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? mem_strdup(item->valuestring) : NULL;
}

static void free_target(struct io_target *target) {
    free(target->name);
    free(target->path);
    free(target->via);
    free(target->driver);
    free(target->controller);
}

static void add_row(const cJSON *row, const char *sys, struct io_targets *out) {
    char *resource = copy_of(row, "resource");
    struct io_target target = {.name = copy_of(row, "device"),
                               .path = copy_of(row, "path"),
                               .via = copy_of(row, "via"),
                               .driver = copy_of(row, "driver"),
                               .nic = resource && strcmp(resource, "nic") == 0};
    bool fits = resource && target.name && (target.nic || strcmp(resource, "disk") == 0);
    free(resource);
    target.cause = cause_of(target.path, target.via, target.nic);
    if (fits && target.cause != CAUSE_COUNT && out->count < IO_DEVICES && find_in_kernel(&target, sys)) {
        target.kick = kick_of(&target);
        ARRAY_PUSH(out->items, out->count, out->capacity, target);
    } else {
        free_target(&target);
    }
}

void io_targets_find(const cJSON *platform, const char *sys, struct io_targets *out) {
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(platform, "paths")) add_row(row, sys, out);
}

void io_targets_free(struct io_targets *targets) {
    for (size_t i = 0; i < targets->count; i++)
        free_target(&targets->items[i]);
    free(targets->items);
    *targets = (struct io_targets){0};
}

// --- interrupts -----------------------------------------------------------------------------------------------------

// "virtio1-req.0" is virtio1's, "nvme0q1" nvme0's, "eth0-q0-rx" eth0's, "vif0-q0-tx" that of Xen's network device 0;
// "virtio10" is not virtio1's.
static bool begins_with(const char *name, const char *device) {
    size_t length = strlen(device);
    return strncmp(name, device, length) == 0 && !isdigit((unsigned char)name[length]);
}

bool io_target_has_interrupt(const struct io_target *target, unsigned number, const char *name) {
    char virtio[24];
    char vif[24];
    snprintf(virtio, sizeof virtio, "virtio%u", target->virtio);
    snprintf(vif, sizeof vif, "vif%u", target->vif);
    if (number < IO_IRQS && target->irqs[number])
        return true;
    return (target->virtio < IO_VIRTIO && begins_with(name, virtio)) ||
           (target->vif != IO_NO_VIF && begins_with(name, vif)) ||
           (target->controller && begins_with(name, target->controller)) ||
           (target->nic && begins_with(name, target->name));
}
