// SPDX-License-Identifier: Apache-2.0
// A group of a side's samples: the timing samples, or the attribution samples of one pass. Only in its samples the
// pass's sources were on, so only over those a cause is averaged. Inside the ledger's room. May include: core,
// report/compare.h.
#pragma once

#include "report/compare.h"

struct ledger_group {
    enum sample_mode mode;
    const char *pass;        // attribution: its name, "" where the journal tells none; timing: ""
    struct side_values cost; // of the observations that count
    double *cpu_seconds;     // k * roi of each of them; attribution: less what the probes took
    bool has[CAUSE_COUNT][SCOPE_COUNT][BASIS_COUNT];
    bool lacks[CAUSE_COUNT][SCOPE_COUNT]; // could not be told in some sample
};

// Reads what the samples say of themselves; `group` has its mode and pass and is else empty. Sets *cpus_unknown where
// neither CPU time nor `cpus` is told. ledger_group_free() in any case.
void ledger_group_prepare(struct ledger_group *group, const struct side *side, bool *cpus_unknown);
void ledger_group_free(struct ledger_group *group);

// The pass of a point of a case; "" where the journal tells none.
const char *ledger_pass_of(const struct dataset_case *c, const struct point *point);

// True if the point counts and belongs to the group; `c` is the case that holds it.
bool ledger_group_has(const struct ledger_group *group, const struct dataset_case *c, const struct point *point);

// The losses of one observation, NULL where it has none; both lists ascend by seq, `*next` is where to go on.
const struct loss *losses_of(const struct series *series, uint64_t seq, size_t *next, size_t *count);
