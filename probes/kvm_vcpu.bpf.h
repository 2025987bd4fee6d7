// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What KVM itself keeps of a vCPU's last exit: when (the guest's TSC, read right behind it), and why. For
// kvm_host.bpf.c, on hosts whose clock is the TSC.
//
// bpf_probe_read_kernel() takes 85 instructions a time. From Linux 6.2 on a pointer that the verifier believes to be
// one to a structure is followed by a load that faults softly instead.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "probes/guest_clock.h"
#include "probes/kernel_types.h"
#include "probes/kvm_host.h"

// The processors' manuals.
enum {
    VMX_EXIT_CPUID = 10,
    VMX_EXIT_IO = 30,
    VMX_EXIT_RDMSR = 31,
    VMX_EXIT_WRMSR = 32,
    SVM_EXIT_CPUID = 0x72,
    SVM_EXIT_RSM = 0x73,
    SVM_EXIT_IOIO = 0x7b,
    SVM_EXIT_MSR = 0x7c,
    SVM_EXIT_VMRUN = 0x80
};
enum { ISA_VMX = 1, ISA_SVM = 2 }; // KVM's

#define CLOCK_GOOD_NS 10000000 // after this the kernel may have changed its clock's speed

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct kvm_totals);
} totals SEC(".maps");

static __always_inline struct kvm_totals *my_totals(void) {
    __u32 zero = 0;
    return bpf_map_lookup_elem(&totals, &zero);
}

// Set by the collector before loading.
const volatile __u8 exit_source = 0;   // enum kvm_exit_source
const volatile __u8 kvm_has_time = 0;  // kvm_exit is not there: KVM's own time is used
const volatile __u64 kernel_clock = 0; // address of tk_fast_mono
const volatile __u64 tsc_clock = 0;    // address of clocksource_tsc

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

// The modules' own types cannot be cast to, only the kernel's: perf_callchain_entry is a number and then numbers
// without an end, so everything behind an address can be read through it, at offsets that CO-RE finds.
static __always_inline const void *kernel_memory(__u64 address) {
    return bpf_rdonly_cast((const void *)address, bpf_core_type_id_kernel(struct perf_callchain_entry));
}

// What is at that address. `loads`: a constant, whether programs may follow any pointer on this kernel.
static __always_inline __u64 word_at(__u64 address, _Bool loads) {
    __u64 word = 0;
    if (loads)
        return *(const __u64 *)kernel_memory(address);
    bpf_probe_read_kernel(&word, sizeof word, (const void *)address);
    return word;
}

// Fields of a struct kvm_vcpu, which is the tracepoint's argument or kernel_memory().
static __always_inline __u64 last_guest_tsc(const void *vcpu) {
    return *(const __u64 *)(vcpu + bpf_core_field_offset(struct kvm_vcpu, arch.last_guest_tsc));
}

static __always_inline __u64 knock_leaf(const void *vcpu) {
    return *(const __u64 *)(vcpu + bpf_core_field_offset(struct kvm_vcpu, arch.regs[KVM_KNOCK_LEAF_IN]));
}

static __always_inline __u64 rcx_of(const void *vcpu) {
    return *(const __u64 *)(vcpu + bpf_core_field_offset(struct kvm_vcpu, arch.regs[1]));
}

// A guest's CPUID may be part of its knock. What it asked for is in other registers, too, which are as they were when
// it has been answered.
static __always_inline _Bool is_knock(__u64 leaf) {
    return leaf - KVM_KNOCK_LEAF <= 2;
}

// --- why ------------------------------------------------------------------------------------------------------------

static __always_inline __u32 code_of_last_exit(const struct kvm_vcpu_state *v) {
    __u32 code = 0;
    bpf_probe_read_kernel(&code, sizeof code, (const void *)v->code_at);
    return code;
}

// Exits that access a port or an MSR. Which one, what KVM has noted tells at kvm_entry.
static __always_inline _Bool is_access(__u32 code) {
    if (exit_source == KVM_EXIT_IN_VCPU_VMX)
        return code == VMX_EXIT_IO || code == VMX_EXIT_RDMSR || code == VMX_EXIT_WRMSR;
    return code == SVM_EXIT_IOIO || code == SVM_EXIT_MSR;
}

static __always_inline __u64 msr_of(const void *vcpu, _Bool write) {
    return KVM_PLACE(KVM_PLACE_MSR, write, (__u32)rcx_of(vcpu));
}

static __always_inline __u64 vmx_place(const struct kvm_vcpu_state *v, const void *vcpu, __u16 code, _Bool loads) {
    if (code == VMX_EXIT_RDMSR || code == VMX_EXIT_WRMSR)
        return msr_of(vcpu, code == VMX_EXIT_WRMSR);
    if (code != VMX_EXIT_IO)
        return 0;
    __u64 info = word_at(v->vcpu + bpf_core_field_offset(struct vcpu_vmx, exit_qualification), loads);
    return KVM_PLACE(KVM_PLACE_PORT, !(info & 8), info >> 16 & 0xffff);
}

