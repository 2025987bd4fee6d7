// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Why does each vCPU leave its guest, and for how long? Sums it up in the kernel; no event leaves it.
//
// From Linux 5.17 on, on hosts whose clock is the TSC, KVM itself has noted when and why a guest was left by the time
// it is entered again: kvm_entry alone is listened to (kvm_entry.bpf.h). On others kvm_exit is noted and paired with it
// (kvm_exit.bpf.h). kvm_exit_source.c chooses. What an exit turns out to be in between is told by other tracepoints,
// here.
//
// All tracepoints are raw: their arguments are plain numbers, the same ones from 5.10 to 6.18; kvm_exit alone has lost
// its reason in 5.17.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probes/kvm_entry.bpf.h"
#include "probes/kvm_exit.bpf.h"
#include "probes/kvm_host.bpf.h"

#define EINTR_RESTART (-4)

// --- what an exit turns out to be -----------------------------------------------------------------------------------

// kvm:kvm_userspace_exit(reason, errno): KVM_RUN returns to the monitor.
SEC("raw_tp/kvm_userspace_exit")
int on_kvm_userspace_exit(struct bpf_raw_tracepoint_args *ctx) {
    struct kvm_vcpu_state *v = my_vcpu_for_a_moment();
    if (!v)
        return 0;
    __u32 reason = ctx->args[0];
    int error = (int)ctx->args[1];
    if (error < 0)
        reason = error == EINTR_RESTART ? KVM_USER_INTERRUPTED : KVM_USER_ERROR;
    if (reason >= KVM_USER_REASONS)
        reason = KVM_USER_ERROR;
    __u64 now = bpf_ktime_get_ns();
    change_begins(v);
    user_of(v, reason)->count++;
    v->user_reason = reason + 1;
    v->user_since = now;
    change_ends(v);
    return 0;
}

static __always_inline int note_place(__u32 kind, __u64 place) {
    struct kvm_vcpu_state *v = my_vcpu_for_a_moment();
    if (!v)
        return 0;
    change_begins(v);
    if (!v->since) { // kvm_exit never fires here: count all the same
        v->accesses[(place >> 60) & (KVM_PLACE_TYPES - 1)]++;
        add_place(v, place, 0);
    } else {
        v->place = place;
        if (kind != KVM_KIND_PLAIN)
            v->kind = kind;
    }
    change_ends(v);
    return 0;
}

// kvm:kvm_pio(write, port, size, count, value), where it is not told by what KVM has noted.
SEC("raw_tp/kvm_pio")
int on_kvm_pio(struct bpf_raw_tracepoint_args *ctx) {
    return note_place(KVM_KIND_PLAIN, KVM_PLACE(KVM_PLACE_PORT, ctx->args[0], (__u32)ctx->args[1]));
}

// kvm:kvm_mmio(type, length, address, value). Type 2 is a write; 0, a read that the monitor has to serve, is told
// again as 1 when the value is there.
SEC("raw_tp/kvm_mmio")
int on_kvm_mmio(struct bpf_raw_tracepoint_args *ctx) {
    if ((__u32)ctx->args[0] == 1) {
        struct kvm_vcpu_state *v = my_vcpu_for_a_moment();
        if (!v || v->place)
            return 0;
    }
    return note_place(KVM_KIND_MMIO, KVM_PLACE(KVM_PLACE_MMIO, (__u32)ctx->args[0] == 2, ctx->args[2]));
}

// kvm:kvm_fast_mmio(address)
SEC("raw_tp/kvm_fast_mmio")
int on_kvm_fast_mmio(struct bpf_raw_tracepoint_args *ctx) {
    return note_place(KVM_KIND_KICK, KVM_PLACE(KVM_PLACE_MMIO, 1, ctx->args[0]));
}

// kvm:kvm_msr(write, register, value, exception), where it is not told by what KVM has noted.
SEC("raw_tp/kvm_msr")
int on_kvm_msr(struct bpf_raw_tracepoint_args *ctx) {
    __u64 place = KVM_PLACE(KVM_PLACE_MSR, ctx->args[0], (__u32)ctx->args[1]);
    return note_place(kind_of_place(place), place);
}

