// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How long are packets of Xen's guests in Dom0's network backend, and where? The sums are those of xen_dom0.bpf.h, two
// rings for each queue of an interface.
//
// What the guest sends: its notification, the softirq that takes packets from the ring (xenvif_poll), the answer, the
// guest being told. What it receives: Dom0 gives the packet to the backend, whose thread gets a CPU, prepares the copy,
// has Xen make it and tells the guest.
#include "probes/xen_dom0.bpf.h"

static __noinline struct dom0_ring *new_queue(struct xenvif_queue *queue, __u32 kind, __u32 *slot) {
    struct dom0_ring who = {.address = (__u64)queue + kind, .kind = kind};
    if (!slot)
        return NULL;
    who.tid = BPF_CORE_READ(queue, task, pid);
    who.domid = BPF_CORE_READ(queue, vif, domid);
    who.vdev = BPF_CORE_READ(queue, vif, handle);
    who.notice[0].end = BPF_CORE_READ(queue, tx.req_cons);
    return claim_ring(&who, slot);
}

static __always_inline struct dom0_ring *queue_ring(struct xenvif_queue *queue, __u32 kind, __u32 *slot) {
    __u64 address = (__u64)queue + kind;
    __u32 *known = bpf_map_lookup_elem(&ring_slots, &address);
    if (!known)
        return new_queue(queue, kind, slot);
    *slot = *known;
    return bpf_map_lookup_elem(&rings, slot);
}

// --- what the guest sends -------------------------------------------------------------------------------------------

// The guest says that there are packets on the ring. It is not heard again before the softirq has looked there.
static __always_inline int notice(struct xenvif_queue *queue) {
    __u32 slot = 0;
    __u32 end = 0;
    struct dom0_ring *r = queue_ring(queue, DOM0_SENDS, &slot);
    struct dom0_sums *s = bpf_map_lookup_elem(&sums, &slot);
    struct cpu *cpu = my_cpu();
    if (!r || !s || !cpu)
        return 0;
    __u64 now = bpf_ktime_get_ns();
    __u64 waited = waited_for_cpu(cpu);
    struct xen_netif_tx_sring *shared = BPF_CORE_READ(queue, tx.sring);
    __u32 taken = BPF_CORE_READ(queue, tx.req_cons);
    bpf_core_read(&end, sizeof end, &shared->req_prod);
    __sync_fetch_and_add(&s->notices, 1);
    struct dom0_notice *n = &r->notice[0];
    if (!before(taken, end) || !before(n->end, end)) // nothing new
        return 0;
    if (!before(taken, n->end)) { // all that it announced before has been taken
        n->notify = (cpu->upcall && cpu->upcall < now ? now - cpu->upcall : 0) + waited;
        n->came = now;
        n->run = r->on_cpu ? now : 0;
    }
    n->end = end;
    return 0;
}

SEC("fentry/xenvif_tx_interrupt")
int BPF_PROG(on_send_notice, int irq, void *dev_id) {
    return notice(dev_id);
}

// One channel for both directions.
SEC("fentry/xenvif_interrupt")
int BPF_PROG(on_common_notice, int irq, void *dev_id) {
    return notice(dev_id);
}

SEC("fentry/xenvif_poll")
int BPF_PROG(on_poll, struct napi_struct *napi) {
    struct xenvif_queue *queue = (void *)napi - bpf_core_field_offset(struct xenvif_queue, napi);
    __u32 slot = 0;
    struct dom0_ring *r = queue_ring(queue, DOM0_SENDS, &slot);
    struct cpu *cpu = my_cpu();
    if (!r || !cpu)
        return 0;
    __u64 now = bpf_ktime_get_ns();
    r->on_since = now;
    r->on_cpu = 1;
    if (!r->notice[0].run)
        r->notice[0].run = now;
    cpu->polling = slot + 1;
    cpu->answered = 0;
    return 0;
}

// What follows the last answer: the guest was told, or did not want to be.
static __always_inline void close_answer(struct cpu *cpu, struct dom0_sums *s) {
    if (!cpu->answered)
        return;
    __u64 ns = cpu->poll_told > cpu->answered ? cpu->poll_told - cpu->answered : 0;
    add(s, DOM0_COMPLETION, ns);
    __sync_fetch_and_add(&s->hist[log2_bucket(cpu->whole + ns, DOM0_HIST_BUCKETS)], 1);
    cpu->answered = 0;
}

SEC("fexit/xenvif_poll")
int BPF_PROG(on_polled) {
    struct cpu *cpu = my_cpu();
    if (!cpu || !cpu->polling)
        return 0;
    __u32 slot = cpu->polling - 1;
    struct dom0_ring *r = bpf_map_lookup_elem(&rings, &slot);
    struct dom0_sums *s = bpf_map_lookup_elem(&sums, &slot);
    cpu->polling = 0;
    if (!r || !s)
        return 0;
    close_answer(cpu, s);
    r->on_cpu = 0;
    __sync_fetch_and_add(&s->thread_ns, bpf_ktime_get_ns() - r->on_since);
    return 0;
}

