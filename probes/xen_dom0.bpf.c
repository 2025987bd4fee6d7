// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How long are the block requests of Xen's guests in Dom0, and where? Follows each request of blkback from the event
// channel's notification to the answer and sums up in the kernel, when it is answered; no event leaves it.
//
// A notification stands for the requests that were on the ring when it came. What the thread finds beyond them while it
// is awake came unannounced: nobody can tell how long that waited on the ring, so its way begins when the thread turned
// to it, and it is counted.
//
// Sums are kept per CPU. They are added to atomically: a thread's program can be interrupted by one that adds to the
// same row.
#include "probes/xen_dom0.bpf.h"

// --- notify ---------------------------------------------------------------------------------------------------------

// Event channels have something for this CPU.
SEC("fentry/xen_evtchn_do_upcall")
int BPF_PROG(on_upcall) {
    struct cpu *cpu = my_cpu();
    if (cpu)
        cpu->upcall = bpf_ktime_get_ns();
    return 0;
}

// blkback's interrupt handler: the guest says that there are requests on the ring.
SEC("fentry/xen_blkif_be_int")
int BPF_PROG(on_notice, int irq, void *dev_id) {
    struct xen_blkif_ring *ring = dev_id;
    __u32 slot = 0;
    struct dom0_ring *r = ring_of(ring, &slot);
    struct dom0_sums *s = bpf_map_lookup_elem(&sums, &slot);
    struct cpu *cpu = my_cpu();
    __u32 end = 0;
    if (!r || !s || !cpu)
        return 0;
    __u64 now = bpf_ktime_get_ns();
    __u64 waited = waited_for_cpu(cpu);
    struct blkif_common_sring *shared = BPF_CORE_READ(ring, blk_rings.common.sring);
    __u32 taken = BPF_CORE_READ(ring, blk_rings.common.req_cons);
    bpf_core_read(&end, sizeof end, &shared->req_prod);
    __sync_fetch_and_add(&s->notices, 1);
    struct dom0_notice *old = &r->notice[0];
    struct dom0_notice *young = &r->notice[1];
    if (!before(taken, old->end)) { // all that it announced has been taken
        *old = *young;
        young->end = old->end;
    }
    struct dom0_notice *mine = !before(taken, old->end) ? old : young;
    __u32 known = before(old->end, young->end) ? young->end : old->end;
    if (!before(known, end) || !before(taken, end)) // nothing new
        return 0;
    if (mine == young && before(old->end, young->end)) { // a third one: joined with the second
        young->end = end;
        return 0;
    }
    mine->notify = (cpu->upcall && cpu->upcall < now ? now - cpu->upcall : 0) + waited;
    mine->came = now;
    mine->run = r->on_cpu ? now : 0;
    mine->end = end;
    if (mine == old)
        young->end = end;
    return 0;
}

// --- wake-up --------------------------------------------------------------------------------------------------------

static __always_inline void thread_leaves(struct cpu *cpu, __u32 tid, __u64 now) {
    __u32 slot = cpu->current - 1;
    cpu->current = 0;
    struct dom0_ring *r = bpf_map_lookup_elem(&rings, &slot);
    struct dom0_sums *s = bpf_map_lookup_elem(&sums, &slot);
    if (!r || !s || r->tid != tid)
        return;
    r->on_cpu = 0;
    __sync_fetch_and_add(&s->thread_ns, now - r->on_since);
}

static __always_inline void thread_comes(struct cpu *cpu, __u32 slot, __u64 now) {
    struct dom0_ring *r = bpf_map_lookup_elem(&rings, &slot);
    if (!r)
        return;
    cpu->current = slot + 1;
    r->on_since = now;
    r->on_cpu = 1;
    if (!r->notice[0].run)
        r->notice[0].run = now;
    if (!r->notice[1].run)
        r->notice[1].run = now;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_sched_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next) {
    struct cpu *cpu = my_cpu();
    __u32 tid = next->pid;
    if (!cpu)
        return 0;
    if (cpu->current)
        thread_leaves(cpu, prev->pid, bpf_ktime_get_ns());
    if (tid == 0) {
        if (bpf_core_type_exists(struct vcpu_runstate_info) && &xen_runstate) {
            const struct vcpu_runstate_info *mine = bpf_this_cpu_ptr(&xen_runstate);
            cpu->runnable = mine->time[RUNNABLE];
        }
        return 0;
    }
    __u32 *slot = bpf_map_lookup_elem(&thread_slots, &tid);
    if (slot)
        thread_comes(cpu, *slot, bpf_ktime_get_ns());
    return 0;
}

// --- service --------------------------------------------------------------------------------------------------------

// Which notification told of the request that the thread has just taken. NULL: none did.
static __always_inline struct dom0_notice *notice_of(struct dom0_ring *r, struct xen_blkif_ring *ring) {
    __u32 index = BPF_CORE_READ(ring, blk_rings.common.req_cons) - 1;
    if (before(index, r->notice[0].end))
        return &r->notice[0];
    if (before(index, r->notice[1].end))
        return &r->notice[1];
    return NULL;
}

