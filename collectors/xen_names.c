// SPDX-License-Identifier: Apache-2.0
// Reads sysfs and asks xenstore. See xen_names.h.
#include "collectors/xen_names.h"

#include "core/json.h"
#include "core/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FEATURE_DOM0 11 // XENFEAT_dom0 of xen/include/public/features.h
#define DEPTH        4  // mappings of mappings

static char *read_line(const char *path) {
    size_t length;
    char *text = json_read_file(path, 4096, &length, NULL);
    if (text)
        text[strcspn(text, "\n")] = '\0';
    return text;
}

bool xen_is_dom0(const char *root) {
    char path[512];
    snprintf(path, sizeof path, "%s/sys/hypervisor/type", root);
    char *type = read_line(path);
    snprintf(path, sizeof path, "%s/sys/hypervisor/properties/features", root);
    char *features = read_line(path);
    bool is = type && features && strcmp(type, "xen") == 0 && (strtoul(features, NULL, 16) >> FEATURE_DOM0 & 1);
    free(type);
    free(features);
    return is;
}

// --- disks ----------------------------------------------------------------------------------------------------------

static bool read_numbers(const char *path, const char *format, uint32_t *dev) {
    unsigned major = 0;
    unsigned minor = 0;
    char *text = read_line(path);
    bool found = text && sscanf(text, format, &major, &minor) == 2;
    *dev = major << 20 | minor;
    free(text);
    return found;
}

static void add_disk(struct xen_place *place, uint32_t dev) {
    for (size_t i = 0; i < place->disk_count; i++)
        if (place->disks[i] == dev)
            return;
    if (place->disk_count < XEN_DISKS_MOST)
        place->disks[place->disk_count++] = dev;
}

// Requests are told of whole disks: a partition's are its disk's, a mapping's those of what it maps to.
static void resolve(struct xen_place *place, const char *sysfs, uint32_t dev, int depth) {
    char path[512];
    uint32_t next;
    size_t found = 0;
    int length = snprintf(path, sizeof path, "%s/dev/block/%u:%u", sysfs, dev >> 20, dev & 0xfffff);
    if (length < 0 || (size_t)length + 64 > sizeof path)
        return;
    snprintf(path + length, sizeof path - (size_t)length, "/partition");
    if (access(path, F_OK) == 0) {
        snprintf(path + length, sizeof path - (size_t)length, "/../dev");
        add_disk(place, read_numbers(path, "%u:%u", &next) ? next : dev);
        return;
    }
    snprintf(path + length, sizeof path - (size_t)length, "/slaves");
    DIR *slaves = depth > 0 ? opendir(path) : NULL;
    const struct dirent *entry;
    while (slaves && (entry = readdir(slaves)) != NULL) {
        if (entry->d_name[0] == '.' || strlen(entry->d_name) > 40)
            continue;
        snprintf(path + length, sizeof path - (size_t)length, "/slaves/%.40s/dev", entry->d_name);
        if (read_numbers(path, "%u:%u", &next)) {
            resolve(place, sysfs, next, depth - 1);
            found++;
        }
    }
    if (slaves)
        closedir(slaves);
    if (!found)
        add_disk(place, dev);
}

size_t xen_places(const char *root, struct xen_place **out) {
    size_t count = 0;
    size_t capacity = 0;
    char sysfs[256];
    char path[640];
    *out = NULL;
    snprintf(sysfs, sizeof sysfs, "%s/sys", root);
    snprintf(path, sizeof path, "%s/bus/xen-backend/devices", sysfs);
    DIR *devices = opendir(path);
    const struct dirent *entry;
    while (devices && (entry = readdir(devices)) != NULL) {
        struct xen_place place = {0};
        uint32_t dev;
        bool nic = sscanf(entry->d_name, "vif-%u-%u", &place.domid, &place.vdev) == 2;
        if (!nic && sscanf(entry->d_name, "vbd-%u-%u", &place.domid, &place.vdev) != 2)
            continue;
        snprintf(path, sizeof path, "%s/bus/xen-backend/devices/%.255s/physical_device", sysfs, entry->d_name);
        if (!nic && read_numbers(path, "%x:%x", &dev) && dev)
            resolve(&place, sysfs, dev, DEPTH);
        ARRAY_PUSH(*out, count, capacity, place);
    }
    if (devices)
        closedir(devices);
    return count;
}

