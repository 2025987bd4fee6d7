// SPDX-License-Identifier: Apache-2.0
// Where a source could not tell a cause: those samples are not known, and not 0. A cause is averaged over the samples
// in which it was told; a sample that says nothing of it, neither a loss nor a gap, has none of it. Inside the ledger's
// room. May include: core, report/dataset.h.
#pragma once

#include "core/names.h"
#include "report/dataset.h"

// In how many samples of those that were to tell a cause it was told.
struct ledger_told {
    size_t told;
    size_t samples;
    char *why; // the reasons of the others; NULL: there are no others. Owned by the ledger's line
};

// The same while it is counted. Zeroed it is empty.
struct told_count {
    size_t told;
    size_t samples;
    struct names reasons;
};

// The gaps of one observation, NULL where it has none; both lists ascend by seq, `*next` is where to go on.
const struct gap *gaps_of(const struct series *series, uint64_t seq, size_t *next, size_t *count);

// The gap that keeps a cause's `basis` (BASIS_COUNT: any) from being known, or NULL.
const struct gap *gap_find(const struct gap *gaps, size_t count, enum cause cause, enum obs_scope scope,
                           enum obs_basis basis);

// Counts one more sample; `gap` is NULL where it was told.
void told_add(struct told_count *count, const struct dataset *set, const struct gap *gap);

// Ends the counting: empties *count.
struct ledger_told told_end(struct told_count *count);

// True where a cause was to be told and never was.
bool told_never(const struct ledger_told *told);

// "told in 3 of 5 samples: REASON", "not measured: REASON", or NULL where there is nothing to say. `side` ("": none) is
// whose samples these are. The caller frees it.
char *told_sentence(const struct ledger_told *told, const char *side);