static __always_inline __u64 svm_place(const struct kvm_vcpu_state *v, const void *vcpu, __u32 code, _Bool loads) {
    if (code != SVM_EXIT_MSR && code != SVM_EXIT_IOIO)
        return 0;
    __u64 info = word_at(v->code_at + bpf_core_field_offset(struct vmcb, control.exit_info_1) -
                             bpf_core_field_offset(struct vmcb, control.exit_code),
                         loads);
    return code == SVM_EXIT_MSR ? msr_of(vcpu, info & 1) : KVM_PLACE(KVM_PLACE_PORT, !(info & 1), info >> 16 & 0xffff);
}

// What that exit accessed, by the processors' manuals; VMX has flags above the reason. 0: nothing, or it is not told
// here.
static __always_inline __u64 place_of_exit(const struct kvm_vcpu_state *v, const void *vcpu, __u32 code, _Bool loads) {
    return exit_source == KVM_EXIT_IN_VCPU_VMX ? vmx_place(v, vcpu, code, loads) : svm_place(v, vcpu, code, loads);
}

// Where KVM will have the reason of the exit that follows this entry. SVM has another control block for a guest's
// guest.
static __always_inline void find_code(struct kvm_vcpu_state *v, const void *vcpu) {
    v->vcpu = (__u64)vcpu;
    if (exit_source == KVM_EXIT_IN_VCPU_VMX) {
        v->isa = ISA_VMX;
        v->cpuid_code = VMX_EXIT_CPUID;
        v->code_at = (__u64)vcpu + bpf_core_field_offset(struct vcpu_vmx, exit_reason.full);
        return;
    }
    struct vmcb *vmcb = BPF_CORE_READ((struct vcpu_svm *)vcpu, vmcb);
    v->isa = ISA_SVM;
    v->cpuid_code = SVM_EXIT_CPUID;
    v->code_at = (__u64)vmcb + bpf_core_field_offset(struct vmcb, control.exit_code);
    v->nested = vmcb != BPF_CORE_READ((struct vcpu_svm *)vcpu, vmcb01.ptr);
}

// These enter a guest's guest, or leave it.
static __always_inline _Bool is_switch(__u32 code) {
    return code == SVM_EXIT_VMRUN || code == SVM_EXIT_RSM;
}

// True if it may be elsewhere than it was: those move it, and the monitor.
static __always_inline _Bool code_moves(const struct kvm_vcpu_state *v, __u32 code) {
    return v->nested || v->user_since || is_switch(code);
}

// True if it is.
static __always_inline _Bool code_moved(const struct kvm_vcpu_state *v, const void *vcpu, __u32 code, _Bool loads) {
    if (!code_moves(v, code))
        return 0;
    if (v->vcpu != (__u64)vcpu)
        return 1;
    return exit_source == KVM_EXIT_IN_VMCB && word_at(v->vcpu + bpf_core_field_offset(struct vcpu_svm, vmcb), loads) +
                                                      bpf_core_field_offset(struct vmcb, control.exit_code) !=
                                                  v->code_at;
}

// --- when -----------------------------------------------------------------------------------------------------------

// Looks up how the kernel makes its clock of the TSC, and KVM the guest's TSC of that. False if it does not any more.
// While it is changing that, all stays as it was.
static __always_inline _Bool learn_clock(struct kvm_vcpu_state *v, __u64 ticks, __u64 now) {
    struct tk_fast *clock = (struct tk_fast *)kernel_clock;
    struct kvm_vcpu *vcpu = (struct kvm_vcpu *)v->vcpu;
    __u32 sequence = BPF_CORE_READ(clock, seq.seqcount.sequence);
    struct tk_read_base *base = sequence & 1 ? &clock->base[1] : &clock->base[0];
    if ((__u64)BPF_CORE_READ(base, clock) != tsc_clock)
        return 0;
    struct guest_clock_source source = {
        .cycle_last = BPF_CORE_READ(base, cycle_last),
        .mult = BPF_CORE_READ(base, mult),
        .shift = BPF_CORE_READ(base, shift),
        .offset = BPF_CORE_READ(vcpu, arch.l1_tsc_offset),
        .ratio = BPF_CORE_READ(vcpu, arch.l1_tsc_scaling_ratio),
        .ratio_bits = exit_source == KVM_EXIT_IN_VCPU_VMX ? 48 : 32,
    };
    source.ns = BPF_CORE_READ(base, base) + (BPF_CORE_READ(base, xtime_nsec) >> source.shift);
    if (BPF_CORE_READ(clock, seq.seqcount.sequence) != sequence)
        return 1;
    guest_clock_make(&source, ticks, &v->clock);
    v->clock.until = now + CLOCK_GOOD_NS;
    return 1;
}

// When this guest was left, its counter being `ticks`. 0 if that cannot be told: its counter or the host's clock was
// changed in between, or KVM went back in without noting the time.
static __noinline __u64 time_of_exit(struct kvm_vcpu_state *v, __u64 ticks, __u64 now) {
    if (!v)
        return 0;
    __u64 left = guest_clock_ns(&v->clock, ticks);
    if (now < v->clock.until && now - left <= now - v->since)
        return left;
    if (!learn_clock(v, ticks, now)) {
        struct kvm_totals *t = my_totals();
        if (t)
            t->clocks_lost++;
        return 0;
    }
    left = guest_clock_ns(&v->clock, ticks);
    return now - left <= now - v->since ? left : 0;
}
