// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reading KVM's structures without bpf_probe_read_kernel(), which takes 85 instructions a time: a pointer that the
// verifier believes to be one to a structure is followed by a load that faults softly. For kvm_host.bpf.c;
// Linux 6.2 and later.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "probes/kernel_types.h"

enum { VMX_EXIT_CPUID = 10, SVM_EXIT_CPUID = 0x72 }; // the processors' manuals
enum { ISA_VMX = 1, ISA_SVM = 2 };                   // KVM's

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

// The modules' own types cannot be cast to, only the kernel's: perf_callchain_entry is a number and then numbers
// without an end, so everything behind an address can be read through it, at offsets that CO-RE finds.
static __always_inline const void *kernel_memory(__u64 address) {
    return bpf_rdonly_cast((const void *)address, bpf_core_type_id_kernel(struct perf_callchain_entry));
}

static __always_inline __u32 code_in_vmcb(const void *vcpu) {
    __u64 vmcb = *(const __u64 *)(vcpu + bpf_core_field_offset(struct vcpu_svm, vmcb));
    return *(const __u32 *)(kernel_memory(vmcb) + bpf_core_field_offset(struct vmcb, control.exit_code));
}

static __always_inline __u32 code_in_vmx(const void *vcpu) {
    return *(const __u32 *)(vcpu + bpf_core_field_offset(struct vcpu_vmx, exit_reason.full));
}

static __always_inline __u64 guest_rax(const void *vcpu) {
    return *(const __u64 *)(vcpu + bpf_core_field_offset(struct kvm_vcpu, arch.regs[0]));
}

static __always_inline __u64 guest_rcx(const void *vcpu) {
    return *(const __u64 *)(vcpu + bpf_core_field_offset(struct kvm_vcpu, arch.regs[1]));
}
