// SPDX-License-Identifier: Apache-2.0
// What VM exit codes mean, and to which cause their time belongs. Complete to Linux 6.18.
// Sources: arch/x86/include/uapi/asm/vmx.h and svm.h; Intel SDM vol. 3, appendix C; AMD APM vol. 2, appendix C.
#pragma once

#include "core/cause.h"
#include "probes/kvm_host.h"

#include <stddef.h>

// Instruction set of the exit: the values of the tracepoint kvm:kvm_exit.
enum exit_isa { EXIT_ISA_UNKNOWN, EXIT_ISA_VMX, EXIT_ISA_SVM };

// The name of a code ("cpuid", "ept_violation", with "+failed_entry" where VMX says so), or "vmx 99", "svm 0x123" for
// one that no table has. `out` is terminated.
void exit_reason_name(enum exit_isa isa, unsigned code, char *out, size_t size);

// The cause of an exit that was handled as this kind. Codes that no table has: exit.other.
enum cause exit_reason_cause(enum exit_isa isa, unsigned code, enum kvm_kind kind);

// "io", "hlt", "interrupted", ...: why KVM_RUN returned (KVM_EXIT_* of linux/kvm.h, or the two of probes/kvm_host.h).
void exit_user_reason_name(unsigned reason, char *out, size_t size);