// Memory that Dom0's network stack has used in place is answered by a thread, later: counted, not timed.
static __always_inline int answer(struct xenvif_queue *queue) {
    __u32 slot = 0;
    struct dom0_ring *r = queue_ring(queue, DOM0_SENDS, &slot);
    struct dom0_sums *s = bpf_map_lookup_elem(&sums, &slot);
    struct cpu *cpu = my_cpu();
    if (!r || !s || !cpu)
        return 0;
    __sync_fetch_and_add(&s->answers, 1);
    if (cpu->polling != slot + 1)
        return 0;
    close_answer(cpu, s);
    __u64 now = bpf_ktime_get_ns();
    struct dom0_notice *n = &r->notice[0];
    __u64 notify = 0;
    __u64 wakeup = 0;
    __u64 begin = r->on_since;
    if (before(BPF_CORE_READ(queue, tx.rsp_prod_pvt), n->end)) {
        begin = n->run;
        notify = n->notify;
        wakeup = begin > n->came ? begin - n->came : 0;
    } else {
        __sync_fetch_and_add(&s->unannounced, 1);
    }
    __u64 service = begin && now > begin ? now - begin : 0;
    add(s, DOM0_NOTIFY, notify);
    add(s, DOM0_WAKEUP, wakeup);
    add(s, DOM0_SERVICE, service);
    __sync_fetch_and_add(&s->requests, 1);
    cpu->whole = notify + wakeup + service;
    cpu->answered = now;
    return 0;
}

// The answer to a packet. The compiler may have put make_tx_response into it or not.
SEC("fentry/xenvif_idx_release")
int BPF_PROG(on_release, struct xenvif_queue *queue) {
    struct cpu *cpu = my_cpu();
    if (cpu)
        cpu->releasing = 1;
    return answer(queue);
}

SEC("fexit/xenvif_idx_release")
int BPF_PROG(on_released) {
    struct cpu *cpu = my_cpu();
    if (cpu)
        cpu->releasing = 0;
    return 0;
}

// By itself: of errors and of what is no packet.
SEC("fentry/make_tx_response")
int BPF_PROG(on_send_answer, struct xenvif_queue *queue) {
    struct cpu *cpu = my_cpu();
    return !cpu || cpu->releasing ? 0 : answer(queue);
}

// net:netif_receive_skb(packet). In the softirq it is the guest's.
SEC("raw_tp/netif_receive_skb")
int on_packet(void *ctx) {
    struct cpu *cpu = my_cpu();
    if (!cpu || !cpu->polling)
        return 0;
    __u32 slot = cpu->polling - 1;
    struct dom0_sums *s = bpf_map_lookup_elem(&sums, &slot);
    if (s)
        __sync_fetch_and_add(&s->packets, 1);
    return 0;
}

// --- what the guest receives ----------------------------------------------------------------------------------------

SEC("fentry/xenvif_rx_interrupt")
int BPF_PROG(on_receive_notice, int irq, void *dev_id) {
    __u32 slot = 0;
    struct dom0_ring *r = queue_ring(dev_id, DOM0_RECEIVES, &slot);
    struct dom0_sums *s = bpf_map_lookup_elem(&sums, &slot);
    if (r && s)
        __sync_fetch_and_add(&s->notices, 1);
    return 0;
}

SEC("fentry/xenvif_rx_queue_tail")
int BPF_PROG(on_queue_tail, struct xenvif_queue *queue, struct sk_buff *packet) {
    struct in_flight f = {0};
    __u64 key = (__u64)packet;
    if (!queue_ring(queue, DOM0_RECEIVES, &f.slot))
        return 0;
    f.submitted = bpf_ktime_get_ns();
    if (bpf_map_update_elem(&in_flight, &key, &f, BPF_ANY))
        lost(0);
    return 0;
}

SEC("fentry/xenvif_rx_copy_flush")
int BPF_PROG(on_flush, struct xenvif_queue *queue) {
    __u32 slot = 0;
    struct cpu *cpu = my_cpu();
    if (!cpu || !queue_ring(queue, DOM0_RECEIVES, &slot))
        return 0;
    cpu->flushing = slot + 1;
    cpu->flushed = bpf_ktime_get_ns();
    cpu->answering = 1;
    return 0;
}

SEC("fexit/xenvif_rx_copy_flush")
int BPF_PROG(on_flushed) {
    struct cpu *cpu = my_cpu();
    if (cpu)
        cpu->flushing = cpu->answering = 0;
    return 0;
}

static __always_inline void received(struct cpu *cpu, const struct in_flight *f, struct dom0_sums *s) {
    struct dom0_ring *r = bpf_map_lookup_elem(&rings, &f->slot);
    __u64 told = cpu->told > cpu->flushed ? cpu->told : bpf_ktime_get_ns();
    __u64 begin = r && r->on_since > f->submitted ? r->on_since : f->submitted;
    if (begin > cpu->flushed)
        begin = cpu->flushed;
    add(s, DOM0_WAKEUP, begin - f->submitted);
    add(s, DOM0_SERVICE, cpu->flushed - begin);
    add(s, DOM0_COMPLETION, told - cpu->flushed);
    __sync_fetch_and_add(&s->requests, 1);
    __sync_fetch_and_add(&s->answers, 1);
    __sync_fetch_and_add(&s->packets, 1);
    __sync_fetch_and_add(&s->hist[log2_bucket(told - f->submitted, DOM0_HIST_BUCKETS)], 1);
}

// skb:kfree_skb(packet, ...). The backend frees what it has copied, and what it has to drop.
SEC("raw_tp/kfree_skb")
int on_free(struct bpf_raw_tracepoint_args *ctx) {
    __u64 key = ctx->args[0];
    struct in_flight *f = bpf_map_lookup_elem(&in_flight, &key);
    struct cpu *cpu = my_cpu();
    if (!f || !cpu)
        return 0;
    struct dom0_sums *s = bpf_map_lookup_elem(&sums, &f->slot);
    if (s && cpu->flushing == f->slot + 1 && cpu->flushed >= f->submitted)
        received(cpu, f, s);
    else if (s)
        __sync_fetch_and_add(&s->dropped, 1);
    bpf_map_delete_elem(&in_flight, &key);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
