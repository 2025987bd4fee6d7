// SPDX-License-Identifier: Apache-2.0
// The few things that differ between processors. One file per architecture implements them: arch_x86.c, arch_arm64.c,
// and arch_other.c for those that have none of it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Name of the architecture as `uname -m` gives it.
extern const char *const arch_name;

// The cycle counter that user space can read without a system call: TSC (x86), CNTVCT_EL0 (arm64). Ordered after the
// loads and instructions before it. 0 if there is none.
uint64_t arch_ticks(void);

// The counter's frequency in Hz as the hardware states it (arm64 CNTFRQ_EL0; x86 CPUID leaf 0x15 where it is complete),
// 0 if it must be measured.
double arch_ticks_stated_hz(void);

// True if the counter runs at a constant rate in all power states (x86 CPUID 0x80000007 edx bit 8; arm64 always).
bool arch_ticks_invariant(void);

struct arch_cpuid {
    uint32_t eax, ebx, ecx, edx;
};

// Executes CPUID on the CPU it happens to run on. False where the instruction does not exist. In a guest each call is
// a VM exit (tens of microseconds at worst). Leaf and subleaf are in RDI and RSI as well: CPUID overwrites the
// registers that it takes them from, and a host may look at the guest after it was answered (core/knock.h).
bool arch_cpuid(uint32_t leaf, uint32_t subleaf, struct arch_cpuid *out);

// A serialising piece of work without a VM exit, to compare CPUID with: LFENCE + RDTSC pairs (x86), ISB (arm64).
void arch_serialize(void);