// kvm:kvm_apic(write, register, value): the memory-mapped registers' offsets, and what fast paths write.
SEC("raw_tp/kvm_apic")
int on_kvm_apic(struct bpf_raw_tracepoint_args *ctx) {
    __u32 offset = ctx->args[1];
    __u32 kind = KVM_KIND_PLAIN;
    if (!ctx->args[0])
        return 0;
    if (offset == 0x380) // initial count
        kind = KVM_KIND_TIMER;
    else if (offset == 0x300) // interrupt command
        kind = KVM_KIND_IPI;
    else if (offset == 0xb0)
        kind = KVM_KIND_EOI;
    else
        return 0;
    struct kvm_vcpu_state *v = my_vcpu_for_a_moment();
    if (v)
        v->kind = kind;
    return 0;
}

// kvm:kvm_hypercall(number, ...): 10 sends IPIs.
SEC("raw_tp/kvm_hypercall")
int on_kvm_hypercall(struct bpf_raw_tracepoint_args *ctx) {
    struct kvm_vcpu_state *v = ctx->args[0] == 10 ? my_vcpu_for_a_moment() : NULL;
    if (v)
        v->kind = KVM_KIND_IPI;
    return 0;
}

// kvm:kvm_vcpu_wakeup(ns, waited, valid): a halt is over.
SEC("raw_tp/kvm_vcpu_wakeup")
int on_kvm_vcpu_wakeup(struct bpf_raw_tracepoint_args *ctx) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (!v)
        return 0;
    __u64 now = bpf_ktime_get_ns();
    change_begins(v);
    v->woken = now;
    if (ctx->args[1] & 1)
        v->halts_waited++;
    else
        v->halts_polled++;
    change_ends(v);
    return 0;
}

// kvm:kvm_wait_lapic_expire(vcpu, delta), told after the exit that follows: KVM fires the guest's deadline timer early
// and waits for the rest, -delta ticks of the guest's counter, between kvm_entry and the guest.
SEC("raw_tp/kvm_wait_lapic_expire")
int on_kvm_wait_lapic_expire(struct bpf_raw_tracepoint_args *ctx) {
    long long delta = ctx->args[1];
    struct kvm_vcpu_state *v = delta < 0 ? my_vcpu() : NULL;
    if (!v)
        return 0;
    change_begins(v);
    v->early_ticks += -delta;
    v->earlies++;
    change_ends(v);
    return 0;
}

// kvm:kvm_halt_poll_ns(grow, vcpu, new, old)
SEC("raw_tp/kvm_halt_poll_ns")
int on_kvm_halt_poll_ns(struct bpf_raw_tracepoint_args *ctx) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (!v)
        return 0;
    change_begins(v);
    if (ctx->args[0] & 1)
        v->polls_grown++;
    else
        v->polls_shrunk++;
    v->poll_window_ns = ctx->args[2];
    change_ends(v);
    return 0;
}

// kvm:kvm_cpuid(leaf, subleaf, ...), where kvm_exit does not tell the guest's registers.
SEC("raw_tp/kvm_cpuid")
int on_kvm_cpuid(struct bpf_raw_tracepoint_args *ctx) {
    __u32 leaf = ctx->args[0];
    struct kvm_vcpu_state *v = leaf - KVM_KNOCK_LEAF <= 2 ? my_vcpu() : NULL;
    if (v)
        note_knock(v, leaf - KVM_KNOCK_LEAF, ctx->args[1], bpf_ktime_get_ns());
    return 0;
}

// --- who has a CPU --------------------------------------------------------------------------------------------------

static __always_inline void loses_cpu(struct kvm_cpu *cpu, __u32 tid, __u64 now) {
    struct kvm_vcpu_state *v = vcpu_in(cpu->current - 1);
    if (v && v->tid == tid) {
        book_exit(cpu, v);
        guest_was_left(cpu, now);
        v->out_since = now;
    }
    cpu->current = 0;
    cpu->exit_ns = KVM_LOOK_CLOSER;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_sched_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next) {
    struct kvm_cpu *cpu = my_cpu();
    __u64 now = 0;
    if (cpu->current) {
        now = bpf_ktime_get_ns();
        loses_cpu(cpu, prev->pid, now);
    }
    __u32 tid = next->pid;
    __u32 *slot = tid ? bpf_map_lookup_elem(&threads, &tid) : NULL;
    if (!slot)
        return 0;
    __u32 found = *slot;
    struct kvm_vcpu_state *v = vcpu_in(found);
    if (!v)
        return 0;
    takes_cpu(cpu, v, found + 1);
    if (v->out_since) {
        change_begins(v);
        v->off_ns += (now ? now : bpf_ktime_get_ns()) - v->out_since;
        v->out_since = 0;
        change_ends(v);
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