void xen_disk_name(const char *root, uint32_t dev, char *out, size_t size) {
    char path[512];
    char target[512];
    snprintf(path, sizeof path, "%s/sys/dev/block/%u:%u", root, dev >> 20, dev & 0xfffff);
    ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    const char *slash = strrchr(target, '/');
    if (slash && slash[1])
        snprintf(out, size, "%s", slash + 1);
    else
        snprintf(out, size, "%u:%u", dev >> 20, dev & 0xfffff);
}

// --- names ----------------------------------------------------------------------------------------------------------

// Device numbers of Linux guests, from docs/man/xen-vbd-interface.7: xvd in the old and the new way, sd, hd.
static bool name_of_number(uint32_t vdev, char *out, size_t size) {
    static const struct {
        uint32_t major, shift; // a disk's minor numbers: 1 << shift
        const char *prefix;
        char first; // letter
    } kinds[] = {{202, 4, "xvd", 'a'}, {8, 4, "sd", 'a'}, {3, 6, "hd", 'a'}, {22, 6, "hd", 'c'}};
    uint32_t disk = vdev >> 8 & 0xfffff;
    uint32_t part = vdev & 0xff;
    if (vdev >> 28 == 1) {
        if (disk >= 26)
            return false;
        snprintf(out, size, part ? "xvd%c%u" : "xvd%c", (char)('a' + disk), part);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (vdev >> 8 != kinds[i].major)
            continue;
        part = vdev & ((1U << kinds[i].shift) - 1);
        snprintf(out, size, part ? "%s%c%u" : "%s%c", kinds[i].prefix,
                 (char)(kinds[i].first + ((vdev & 0xff) >> kinds[i].shift)), part);
        return true;
    }
    return false;
}

void xen_device_name(uint32_t vdev, const char *thread, char *out, size_t size) {
    const char *dot = strchr(thread, '.');
    const char *dash = strrchr(thread, '-');
    if (dot && dash && dash > dot + 1)
        snprintf(out, size, "%.*s", (int)(dash - dot - 1), dot + 1);
    else if (!name_of_number(vdev, out, size))
        snprintf(out, size, "%u", vdev);
}

// xenstore's wire format: xen/include/public/io/xs_wire.h.
struct message {
    uint32_t type, request, transaction, length;
};
enum { XS_DIRECTORY = 1, XS_READ = 2, ANSWER_MOST = 4096 };

// Asks for a path. The bytes of the answer, terminated, or -1.
static ssize_t ask(uint32_t type, const char *path, char *out, size_t size) {
    static const char *const devices[] = {"/dev/xen/xenbus", "/proc/xen/xenbus"};
    char buffer[sizeof(struct message) + ANSWER_MOST];
    struct message m = {.type = type, .length = (uint32_t)strlen(path) + 1};
    int fd = -1;
    for (size_t i = 0; fd < 0 && i < ARRAY_LEN(devices); i++)
        fd = open(devices[i], O_RDWR | O_CLOEXEC);
    if (fd < 0 || sizeof m + m.length > sizeof buffer) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    memcpy(buffer, &m, sizeof m);
    memcpy(buffer + sizeof m, path, m.length);
    bool sent = write(fd, buffer, sizeof m + m.length) == (ssize_t)(sizeof m + m.length);
    size_t got = 0;
    size_t wanted = sizeof m;
    while (sent && got < wanted) {
        ssize_t n = read(fd, buffer + got, wanted - got);
        if (n <= 0)
            break;
        got += (size_t)n;
        if (got == sizeof m) {
            memcpy(&m, buffer, sizeof m);
            wanted = m.length <= ANSWER_MOST ? sizeof m + m.length : 0;
        }
    }
    close(fd);
    if (got < wanted || wanted < sizeof m || m.type != type || m.length >= size)
        return -1;
    memcpy(out, buffer + sizeof m, m.length);
    out[m.length] = '\0';
    return (ssize_t)m.length;
}

bool xen_domain_name(uint32_t domid, char *out, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/local/domain/%u/name", domid);
    if (ask(XS_READ, path, out, size) > 0)
        return true;
    out[0] = '\0';
    return false;
}

int xen_domain_find(const char *name_or_domid) {
    char list[ANSWER_MOST + 1];
    char name[XEN_NAME_MAX];
    int found = -1;
    ssize_t length = ask(XS_DIRECTORY, "/local/domain", list, sizeof list);
    for (const char *item = list; length > 0 && item < list + length; item += strlen(item) + 1) {
        uint32_t domid = (uint32_t)strtoul(item, NULL, 10);
        if (strcmp(item, name_or_domid) == 0)
            return (int)domid;
        if (xen_domain_name(domid, name, sizeof name) && strcmp(name, name_or_domid) == 0)
            found = found == -1 ? (int)domid : -2;
    }
    return found;
}
