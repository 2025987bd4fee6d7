// SPDX-License-Identifier: Apache-2.0
// The table of hosts, and its two rows. See host_source.h.
#include "collectors/host_source.h"

#include "collectors/dom0_windows.h"
#include "collectors/host_windows.h"
#include "collectors/vm_names.h"
#include "collectors/xen_names.h"
#include "core/memory.h"

#include <stdlib.h>

// --- KVM ------------------------------------------------------------------------------------------------------------

struct kvm {
    struct kvm_host *host;
    struct host_windows *windows;
};

static int kvm_find(const char *name) {
    pid_t pid = vm_find(name);
    return pid > 0 ? (int)pid : pid == 0 ? -1 : -2;
}

static void *kvm_open(int guest, struct collector_status *status) {
    struct kvm_host *host = kvm_host_open(guest == HOST_ALL ? 0 : (pid_t)guest, status);
    if (!host)
        return NULL;
    struct kvm *k = mem_alloc(sizeof *k);
    k->host = host;
    k->windows = host_windows_begin(host);
    return k;
}

static cJSON *kvm_next(void *state) {
    return host_windows_next(((struct kvm *)state)->windows);
}

static cJSON *kvm_notes(void *state) {
    return host_windows_notes(((struct kvm *)state)->windows);
}

static void kvm_close(void *state) {
    struct kvm *k = state;
    host_windows_end(k->windows);
    kvm_host_close(k->host);
    free(k);
}

const struct host_source host_source_kvm = {
    .name = "kvm_host",
    .about =
        "a KVM host's guests: exits by vCPU and reason, timed; waiting for a CPU; threads of the monitor and vhost",
    .how_to_name = "pgrep -a \"qemu|firecracker|cloud-hyp|crosvm|lkvm\"",
    .find = kvm_find,
    .open = kvm_open,
    .next = kvm_next,
    .notes = kvm_notes,
    .close = kvm_close,
};

// --- Xen's Dom0 -----------------------------------------------------------------------------------------------------

struct xen {
    struct xen_dom0 *dom0;
    struct dom0_windows *windows;
};

static bool xen_here(void) {
    return xen_is_dom0("");
}

static void *xen_open(int guest, struct collector_status *status) {
    int domid = guest == HOST_ALL ? XEN_DOM0_ALL : guest;
    struct xen_dom0 *dom0 = xen_dom0_open(domid, status);
    if (!dom0)
        return NULL;
    struct xen *x = mem_alloc(sizeof *x);
    x->dom0 = dom0;
    x->windows = dom0_windows_begin(dom0, domid);
    return x;
}

static cJSON *xen_next(void *state) {
    return dom0_windows_next(((struct xen *)state)->windows);
}

static cJSON *xen_notes(void *state) {
    return dom0_windows_notes(((struct xen *)state)->windows);
}

static void xen_close(void *state) {
    struct xen *x = state;
    dom0_windows_end(x->windows);
    xen_dom0_close(x->dom0);
    free(x);
}

const struct host_source host_source_xen = {
    .name = "xen_dom0",
    .about =
        "disk requests and packets of Xen's guests in Dom0: notification, backend's wake-up and work, device, answer",
    .how_to_name = "xl list",
    .here = xen_here,
    .find = xen_domain_find,
    .open = xen_open,
    .next = xen_next,
    .notes = xen_notes,
    .close = xen_close,
};

// --- the table ------------------------------------------------------------------------------------------------------

static const struct host_source *const sources[] = {&host_source_xen, &host_source_kvm};

const struct host_source *host_source_by_index(size_t index) {
    return index < ARRAY_LEN(sources) ? sources[index] : NULL;
}

cJSON *host_state_to_json(const struct host_source *source, const struct collector_status *status) {
    cJSON *row = cJSON_CreateObject();
    json_add_string(row, "name", source->name);
    json_add_string(row, "state", collector_state_names[status->state]);
    json_add_string(row, "reason", status->reason[0] ? status->reason : NULL);
    json_add_string(row, "hint", status->hint[0] ? status->hint : NULL);
    return row;
}

const char *host_not_found(int result) {
    return result == -2 ? "several have this name"
                        : "no process or domain has this number, and no virtual machine this name";
}

const struct host_source *host_source_here(void) {
    for (size_t i = 0; i + 1 < ARRAY_LEN(sources); i++)
        if (sources[i]->here())
            return sources[i];
    return sources[ARRAY_LEN(sources) - 1];
}
