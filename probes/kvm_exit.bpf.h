// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Exits noted at kvm_exit and booked at kvm_entry, for kvm_host.bpf.c. From 5.17 on the reason is taken from where the
// tracepoint's own record gets it, in structures of kvm_amd and kvm_intel whose offsets libbpf finds in the modules'
// BTF; where these are not known, from the record, at offsets of the tracepoint's format file, which makes KVM fill it
// in.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probes/kvm_host.bpf.h"

// --- leaving and entering -------------------------------------------------------------------------------------------

static __noinline int odd_exit(__u32 code, const void *vcpu, __u32 isa, __u64 now) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (!v)
        return 0;
    if (v->isa == 0) {
        v->isa = isa;
        if (vcpu)
            v->vcpu_id = BPF_CORE_READ((const struct kvm_vcpu *)vcpu, vcpu_id);
    }
    exit_begins(v, code, now);
    return 0;
}

static __noinline int knocked(__u64 part, __u32 value, __u64 now) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (v)
        note_knock(v, part, value, now);
    return 0;
}

// The guest was left. As a rule that is only noted.
static __always_inline int left_guest(__u32 code, const void *vcpu, __u32 isa, __u64 now) {
    struct kvm_cpu *cpu = my_cpu();
    if (cpu->exit_ns != KVM_IN_GUEST)
        return odd_exit(code, vcpu, isa, now);
    cpu->code = code;
    cpu->exit_ns = now;
    return 0;
}

// kvm:kvm_exit, its formatted record.
SEC("tracepoint/kvm/kvm_exit")
int on_kvm_exit(void *record) {
    __u64 now = bpf_ktime_get_ns();
    __u32 code = 0;
    bpf_probe_read_kernel(&code, sizeof code, record + reason_offset);
    if (my_cpu()->exit_ns == KVM_IN_GUEST)
        return left_guest(code, NULL, 0, now);
    struct kvm_vcpu_state *v = my_vcpu();
    __u32 isa = 0;
    bpf_probe_read_kernel(&isa, sizeof isa, record + isa_offset);
    if (v && vcpu_offset)
        bpf_probe_read_kernel(&v->vcpu_id, sizeof v->vcpu_id, record + vcpu_offset);
    return left_guest(code, NULL, isa, now);
}

// kvm:kvm_exit(reason, vcpu, isa), up to Linux 5.16.
SEC("raw_tp/kvm_exit")
int on_kvm_exit_args(struct bpf_raw_tracepoint_args *ctx) {
    return left_guest(ctx->args[0], (void *)ctx->args[1], ctx->args[2], bpf_ktime_get_ns());
}

// kvm:kvm_exit(vcpu, isa), from Linux 5.17 on.
SEC("tp_btf/kvm_exit")
int BPF_PROG(on_kvm_exit_vcpu, struct kvm_vcpu *vcpu, __u32 isa) {
    __u64 now = bpf_ktime_get_ns();
    __u32 code = 0;
    if (exit_source == KVM_EXIT_IN_VMCB) {
        struct vmcb *vmcb = BPF_CORE_READ((struct vcpu_svm *)vcpu, vmcb);
        code = BPF_CORE_READ(vmcb, control.exit_code);
    } else {
        code = BPF_CORE_READ((struct vcpu_vmx *)vcpu, exit_reason.full);
    }
    if (code == (exit_source == KVM_EXIT_IN_VMCB ? SVM_EXIT_CPUID : VMX_EXIT_CPUID) &&
        is_knock(vcpu->arch.regs[KVM_KNOCK_LEAF_IN]))
        knocked(vcpu->arch.regs[KVM_KNOCK_LEAF_IN] - KVM_KNOCK_LEAF, vcpu->arch.regs[KVM_KNOCK_VALUE_IN], now);
    return left_guest(code, vcpu, isa, now);
}

static __noinline int odd_entry(__u64 now) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (!v)
        return 0;
    change_begins(v);
    if (v->in_exit && v->since)
        end_exit(v, now);
    v->since = now;
    v->in_exit = 0;
    v->left = 0;
    v->off_ns = 0;
    change_ends(v);
    struct kvm_cpu *cpu = my_cpu();
    cpu->exit_ns = cpu->current && v->isa ? KVM_IN_GUEST : KVM_LOOK_CLOSER;
    return 0;
}

// kvm:kvm_entry: the guest is about to be entered. If the exit is still only noted, nothing else happened in it.
SEC("raw_tp/kvm_entry")
int on_kvm_entry(void *ctx) {
    __u64 now = bpf_ktime_get_ns();
    struct kvm_cpu *cpu = my_cpu();
    struct kvm_vcpu_state *v = cpu->exit_ns >= KVM_NOTED ? vcpu_in(cpu->current - 1) : NULL;
    struct kvm_row *row = v ? plain_row(v, cpu->code) : NULL;
    if (!row)
        return odd_entry(now);
    __u64 left = cpu->exit_ns;
    change_begins(v);
    add_exit(row, now - left);
    v->run_ns += left - v->since;
    v->since = now;
    change_ends(v);
    cpu->exit_ns = KVM_IN_GUEST;
    return 0;
}

// --- kvm_exit that comes late ---------------------------------------------------------------------------------------

// Up to Linux 6.4 SVM tells kvm_exit when interrupts are on again. An interrupt that the host handles while the vCPU
// seems to be in its guest, or a context switch, tells that it has left.
static __always_inline int guest_was_left(struct kvm_cpu *cpu, __u64 now) {
    struct kvm_vcpu_state *v = cpu->exit_ns == KVM_IN_GUEST ? vcpu_in(cpu->current - 1) : NULL;
    if (!v)
        return 0;
    cpu->exit_ns = KVM_LOOK_CLOSER;
    change_begins(v);
    v->left = now;
    change_ends(v);
    return 0;
}

static __always_inline int host_interrupt(void) {
    struct kvm_cpu *cpu = my_cpu();
    return cpu->exit_ns == KVM_IN_GUEST ? guest_was_left(cpu, bpf_ktime_get_ns()) : 0;
}

#define HOST_INTERRUPT(tracepoint)                                                                                     \
    SEC("raw_tp/" #tracepoint)                                                                                         \
    int on_##tracepoint(void *ctx) {                                                                                   \
        return host_interrupt();                                                                                       \
    }

HOST_INTERRUPT(local_timer_entry)
HOST_INTERRUPT(reschedule_entry)
HOST_INTERRUPT(call_function_entry)
HOST_INTERRUPT(call_function_single_entry)
HOST_INTERRUPT(irq_work_entry)
HOST_INTERRUPT(irq_handler_entry)
