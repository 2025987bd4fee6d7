// SPDX-License-Identifier: Apache-2.0
// Loads and attaches the programs that follow packets. See xen_netback.h.
#include "collectors/xen_netback.h"

#include "collectors/probe.h"
#include "core/memory.h"
#include "probes/xen_netback.skel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MODULE    "xen_netback"
#define MAX_LINKS 16

struct xen_netback {
    struct xen_netback_bpf *bpf;
    struct bpf_link *links[MAX_LINKS];
    size_t link_count;
};

// The functions that programs hang on, as of Linux 5.11 to 6.18, and what is not known without. A kernel has one of the
// two handlers at least.
static const struct {
    const char *program, *function, *lost;
} functions[] = {
    {"on_send_notice", "xenvif_tx_interrupt", "notifications of packets"},
    {"on_common_notice", "xenvif_interrupt", NULL},
    {"on_poll", "xenvif_poll", "packets that guests send"},
    {"on_polled", "xenvif_poll", NULL},
    {"on_release", "xenvif_idx_release", "answers to packets"},
    {"on_released", "xenvif_idx_release", NULL},
    {"on_send_answer", "make_tx_response", "answers to what is no packet"},
    {"on_receive_notice", "xenvif_rx_interrupt", NULL},
    {"on_queue_tail", "xenvif_rx_queue_tail", "packets for guests"},
    {"on_flush", "xenvif_rx_copy_flush", "packets that guests receive"},
    {"on_flushed", "xenvif_rx_copy_flush", NULL},
};

static void tell(struct str *missing, const char *what, const char *why) {
    str_printf(missing, "%s%s%s%s%s", missing->length ? ", " : "", what, why ? " (" : "", why ? why : "",
               why ? ")" : "");
}

// Leaves out what this kernel has no function for.
static void choose(const struct xen_netback_bpf *bpf, struct btf *kernel, struct str *missing) {
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if (probe_has_function(kernel, functions[i].function, MODULE))
            continue;
        bpf_program__set_autoload(bpf_object__find_program_by_name(bpf->obj, functions[i].program), false);
        if (functions[i].lost)
            tell(missing, functions[i].lost, NULL);
    }
}

static int share_maps(const struct xen_netback_bpf *bpf, const struct bpf_object *maps) {
    struct bpf_map *map;
    bpf_object__for_each_map(map, bpf->obj) {
        struct bpf_map *theirs =
            bpf_map__is_internal(map) ? NULL : bpf_object__find_map_by_name(maps, bpf_map__name(map));
        if (theirs && bpf_map__reuse_fd(map, bpf_map__fd(theirs)))
            return -errno;
    }
    return 0;
}

static int attach(struct xen_netback *n) {
    struct bpf_program *program;
    bpf_object__for_each_program(program, n->bpf->obj) {
        if (bpf_program__fd(program) < 0 || n->link_count == MAX_LINKS)
            continue;
        struct bpf_link *link = bpf_program__attach(program);
        if (!link)
            return -errno;
        n->links[n->link_count++] = link;
    }
    return 0;
}

struct xen_netback *xen_netback_open(const struct bpf_object *maps, struct btf *kernel, uint32_t domid,
                                     struct str *missing) {
    struct xen_netback *n = mem_alloc(sizeof *n);
    n->bpf = xen_netback_bpf__open();
    int result = n->bpf ? 0 : -errno;
    if (!result) {
        n->bpf->rodata->only_domid = domid;
        choose(n->bpf, kernel, missing);
        result = share_maps(n->bpf, maps);
    }
    if (!result)
        result = xen_netback_bpf__load(n->bpf);
    if (!result)
        result = attach(n);
    if (!result)
        return n;
    tell(missing, "packets", strerror(-result));
    xen_netback_close(n);
    return NULL;
}

void xen_netback_close(struct xen_netback *n) {
    if (!n)
        return;
    for (size_t i = 0; i < n->link_count; i++)
        bpf_link__destroy(n->links[i]);
    xen_netback_bpf__destroy(n->bpf); // NULL is fine
    free(n);
}

const struct bpf_object *xen_netback_programs(const struct xen_netback *n) {
    return n ? n->bpf->obj : NULL;
}
