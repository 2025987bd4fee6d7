// SPDX-License-Identifier: Apache-2.0
// Loading, attaching and reading the programs of Xen's Dom0. See xen_dom0.h.
#include "collectors/xen_dom0.h"

#include "collectors/probe.h"
#include "collectors/xen_names.h"
#include "collectors/xen_netback.h"
#include "core/memory.h"
#include "core/str.h"
#include "probes/xen_dom0.skel.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MODULE    "xen_blkback"
#define MAX_LINKS 16

struct xen_dom0 {
    struct xen_dom0_bpf *bpf;
    struct xen_netback *network; // NULL: packets are not seen
    struct btf *kernel;
    struct dom0_ring *rings; // the kernel's, mapped
    size_t cpus;
    struct dom0_sums *row;           // scratch: of all CPUs
    struct dom0_disk_sums *disk_row; // the same
    uint32_t disks[DOM0_DISKS];
    int disk_count;
    struct bpf_link *links[MAX_LINKS];
    size_t link_count;
};

static size_t map_bytes(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (DOM0_RINGS * sizeof(struct dom0_ring) + page - 1) / page * page;
}

// --- loading --------------------------------------------------------------------------------------------------------

// What follows functions is not loaded where the kernel has not got them: only one segment is lost.
static bool is_optional(const struct bpf_program *program) {
    static const char *const optional[] = {"on_upcall", "on_notify_guest", "on_rq_issue", "on_rq_complete"};
    for (size_t i = 0; i < ARRAY_LEN(optional); i++)
        if (strcmp(bpf_program__name(program), optional[i]) == 0)
            return true;
    return false;
}

static bool has_module(const struct xen_dom0 *h, const char *name) {
    struct btf *module = h->kernel ? btf__load_module_btf(name, h->kernel) : NULL;
    btf__free(module); // NULL is fine
    return module != NULL;
}

// Without blkback there are no requests; what packets need stays.
static void leave_out_blocks(struct xen_dom0 *h) {
    static const char *const common[] = {"on_upcall", "on_sched_switch", "on_notify_guest"};
    struct bpf_program *program;
    bpf_object__for_each_program(program, h->bpf->obj) {
        bool keep = false;
        for (size_t i = 0; i < ARRAY_LEN(common); i++)
            keep |= strcmp(bpf_program__name(program), common[i]) == 0;
        bpf_program__set_autoload(program, keep);
    }
}

static bool check_types(struct xen_dom0 *h, struct str *missing, struct collector_status *status) {
    h->kernel = btf__load_vmlinux_btf();
    bool blocks = has_module(h, MODULE);
    bool loaded = access("/sys/module/" MODULE, F_OK) == 0;
    if (!blocks && !has_module(h, "xen_netback")) {
        collector_say(status, COLLECTOR_UNAVAILABLE,
                      h->kernel && !loaded ? "modprobe xen-blkback, or wait until a guest has a "
                                             "disk: nothing goes through it now"
                                           : "Linux 5.11 or later with "
                                             "CONFIG_DEBUG_INFO_BTF_MODULES",
                      "there are no types of Xen's block backend (/sys/kernel/btf/" MODULE ")");
        return false;
    }
    if (!blocks) {
        leave_out_blocks(h);
        str_add(missing, "block requests (no /sys/kernel/btf/" MODULE ")");
    }
    if (!probe_has_function(h->kernel, "xen_evtchn_do_upcall", NULL)) {
        bpf_program__set_autoload(h->bpf->progs.on_upcall, false);
        str_printf(missing, "%sxen_evtchn_do_upcall (part of notify)", missing->length ? ", " : "");
    }
    return true;
}

static int prepare_maps(struct xen_dom0 *h) {
    void *memory = mmap(NULL, map_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(h->bpf->maps.rings), 0);
    if (memory == MAP_FAILED)
        return -errno;
    h->rings = memory;
    for (uint32_t slot = 0; slot < DOM0_RINGS; slot++)
        if (bpf_map_update_elem(bpf_map__fd(h->bpf->maps.free_slots), NULL, &slot, BPF_ANY))
            return -errno;
    return 0;
}

