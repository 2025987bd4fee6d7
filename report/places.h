// SPDX-License-Identifier: Apache-2.0
// Who lost the time: the hypervisor's share (families exit, host, hop) of the timing samples by rank, node and CPU. In
// a bulk-synchronous job all wait for the last: the mean over ranks is the least that the job lost, the worst rank's
// share the most. Where `mpi.wait` says how often each rank came last, the shares weighted with that are the estimate.
// May include: core, report/stats.h.
#pragma once

#include "core/journal.h"
#include "report/stats.h"

enum place_kind { PLACE_RANK, PLACE_NODE, PLACE_CPU, PLACE_KIND_COUNT };
extern const char *const place_kind_names[PLACE_KIND_COUNT]; // "rank", "node", "cpu"

struct place {
    char *name;     // "3", "n1", "cpu0", "n1 cpu0"
    double pending; // share of the sample that is being read
    double sum;     // of the shares of time, over samples
    double squares;
    size_t samples; // with a word on this place
    double late;    // collective calls in which it came last
};

struct place_list {
    struct place *items;
    size_t count;
    size_t capacity;
    size_t next;    // where the next name is expected: samples repeat an order
    size_t samples; // lines that had a word on this kind
    bool partial;   // some line was silent: its place cannot be compared
};

struct places {
    struct place_list kind[PLACE_KIND_COUNT];
};

// Takes one line of the journal in. A place's share is its lost seconds over its active CPU time (CPU time and steal,
// else the window); of a CPU, over the window. Per cause the best basis counts, never two.
void places_add(struct places *places, const struct journal_sample *s);
void places_free(struct places *places);

struct place_summary {
    size_t count; // 0 or 1: nothing to compare
    double mean_pct;
    const char *worst; // borrowed
    double worst_pct;
    struct stats_interval worst_ci; // 95 %
    double last_pct;                // mean weighted by who came last; NaN where that is not known
    bool uneven;                    // the worst lies above the mean by more than 3 standard errors and 0.1 %
};

struct place_summary places_summary(const struct places *places, enum place_kind kind);

// "ranks lose 1.2 % of their time on average, the worst (2) 3.4 % (3.0 to 3.8 %)"; NULL where there is nothing to
// compare, or of CPUs nothing uneven. free() it.
char *places_sentence(const struct places *places, enum place_kind kind);
