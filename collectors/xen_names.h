// SPDX-License-Identifier: Apache-2.0
// What Xen's guests and their devices are called in Dom0, and which disks lie under them. May include: core.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XEN_NAME_MAX   64
#define XEN_DISKS_MOST 8 // disks under one device that are told

// A guest's disk or network interface, as in /sys/bus/xen-backend/devices/vbd-DOMID-VDEV or vif-DOMID-VDEV.
struct xen_place {
    uint32_t domid;
    uint32_t vdev;
    uint32_t disks[XEN_DISKS_MOST]; // kernel's device numbers (major << 20 | minor), partitions and mappings resolved
    size_t disk_count;
};

// True if this is Xen's Dom0. `root` stands before /sys; "" for the live machine.
bool xen_is_dom0(const char *root);

// All that there are; an interface has no disks. Stores an array that the caller frees; returns how many.
size_t xen_places(const char *root, struct xen_place **out);

// "xvda", from the backend's thread "1.xvda-0" where that is its name, else from the number: "xvda1", "sda", "hda",
// or "51712". `out` is terminated.
void xen_device_name(uint32_t vdev, const char *thread, char *out, size_t size);

// "loop0": what the kernel calls a device number; "7:0" where sysfs does not tell.
void xen_disk_name(const char *root, uint32_t dev, char *out, size_t size);

// The domain's name in xenstore; false and "" if it cannot be asked or has none.
bool xen_domain_name(uint32_t domid, char *out, size_t size);

// The domain that the user named by its name or number. -1: there is none, -2: several have this name.
int xen_domain_find(const char *name_or_domid);