static int load(struct xen_dom0 *h, int domid, struct str *missing, struct collector_status *status) {
    h->bpf = xen_dom0_bpf__open();
    if (!h->bpf)
        return -errno;
    if (!check_types(h, missing, status))
        return 1;
    if (domid != XEN_DOM0_ALL)
        h->bpf->rodata->only_domid = (uint32_t)domid;
    int result = xen_dom0_bpf__load(h->bpf);
    return result ? result : prepare_maps(h);
}

static int attach(struct xen_dom0 *h, struct str *missing) {
    struct bpf_program *program;
    bpf_object__for_each_program(program, h->bpf->obj) {
        if (bpf_program__fd(program) < 0 || h->link_count == MAX_LINKS)
            continue;
        struct bpf_link *link = bpf_program__attach(program);
        if (link)
            h->links[h->link_count++] = link;
        else if (!is_optional(program))
            return errno;
        else
            str_printf(missing, "%s%s", missing->length ? ", " : "", bpf_program__name(program) + strlen("on_"));
    }
    return 0;
}

// The disks that there are now are counted from the first request on.
static void add_disks(struct xen_dom0 *h, int domid) {
    struct xen_place *places;
    size_t count = xen_places("", &places);
    for (size_t i = 0; i < count; i++)
        for (size_t d = 0; d < places[i].disk_count; d++)
            if (domid == XEN_DOM0_ALL || places[i].domid == (uint32_t)domid)
                xen_dom0_add_disk(h, places[i].disks[d]);
    free(places);
}

static int open_dom0(struct xen_dom0 *h, int domid, struct collector_status *status) {
    struct str missing = {0};
    int result = load(h, domid, &missing, status);
    if (result < 0)
        probe_refused(status, "loading the programs of Xen's Dom0", -result);
    if (!result) {
        *status = (struct collector_status){.state = COLLECTOR_ACTIVE};
        add_disks(h, domid);
        result = attach(h, &missing);
        if (!result)
            h->network = xen_netback_open(h->bpf->obj, h->kernel, h->bpf->rodata->only_domid, &missing);
        if (result)
            probe_refused(status, "attaching to Xen's block backend", result);
        else if (missing.length)
            collector_say(status, COLLECTOR_DEGRADED, "another kernel: this one does not have them",
                          "not to be traced here: %s", missing.text);
    }
    str_free(&missing);
    return result;
}

struct xen_dom0 *xen_dom0_open(int domid, struct collector_status *status) {
    if (!xen_is_dom0("")) {
        collector_say(status, COLLECTOR_UNAVAILABLE, "run it in Xen's Dom0", "this is not Xen's Dom0");
        return NULL;
    }
    struct xen_dom0 *h = mem_alloc(sizeof *h);
    int cpus = libbpf_num_possible_cpus();
    probe_quiet();
    h->cpus = cpus > 0 ? (size_t)cpus : 1;
    h->row = mem_alloc(h->cpus * sizeof *h->row);
    h->disk_row = mem_alloc(h->cpus * sizeof *h->disk_row);
    if (open_dom0(h, domid, status) == 0)
        return h;
    xen_dom0_close(h);
    return NULL;
}

void xen_dom0_close(struct xen_dom0 *h) {
    if (!h)
        return;
    for (size_t i = 0; i < h->link_count; i++)
        bpf_link__destroy(h->links[i]);
    xen_netback_close(h->network); // NULL is fine
    if (h->rings)
        munmap(h->rings, map_bytes());
    xen_dom0_bpf__destroy(h->bpf); // NULL is fine
    btf__free(h->kernel);          // the same
    free(h->row);
    free(h->disk_row);
    free(h);
}

// --- reading --------------------------------------------------------------------------------------------------------

