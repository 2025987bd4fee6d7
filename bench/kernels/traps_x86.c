// SPDX-License-Identifier: Apache-2.0
// The instructions that may leave a guest on x86-64. See traps.h.
#if defined(__x86_64__)
#include "bench/kernels/traps.h"

#include <cpuid.h>
#include <immintrin.h>

static void cpuid(unsigned count) {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    for (unsigned i = 0; i < count; i++)
        __cpuid(0, a, b, c, d); // volatile: stays in the loop
}

static void rdtsc(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        __asm__ volatile("rdtsc" ::: "rax", "rdx");
}

static void spin_pause(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        _mm_pause();
}

trap_instruction traps_instruction(enum trap trap, const char **why) {
    *why = "this trap is not one instruction";
    switch (trap) {
    case TRAP_CPUID:
        return cpuid;
    case TRAP_RDTSC:
        return rdtsc;
    case TRAP_PAUSE:
        return spin_pause;
    default:
        return NULL;
    }
}

// Order of magnitude only, since the counter's cycles are not the core's: A. Fog, Instruction tables
// (https://www.agner.org/optimize/), has CPUID at 100 to 250 cycles, RDTSC at 20 to 40, PAUSE at 40 to 140.
double traps_native_cycles(enum trap trap) {
    static const double cycles[TRAP_COUNT] = {[TRAP_CPUID] = 150, [TRAP_RDTSC] = 30, [TRAP_PAUSE] = 65};
    return cycles[trap];
}
#endif
