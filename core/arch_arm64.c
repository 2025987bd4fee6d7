// SPDX-License-Identifier: Apache-2.0
// arm64: the generic timer's virtual counter. See arch.h. Registers: Arm ARM, D12 (CNTVCT_EL0, CNTFRQ_EL0).
#if defined(__aarch64__)
#include "core/arch.h"

const char *const arch_name = "aarch64";

uint64_t arch_ticks(void) {
    uint64_t ticks;
    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
}

double arch_ticks_stated_hz(void) {
    uint64_t hz;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
    return (double)hz;
}

bool arch_ticks_invariant(void) {
    return true;
}

bool arch_cpuid(uint32_t leaf, uint32_t subleaf, struct arch_cpuid *out) {
    (void)leaf;
    (void)subleaf;
    *out = (struct arch_cpuid){0};
    return false;
}

void arch_serialize(void) {
    __asm__ volatile("isb" ::: "memory");
}
#endif
