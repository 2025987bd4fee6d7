// SPDX-License-Identifier: Apache-2.0
// What the running kernel says that is more than a string: Xen's feature bits, namespaces, the mount of the root.
// May include: core.
#include "detect/evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Xen's feature bits (xen/include/public/features.h).
enum { XENFEAT_SUPERVISOR = 3, XENFEAT_MMU_PT_UPDATE = 5, XENFEAT_HVM_CALLBACK = 8, XENFEAT_DOM0 = 11 };

static void read_xen_features(struct evidence_set *set) {
    char text[32];
    if (!sysroot_text(set->root, "sys/hypervisor/properties/features", text, sizeof text))
        return;
    static const char *const source = "/sys/hypervisor/properties/features";
    unsigned long bits = strtoul(text, NULL, 16);
    unsigned long pvh = 1UL << XENFEAT_SUPERVISOR | 1UL << XENFEAT_HVM_CALLBACK;
    bool dom0 = bits & 1UL << XENFEAT_DOM0;
    evidence_add(set, GROUP_KERNEL, source, text,
                 dom0 ? "kernel=xen:0.97 role=dom0:0.98" : "kernel=xen:0.97 role=guest:0.9");
    if (bits & 1UL << XENFEAT_MMU_PT_UPDATE)
        evidence_add(set, GROUP_KERNEL, source, text, "kernel=xen:0.95 mode=pv:0.95");
    else if ((bits & pvh) == pvh)
        evidence_add(set, GROUP_KERNEL, source, text, "kernel=xen:0.95 mode=hvm|pvh:0.9");
}

// The machine's own namespaces have fixed inode numbers (include/linux/proc_ns.h). A process in the machine's own PID
// namespace is in no ordinary container, whatever an image left behind.
static const struct {
    const char *path, *own, *inside, *outside;
} namespaces[] = {
    {"proc/self/ns/pid", "pid:[4026531836]", "container=other:0.7", "container!=any:0.9"},
    {"proc/self/ns/cgroup", "cgroup:[4026531835]", "container=other:0.5", ""},
    {"proc/self/ns/uts", "uts:[4026531838]", "container=other:0.4", ""},
};

static void read_namespaces(struct evidence_set *set) {
    for (size_t i = 0; i < sizeof namespaces / sizeof namespaces[0]; i++) {
        const char *link = sysroot_link(set->root, namespaces[i].path);
        if (!link)
            continue;
        char source[64];
        char value[64];
        bool own = !strcmp(link, namespaces[i].own);
        snprintf(source, sizeof source, "/%s", namespaces[i].path);
        snprintf(value, sizeof value, "%s namespace", own ? "the machine's own" : "a");
        evidence_add(set, GROUP_CONTAINER_NAMESPACES, source, value,
                     own ? namespaces[i].outside : namespaces[i].inside);
    }
}

// Where the root file system of a container comes from.
static const struct {
    const char *text, *says;
} root_mounts[] = {
    {"/var/lib/docker/", "container=docker:0.93"},
    {"/docker/overlay2/", "container=docker:0.9"},
    {"/containers/storage/", "container=podman:0.85"},
    {"io.containerd.snapshotter", "container=containerd:0.85"},
    {"/var/lib/lxc/", "container=lxc:0.9"},
    {"/storage-pools/", "container=lxc:0.85"},
    {"/var/lib/machines/", "container=systemd-nspawn:0.85"},
    {"/snapshots/", "container=containerd:0.6"},
};

// The line of /proc/self/mountinfo whose mount point is "/" (proc(5)): id parent device root point ...
static void read_root_mount(struct evidence_set *set) {
    const char *text = sysroot_read(set->root, "proc/self/mountinfo", NULL);
    for (; text && *text; text += strcspn(text, "\n"), text += *text == '\n') {
        char line[2048];
        char root[512];
        char point[512];
        snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
        if (sscanf(line, "%*u %*u %*s %511s %511s", root, point) != 2 || strcmp(point, "/") != 0)
            continue;
        for (size_t i = 0; i < sizeof root_mounts / sizeof root_mounts[0]; i++)
            if (strstr(line, root_mounts[i].text)) {
                evidence_add(set, GROUP_CONTAINER_MOUNTS, "/proc/self/mountinfo", root_mounts[i].text,
                             root_mounts[i].says);
                return;
            }
        const char *device = strstr(line, " - ");
        if (device && strstr(device, " /dev/") && !strcmp(root, "/"))
            evidence_add(set, GROUP_CONTAINER_MOUNTS, "/proc/self/mountinfo", "the root is a whole block device",
                         "container!=any:0.6");
        return;
    }
}

void read_kernel(struct evidence_set *set) {
    read_xen_features(set);
    read_namespaces(set);
    read_root_mount(set);
}
