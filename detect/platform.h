// SPDX-License-Identifier: Apache-2.0
// The result of detection: what a machine is, which way each resource's requests go, and what says so.
// May include: core.
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

// The way a request of one resource takes. The strings are those of metalgap.platform/1.
enum path_kind {
    PATH_UNKNOWN,
    PATH_EMULATED,    // a device or CPU that software imitates: each access is a VM exit
    PATH_PARAVIRTUAL, // the guest knows: requests go through shared memory to software on the host
    PATH_OFFLOAD,     // a card or a virtual function serves it, no host software in the data path
    PATH_PASSTHROUGH, // a whole physical device was given to the guest
    PATH_HARDWARE,    // the CPU's virtualisation hardware runs it (VMX, SVM, nested paging)
    PATH_NATIVE,      // nothing in between
};

struct platform_path {
    const char *resource; // static: cpu memory timer ipi interrupts disk nic gpu console boot
    char *device;         // "vda", or NULL where the resource is not one device
    enum path_kind path;
    const char *via; // static: dom0, vhost, vmm, nitro-card, vf, ... or NULL
    char *driver;    // or NULL
    char *reason;    // one sentence
};

struct platform_evidence {
    char *source;     // "cpuid:0x40000000"
    char *value;      // what stood there
    char *says;       // "hypervisor=kvm", "hypervisor!=none", or "nothing" where it was explained away
    double weight;    // 0..1: 0.9 makes its claim ten times as likely as it was
    bool contradicts; // it speaks against the verdict
};

struct platform_unread {
    char *source;
    char *why; // the reason, and what reading it would add
};

// All `const char *` point to static tables (NULL is JSON null), all `char *` are owned.
struct platform {
    const char *kind;       // vm host bare-metal container lpar unknown
    const char *hypervisor; // "none", "unknown" or an id of detect/names.c
    const char *vmm;
    int type; // 1, 2, or 0: cannot be told
    char *type_reason;
    const char *mode; // pv hvm pvh
    const char *role; // guest dom0 root-partition service-vm
    const char *cloud;
    char *instance_type;
    const char *outer[8]; // the hypervisors around the innermost one, innermost first
    size_t outer_count;
    const char *cvm; // "none" or the kind of confidential VM
    const char *container;
    const char *arch; // "x86_64", ..., NULL: not known
    double confidence;
    struct platform_path *paths;
    size_t path_count, path_capacity;
    struct platform_evidence *evidence;
    size_t evidence_count, evidence_capacity;
    struct platform_unread *unread;
    size_t unread_count, unread_capacity;
};

// "paravirtual" and so on.
const char *path_kind_name(enum path_kind kind);

// The object of schema metalgap.platform/1. The caller owns it: cJSON_Delete().
cJSON *platform_to_json(const struct platform *p);

// Releases what the result owns and empties it.
void platform_free(struct platform *p);

// True if the platform is `what`: a hypervisor, VMM, cloud, kind, role, mode, container, confidential mode or
// architecture, or one of vm, container, bare-metal, host, type1, type2, nested, confidential, offload. 1 yes, 0 no, -1
// if no such word is known.
int platform_is(const struct platform *p, const char *what);