// block:block_bio_queue(bio): the block layer gets an I/O. In the backend's thread it is one of a guest's request,
// whose first one ends the service.
SEC("raw_tp/block_bio_queue")
int on_bio_queue(struct bpf_raw_tracepoint_args *ctx) {
    struct in_flight f = {0};
    struct dom0_ring *r = my_ring(&f.slot);
    if (!r)
        return 0;
    struct bio *bio = (struct bio *)ctx->args[0];
    struct pending_req *request = BPF_CORE_READ(bio, bi_private);
    struct xen_blkif_ring *ring = NULL;
    bpf_core_read(&ring, sizeof ring, &request->ring);
    if ((__u64)ring != r->address) // another layer's: a device mapper's clone
        return 0;
    __u64 key = (__u64)request;
    if (bpf_map_lookup_elem(&in_flight, &key)) // a further I/O of the request
        return 0;
    __u64 now = bpf_ktime_get_ns();
    struct dom0_notice *n = notice_of(r, ring);
    __u64 begin = r->handed_over > r->on_since ? r->handed_over : r->on_since;
    if (n) {
        begin = n->run > n->came ? n->run : n->came;
        f.notify = n->notify;
        f.wakeup = begin - n->came;
    } else {
        f.unannounced = 1;
    }
    f.service = begin && now > begin ? now - begin : 0;
    f.submitted = now;
    r->handed_over = now;
    if (bpf_map_update_elem(&in_flight, &key, &f, BPF_NOEXIST))
        lost(0);
    return 0;
}

// --- device ---------------------------------------------------------------------------------------------------------

// An I/O of a request is over; the last one ends the device's part.
SEC("fentry/end_block_io_op")
int BPF_PROG(on_end_io, struct bio *bio) {
    __u64 key = (__u64)bio->bi_private;
    struct in_flight *f = bpf_map_lookup_elem(&in_flight, &key);
    if (f)
        f->ended = bpf_ktime_get_ns();
    return 0;
}

// The tracepoints' records: the same fields at the same places from 2.6.37 to 6.18.
struct block_record {
    __u64 common;
    __u32 dev;
    __u32 unused;
    __u64 sector;
    __u32 sectors;
};

SEC("tracepoint/block/block_rq_issue")
int on_rq_issue(struct block_record *record) {
    struct disk_request key = {.sector = record->sector, .dev = record->dev};
    __u32 *slot = bpf_map_lookup_elem(&disk_slots, &key.dev);
    if (!slot)
        return 0;
    struct dom0_disk_sums *s = bpf_map_lookup_elem(&disk_sums, slot);
    __u64 now = bpf_ktime_get_ns();
    if (s)
        __sync_fetch_and_add(&s->issued, 1);
    bpf_map_update_elem(&on_disk, &key, &now, BPF_ANY);
    return 0;
}

SEC("tracepoint/block/block_rq_complete")
int on_rq_complete(struct block_record *record) {
    struct disk_request key = {.sector = record->sector, .dev = record->dev};
    __u32 *slot = bpf_map_lookup_elem(&disk_slots, &key.dev);
    if (!slot)
        return 0;
    struct dom0_disk_sums *s = bpf_map_lookup_elem(&disk_sums, slot);
    __u64 *issued = bpf_map_lookup_elem(&on_disk, &key);
    if (!s || !issued)
        return 0;
    __sync_fetch_and_add(&s->completed, 1);
    __sync_fetch_and_add(&s->ns, bpf_ktime_get_ns() - *issued);
    bpf_map_delete_elem(&on_disk, &key);
    return 0;
}

// --- completion -----------------------------------------------------------------------------------------------------

// An answer is put on the ring; then the guest is notified, if it wants to be.
SEC("fentry/make_response")
int BPF_PROG(on_answer, struct xen_blkif_ring *ring) {
    __u32 slot = 0;
    struct cpu *cpu = my_cpu();
    struct dom0_ring *r = ring_of(ring, &slot);
    struct dom0_sums *s = bpf_map_lookup_elem(&sums, &slot);
    if (!cpu || !r || !s)
        return 0;
    __sync_fetch_and_add(&s->answers, 1);
    cpu->answering = 1;
    return 0;
}

static __always_inline int guest_is_told(void) {
    struct cpu *cpu = my_cpu();
    if (!cpu || !cpu->answering)
        return 0;
    cpu->answering = 0;
    cpu->told = bpf_ktime_get_ns();
    return 0;
}

// Xen may let the guest run at once: what comes behind this call is no part of the request's way. A softirq that serves
// packets may have interrupted a backend's thread.
SEC("fentry/notify_remote_via_irq")
int BPF_PROG(on_notify_guest) {
    struct cpu *cpu = my_cpu();
    if (!cpu || !cpu->polling)
        return guest_is_told();
    cpu->poll_told = bpf_ktime_get_ns();
    return 0;
}

// A guest that is awake did not want to be notified.
SEC("fexit/make_response")
int BPF_PROG(on_answered) {
    return guest_is_told();
}

// The answer of a request that did I/O has been given: its sums.
SEC("fexit/xen_blkbk_unmap_and_respond_callback")
int BPF_PROG(on_done, int result, struct gntab_unmap_queue_data *data) {
    __u64 key = (__u64)data->data;
    struct in_flight *f = bpf_map_lookup_elem(&in_flight, &key);
    struct cpu *cpu = my_cpu();
    if (!f || !cpu)
        return 0;
    struct dom0_sums *s = bpf_map_lookup_elem(&sums, &f->slot);
    __u64 told = cpu->told > f->ended ? cpu->told : f->ended;
    if (s && f->ended >= f->submitted) {
        __u64 device = f->ended - f->submitted;
        __u64 completion = told - f->ended;
        add(s, DOM0_NOTIFY, f->notify);
        add(s, DOM0_WAKEUP, f->wakeup);
        add(s, DOM0_SERVICE, f->service);
        add(s, DOM0_DEVICE, device);
        add(s, DOM0_COMPLETION, completion);
        __sync_fetch_and_add(&s->requests, 1);
        __sync_fetch_and_add(&s->unannounced, f->unannounced);
        __u64 whole = f->notify + f->wakeup + f->service + device + completion;
        __sync_fetch_and_add(&s->hist[log2_bucket(whole, DOM0_HIST_BUCKETS)], 1);
    }
    bpf_map_delete_elem(&in_flight, &key);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
