// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Exits booked at kvm_entry alone, for kvm_host.bpf.c: when and why the guest was left KVM has noted (kvm_vcpu.bpf.h).
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probes/kvm_host.bpf.h"

static __always_inline void hear_knock(struct kvm_vcpu_state *v, __u64 left) {
    struct kvm_vcpu *vcpu = (struct kvm_vcpu *)v->vcpu;
    __u64 part = BPF_CORE_READ(vcpu, arch.regs[KVM_KNOCK_LEAF_IN]) - KVM_KNOCK_LEAF;
    if (part <= 2)
        note_knock(v, part, BPF_CORE_READ(vcpu, arch.regs[KVM_KNOCK_VALUE_IN]), left);
}

// The vCPU has been in its guest, and when and why it left was not asked so far.
static __always_inline void look_at_exit(struct kvm_vcpu_state *v, __u32 code, __u64 ticks, __u64 now) {
    __u64 left = time_of_exit(v, ticks, now);
    if (left) {
        exit_begins(v, code, left);
        return;
    }
    change_begins(v);
    add_untimed(v, code, v->kind, now);
    change_ends(v);
}

static __noinline int odd_entry_of(const void *vcpu, __u32 code, __u64 ticks, __u64 now) {
    struct kvm_cpu *cpu = my_cpu();
    struct kvm_vcpu_state *v = this_vcpu();
    if (!v)
        return 0;
    const struct kvm_vcpu *before = (const struct kvm_vcpu *)v->vcpu;
    if (before != vcpu) // this thread runs several: the exit is of another one
        ticks = BPF_CORE_READ(before, arch.last_guest_tsc);
    if (v->since && !v->in_exit)
        look_at_exit(v, code, ticks, now);
    _Bool timed = v->since && v->in_exit;
    if (timed && v->code == v->cpuid_code)
        hear_knock(v, v->since);
    if (v->isa == 0)
        v->vcpu_id = BPF_CORE_READ((const struct kvm_vcpu *)vcpu, vcpu_id);
    change_begins(v);
    if (v->vcpu != (__u64)vcpu || code_moves(v, code))
        find_code(v, vcpu);
    // So long this has taken, longer than a plain exit's entry does: the exit's time, and not the guest's.
    now = bpf_ktime_get_ns();
    if (timed)
        end_exit(v, now);
    v->since = now;
    v->in_exit = 0;
    v->off_ns = 0;
    forget_exit(v);
    cpu->exit_ns = cpu->current && !v->nested ? KVM_IN_GUEST : KVM_LOOK_CLOSER;
    change_ends(v);
    return 0;
}

// False if there is more to this exit than its reason and its two times.
static __always_inline _Bool plain_exit(struct kvm_vcpu_state *v, __u32 code, __u64 ticks, __u64 now) {
    struct kvm_row *row = plain_row(v, code);
    __u64 ns = now - guest_clock_ns(&v->clock, ticks);
    __u64 all = now - v->since;
    if (!row || ns > all || now >= v->clock.until)
        return 0;
    change_begins(v);
    add_exit(row, ns);
    v->run_ns += all - ns;
    v->since = now;
    change_ends(v);
    return 1;
}

// More is known of this exit than its reason, but it did not take the vCPU off its CPU. False if it has to be looked at
// closer.
static __always_inline _Bool told_exit(struct kvm_vcpu_state *v, const void *vcpu, __u32 code, __u64 ticks, __u64 now,
                                       _Bool loads) {
    __u64 ns = now - guest_clock_ns(&v->clock, ticks);
    __u64 all = now - v->since;
    if (ns > all || now >= v->clock.until || code_moved(v, vcpu, code, loads))
        return 0;
    change_begins(v);
    book_exit_of(v, code, ns, now);
    v->run_ns += all - ns;
    v->since = now;
    forget_exit(v);
    change_ends(v);
    return 1;
}

// An entry behind more than a plain exit. Its two functions are for the sake of the plain ones: inlined it would take
// registers that those need.
static __always_inline int entry_of(struct kvm_vcpu_state *v, const void *vcpu, __u32 code, __u64 ticks, __u64 now,
                                    _Bool loads) {
    struct kvm_cpu *cpu = my_cpu();
    __u64 place = place_of_exit(v, vcpu, code, loads);
    if (place) {
        v->place = place;
        v->kind = kind_of_place(place);
    }
    if (cpu->exit_ns == KVM_LOOK_CLOSER || !told_exit(v, vcpu, code, ticks, now, loads))
        return odd_entry_of(vcpu, code, ticks, now);
    cpu->exit_ns = KVM_IN_GUEST;
    return 0;
}

static __noinline int entry_by_loads(struct kvm_vcpu_state *v, const void *vcpu, __u32 code, __u64 ticks, __u64 now) {
    return entry_of(v, vcpu, code, ticks, now, 1);
}

static __noinline int entry_by_calls(struct kvm_vcpu_state *v, const void *vcpu, __u32 code, __u64 ticks, __u64 now) {
    return entry_of(v, vcpu, code, ticks, now, 0);
}

// Of a vCPU of which nothing has been seen since its last entry most exits are plain.
static __always_inline int entered(const void *vcpu, _Bool loads) {
    __u64 now = bpf_ktime_get_ns();
    struct kvm_cpu *cpu = my_cpu();
    struct kvm_vcpu_state *v = vcpu_in(cpu->current - 1);
    if (!v)
        return odd_entry_of(vcpu, 0, 0, now);
    __u32 code = loads ? *(const __u32 *)kernel_memory(v->code_at) : code_of_last_exit(v);
    __u64 ticks = last_guest_tsc(vcpu);
    if (code == v->cpuid_code && is_knock(knock_leaf(vcpu)))
        return odd_entry_of(vcpu, code, ticks, now);
    if (cpu->exit_ns == KVM_IN_GUEST && plain_exit(v, code, ticks, now))
        return 0;
    return loads ? entry_by_loads(v, vcpu, code, ticks, now) : entry_by_calls(v, vcpu, code, ticks, now);
}

// kvm:kvm_entry(vcpu), from Linux 5.17 on.
SEC("tp_btf/kvm_entry")
int BPF_PROG(on_kvm_entry_vcpu, struct kvm_vcpu *vcpu) {
    return entered(vcpu, 0);
}

// The same, from Linux 6.2 on: without calls to read what KVM has noted.
SEC("raw_tp/kvm_entry")
int on_kvm_entry_loads(struct bpf_raw_tracepoint_args *ctx) {
    return entered(kernel_memory(ctx->args[0]), 1);
}
