// SPDX-License-Identifier: Apache-2.0
// The instructions that may leave a guest on arm64. See traps.h.
#if defined(__aarch64__)
#include "bench/kernels/traps.h"

#include <stdint.h>

// The counter, which a hypervisor may trap (CNTHCTL_EL2).
static void read_counter(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        uint64_t ticks;
        __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    }
}

static void yield(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        __asm__ volatile("yield" ::: "memory");
}

trap_instruction traps_instruction(enum trap trap, const char **why) {
    *why = "arm64 has no CPUID instruction";
    switch (trap) {
    case TRAP_RDTSC:
        return read_counter;
    case TRAP_PAUSE:
        return yield;
    default:
        return NULL;
    }
}

// Cycles of the generic timer are tens of core cycles long: none of these takes a whole one.
double traps_native_cycles(enum trap trap) {
    (void)trap;
    return 0;
}
#endif
