// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the programs of xen_dom0.bpf.c and xen_netback.bpf.c keep, and how they find it: rings by address and thread,
// requests on their way, disks, and what each CPU is at.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probes/kernel_types.h"
#include "probes/maps.bpf.h"
#include "probes/xen_dom0.h"
#include "probes/xen_types.h"

#include <bpf/bpf_core_read.h>

#define RUNNABLE 1 // index in vcpu_runstate_info.time

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, DOM0_RINGS);
    __type(key, __u32);
    __type(value, struct dom0_ring);
} rings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, DOM0_RINGS);
    __type(key, __u32);
    __type(value, struct dom0_sums);
} sums SEC(".maps");

// Address of a ring, and pid of a thread, to slot.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, DOM0_RINGS);
    __type(key, __u64);
    __type(value, __u32);
} ring_slots SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, DOM0_RINGS);
    __type(key, __u32);
    __type(value, __u32);
} thread_slots SEC(".maps");

// Slots that nobody has.
struct {
    __uint(type, BPF_MAP_TYPE_QUEUE);
    __uint(max_entries, DOM0_RINGS);
    __type(value, __u32);
} free_slots SEC(".maps");

// A request between the block layer and its answer, or a packet for the guest.
struct in_flight {
    __u32 slot;
    __u32 unannounced;
    __u64 notify, wakeup, service; // ns
    __u64 submitted, ended;        // moments; 0: not yet. A packet: given to the backend
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, DOM0_IN_FLIGHT);
    __type(key, __u64); // struct pending_req, struct sk_buff
    __type(value, struct in_flight);
} in_flight SEC(".maps");

// Disks that the collector wants to know of, by device number, to slot.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, DOM0_DISKS);
    __type(key, __u32);
    __type(value, __u32);
} disk_slots SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, DOM0_DISKS);
    __type(key, __u32);
    __type(value, struct dom0_disk_sums);
} disk_sums SEC(".maps");

struct disk_request {
    __u64 sector;
    __u32 dev;
    __u32 unused;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH); // a request that is never completed must not keep its place
    __uint(max_entries, DOM0_IN_FLIGHT);
    __type(key, struct disk_request);
    __type(value, __u64);
} on_disk SEC(".maps");

struct cpu {
    __u32 current;   // slot + 1 of the ring whose thread runs here; 0: none
    __u32 answering; // an answer is being given
    __u64 upcall;    // when the event channels' interrupt came
    __u64 runnable;  // ns that this virtual CPU had waited for a CPU when it became idle
    __u64 told;      // when the last answer was given
    __u32 polling;   // slot + 1 of the ring whose packets the softirq takes here; 0: none
    __u32 flushing;  // slot + 1 of the ring whose packets are copied to the guest here; 0: none
    __u32 releasing; // an answer to a packet is being given
    __u32 unused;
    __u64 answered;  // when the softirq gave its last answer; 0: it is in the sums
    __u64 whole;     // ns of that answer's packet up to there
    __u64 poll_told; // when the softirq notified the guest
    __u64 flushed;   // when the copying began
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct cpu);
} cpus SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct dom0_totals);
} totals SEC(".maps");

// Set by the collector before loading.
const volatile __u32 only_domid = ~0U; // ~0: all

extern const struct vcpu_runstate_info xen_runstate __ksym __weak;

static __always_inline struct cpu *my_cpu(void) {
    __u32 zero = 0;
    return bpf_map_lookup_elem(&cpus, &zero);
}

static __always_inline void lost(int ring) {
    __u32 zero = 0;
    struct dom0_totals *t = bpf_map_lookup_elem(&totals, &zero);
    if (!t)
        return;
    if (ring)
        __sync_fetch_and_add(&t->rings_lost, 1);
    else
        __sync_fetch_and_add(&t->requests_lost, 1);
}

// How long this CPU of Dom0 was kept waiting by Xen when the event woke it from its idleness.
static __always_inline __u64 waited_for_cpu(struct cpu *cpu) {
    if (!bpf_core_type_exists(struct vcpu_runstate_info) || !&xen_runstate || (__u32)bpf_get_current_pid_tgid() != 0)
        return 0;
    const struct vcpu_runstate_info *mine = bpf_this_cpu_ptr(&xen_runstate);
    __u64 runnable = mine->time[RUNNABLE];
    __u64 waited = cpu->runnable && runnable > cpu->runnable ? runnable - cpu->runnable : 0;
    cpu->runnable = runnable;
    return waited;
}

static __always_inline void add(struct dom0_sums *s, enum dom0_segment segment, __u64 ns) {
    __sync_fetch_and_add(&s->ns[segment], ns);
}

// True if index a lies before b; they count on without end.
static __always_inline int before(__u32 a, __u32 b) {
    return (int)(a - b) < 0;
}

// --- rings ----------------------------------------------------------------------------------------------------------

// All but the notices, which their owner fills in.
static __always_inline struct dom0_ring *claim_ring(const struct dom0_ring *who, __u32 *slot) {
    __u64 address = who->address;
    __u32 tid = who->tid;
    if (only_domid != ~0U && who->domid != only_domid)
        return NULL;
    if (bpf_map_pop_elem(&free_slots, slot))
        goto none_left;
    struct dom0_ring *r = bpf_map_lookup_elem(&rings, slot);
    if (!r)
        return NULL;
    r->address = address;
    r->domid = who->domid;
    r->vdev = who->vdev;
    r->kind = who->kind;
    r->notice[0].end = r->notice[1].end = who->notice[0].end;
    r->tid = tid; // last: the collector looks at this one
    if (who->kind != DOM0_SENDS && bpf_map_update_elem(&thread_slots, &tid, slot, BPF_ANY))
        goto none_left;
    if (bpf_map_update_elem(&ring_slots, &address, slot, BPF_ANY))
        goto none_left;
    return r;
none_left:
    lost(1);
    return NULL;
}

static __noinline struct dom0_ring *new_ring(struct xen_blkif_ring *ring, __u32 *slot) {
    struct dom0_ring who = {.address = (__u64)ring, .kind = DOM0_BLOCK};
    if (!slot)
        return NULL;
    who.tid = BPF_CORE_READ(ring, xenblkd, pid);
    who.domid = BPF_CORE_READ(ring, blkif, domid);
    who.vdev = BPF_CORE_READ(ring, blkif, vbd.handle);
    who.notice[0].end = BPF_CORE_READ(ring, blk_rings.common.req_cons);
    return claim_ring(&who, slot);
}

static __always_inline struct dom0_ring *ring_of(struct xen_blkif_ring *ring, __u32 *slot) {
    __u64 address = (__u64)ring;
    __u32 *known = bpf_map_lookup_elem(&ring_slots, &address);
    if (!known)
        return new_ring(ring, slot);
    *slot = *known;
    return bpf_map_lookup_elem(&rings, slot);
}

// The ring whose thread runs here, or NULL.
static __always_inline struct dom0_ring *my_ring(__u32 *slot) {
    struct cpu *cpu = my_cpu();
    if (!cpu || !cpu->current)
        return NULL;
    *slot = cpu->current - 1;
    struct dom0_ring *r = bpf_map_lookup_elem(&rings, slot);
    return r && r->tid == (__u32)bpf_get_current_pid_tgid() ? r : NULL;
}
