// SPDX-License-Identifier: Apache-2.0
// One side of a ledger: which of its groups of samples says what of a cause, and what that cause costs. Inside the
// ledger's room. May include: core, report/compare.h.
#pragma once

#include "report/ledger_group.h"
#include "report/ledger_told.h"

struct ledger_side {
    const struct side *side;
    struct ledger_group *groups; // [0]: timing samples; then the passes in the order of their first samples
    size_t count;
    size_t capacity;
    double time; // autocorrelation time of the timing samples' cost
    bool cpus_unknown;
};

struct ledger_side ledger_side_make(const struct side *side, double time);
void ledger_side_free(struct ledger_side *a);

// True if any source says something of it.
bool ledger_side_knows(const struct ledger_side *a, enum cause cause, enum obs_scope scope);

// Of a cause whose seconds no source ever told: in how many samples one was to. Zeros where none was to, or where it
// was told. The caller frees `why`.
struct ledger_told ledger_side_lacks(const struct ledger_side *a, enum cause cause, enum obs_scope scope);

// Where a number was taken from.
struct ledger_source {
    const struct ledger_group *group; // NULL: there is none
    enum obs_basis basis;
};

// One cause on one side.
struct ledger_entry {
    struct ledger_source source; // of the seconds
    struct stats_mean cost;      // mean of s C / (k roi), or of s / (k roi); zero where the side does not have it
    double common;               // standard error that all observations share, beside that of `cost`: of a unit cost
    double seconds;              // per observation; NaN if not known
    double count;                // per observation; NaN if not known
    bool at_most;
    bool by_host;            // the host's word
    struct ledger_told told; // of its source's samples, those that tell it. The caller frees `why`
    double beside;           // variance of `cost` that the residual of the timing samples does not show: of samples in
                             // which the mean of the others stands for what was not told
};

// `shares`: means are of s / (k roi), the share of time, not of cost. `residual` (may be NULL): costs of the timing
// samples, from which the cause's is taken away where timing samples know it.
struct ledger_entry ledger_side_entry(const struct ledger_side *a, enum cause cause, enum obs_scope scope, bool shares,
                                      struct side_values *residual);