bool xen_dom0_read(const struct xen_dom0 *h, uint32_t slot, struct dom0_ring *ring, struct dom0_sums *sums) {
    if (!__atomic_load_n(&h->rings[slot].tid, __ATOMIC_ACQUIRE))
        return false;
    *ring = h->rings[slot];
    *sums = (struct dom0_sums){0};
    if (bpf_map_lookup_elem(bpf_map__fd(h->bpf->maps.sums), &slot, h->row))
        return false;
    for (size_t i = 0; i < h->cpus; i++) {
        const struct dom0_sums *row = &h->row[i];
        sums->notices += row->notices;
        sums->requests += row->requests;
        sums->unannounced += row->unannounced;
        sums->answers += row->answers;
        sums->packets += row->packets;
        sums->dropped += row->dropped;
        sums->thread_ns += row->thread_ns;
        for (int s = 0; s < DOM0_SEGMENTS; s++)
            sums->ns[s] += row->ns[s];
        for (int b = 0; b < DOM0_HIST_BUCKETS; b++)
            sums->hist[b] += row->hist[b];
    }
    return true;
}

void xen_dom0_forget(struct xen_dom0 *h, uint32_t slot) {
    uint32_t tid = h->rings[slot].tid;
    uint64_t address = h->rings[slot].address;
    bpf_map_delete_elem(bpf_map__fd(h->bpf->maps.thread_slots), &tid);
    bpf_map_delete_elem(bpf_map__fd(h->bpf->maps.ring_slots), &address);
    memset(&h->rings[slot], 0, sizeof h->rings[slot]);
    memset(h->row, 0, h->cpus * sizeof *h->row);
    bpf_map_update_elem(bpf_map__fd(h->bpf->maps.sums), &slot, h->row, BPF_ANY);
    bpf_map_update_elem(bpf_map__fd(h->bpf->maps.free_slots), NULL, &slot, BPF_ANY);
}

int xen_dom0_add_disk(struct xen_dom0 *h, uint32_t dev) {
    for (int i = 0; i < h->disk_count; i++)
        if (h->disks[i] == dev)
            return i;
    uint32_t slot = (uint32_t)h->disk_count;
    if (h->disk_count == DOM0_DISKS || bpf_map_update_elem(bpf_map__fd(h->bpf->maps.disk_slots), &dev, &slot, BPF_ANY))
        return -1;
    h->disks[h->disk_count++] = dev;
    return (int)slot;
}

void xen_dom0_read_disk(const struct xen_dom0 *h, int slot, struct dom0_disk_sums *sums) {
    *sums = (struct dom0_disk_sums){0};
    if (slot < 0 || bpf_map_lookup_elem(bpf_map__fd(h->bpf->maps.disk_sums), &slot, h->disk_row))
        return;
    for (size_t i = 0; i < h->cpus; i++) {
        sums->issued += h->disk_row[i].issued;
        sums->completed += h->disk_row[i].completed;
        sums->ns += h->disk_row[i].ns;
    }
}

struct dom0_totals xen_dom0_totals(const struct xen_dom0 *h) {
    struct dom0_totals sum = {0};
    struct dom0_totals *cpus = mem_alloc(h->cpus * sizeof *cpus);
    uint32_t zero = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(h->bpf->maps.totals), &zero, cpus) == 0)
        for (size_t i = 0; i < h->cpus; i++) {
            sum.rings_lost += cpus[i].rings_lost;
            sum.requests_lost += cpus[i].requests_lost;
        }
    free(cpus);
    return sum;
}

static uint64_t misses_of(const struct bpf_object *object) {
    struct bpf_program *program;
    uint64_t misses = 0;
    bpf_object__for_each_program(program, object) {
        struct bpf_prog_info info = {0};
        __u32 size = sizeof info;
        if (bpf_program__fd(program) >= 0 && bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0)
            misses += info.recursion_misses;
    }
    return misses;
}

uint64_t xen_dom0_misses(const struct xen_dom0 *h) {
    const struct bpf_object *network = xen_netback_programs(h->network);
    return misses_of(h->bpf->obj) + (network ? misses_of(network) : 0);
}
