// SPDX-License-Identifier: Apache-2.0
// Processors without a counter and an identification instruction that we know. See arch.h.
#if !defined(__x86_64__) && !defined(__aarch64__)
#include "core/arch.h"

const char *const arch_name = "other";

uint64_t arch_ticks(void) {
    return 0;
}

double arch_ticks_stated_hz(void) {
    return 0;
}

bool arch_ticks_invariant(void) {
    return false;
}

bool arch_cpuid(uint32_t leaf, uint32_t subleaf, struct arch_cpuid *out) {
    (void)leaf;
    (void)subleaf;
    *out = (struct arch_cpuid){0};
    return false;
}

void arch_serialize(void) {}
#endif
