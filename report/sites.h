// SPDX-License-Identifier: Apache-2.0
// Where in the program the exits were: the addresses that the exit profiler named (`sites` in an observation's detail),
// summed over the attribution samples of a case. May include: core.
#pragma once

#include "core/journal.h"

#include <stddef.h>

struct site {
    char *name; // "arch_cpuid+0xa (core/arch_x86.c:34) in metalgap"; "0x401000 in a.out" without symbols
    enum cause cause;
    double ticks;
};

struct sites {
    struct site *items; // sorted by sites_sort(): by cause, most ticks first
    size_t count;
    size_t capacity;
    double ticks[CAUSE_COUNT]; // of a cause, at named sites or not
};

// Takes one line of the journal in.
void sites_add(struct sites *sites, const struct journal_sample *s);
void sites_sort(struct sites *sites);
void sites_free(struct sites *sites);

// Percent of its cause's ticks.
double sites_pct(const struct sites *sites, const struct site *site);

// "exit.cpuid: 72 % at ..., 28 % at ..." (three at most); NULL if the cause has fewer than SITES_ENOUGH ticks. After
// sites_sort(). free() it.
#define SITES_ENOUGH 10
char *sites_sentence(const struct sites *sites, enum cause cause);
