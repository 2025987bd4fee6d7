// SPDX-License-Identifier: Apache-2.0
// The last resort where everything is masked: CPUID traps under every hardware hypervisor (Intel SDM vol. 3C 26.1.2
// makes it unconditional; AMD hypervisors must intercept it to mask features), and a VM exit costs ten times what the
// instruction costs on hardware. May include: core.
#include "detect/evidence.h"

#include "core/arch.h"
#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>

enum { TRIES = 15, INNER = 4 };

// Ticks. On hardware CPUID takes 70 to 300, exits take 900 (the fastest ones known) to 70,000.
static const double EXIT_TICKS = 700;
static const double EXIT_RATIO = 8; // against a serialising pair that does not trap: corrects for slow counters

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run_cpuid(void) {
    struct arch_cpuid r;
    arch_cpuid(0, 0, &r);
}

// The fastest of a few runs is nearest to the instruction's own cost: interrupts only add.
static double fastest(void (*work)(void)) {
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < INNER; i++) {
        uint64_t start = arch_ticks();
        work();
        uint64_t spent = arch_ticks() - start;
        best = spent < best ? spent : best;
    }
    return (double)best;
}

void read_timing(struct evidence_set *set) {
    struct arch_cpuid r;
    if (!arch_cpuid(0, 0, &r))
        return;
    double cpuid[TRIES];
    double plain[TRIES];
    for (int i = 0; i < TRIES; i++) {
        plain[i] = fastest(arch_serialize);
        cpuid[i] = fastest(run_cpuid);
    }
    qsort(cpuid, TRIES, sizeof cpuid[0], by_value);
    qsort(plain, TRIES, sizeof plain[0], by_value);
    double middle = cpuid[TRIES / 2];
    double quick = cpuid[1]; // nearly all tries must be slow, or it was the machine's noise
    double base = plain[TRIES / 2];
    char value[96];
    snprintf(value, sizeof value, "%.0f ticks (%.0f to %.0f in %d tries); a pair that does not trap %.0f", middle,
             cpuid[0], cpuid[TRIES - 1], TRIES, base);
    bool exits = quick > EXIT_TICKS && quick > base * EXIT_RATIO;
    bool native = middle < EXIT_TICKS && middle < base * EXIT_RATIO;
    if (exits)
        evidence_add(set, GROUP_TIMING, "timing:cpuid", value, "hypervisor!=none:0.97");
    else if (native)
        evidence_add(set, GROUP_TIMING, "timing:cpuid", value, "hypervisor=none:0.8");
}
