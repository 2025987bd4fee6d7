// SPDX-License-Identifier: Apache-2.0
// The guest's side of a knock. See knock.h.
#include "core/knock.h"

#include "core/arch.h"

void knock(void) {
    struct arch_cpuid ignored;
    uint64_t begin = arch_ticks();
    if (!arch_cpuid(KNOCK_LEAF, (uint32_t)begin, &ignored))
        return;
    uint64_t span = arch_ticks() - begin;
    arch_cpuid(KNOCK_LEAF + 1, (uint32_t)(begin >> 32), &ignored);
    arch_cpuid(KNOCK_LEAF + 2, span < UINT32_MAX ? (uint32_t)span : UINT32_MAX, &ignored);
}
