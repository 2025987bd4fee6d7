// SPDX-License-Identifier: Apache-2.0
// One subject over time: the runs of several journals in the order in which they were made, case by case, and where a
// case's level changed. May include: core, report (not the renderers).
#pragma once

#include "report/differences.h"
#include "report/stats.h"

#include "report/dataset.h"

// Fewer runs can show no change at 5 %: too few permutations of them exist.
enum { HISTORY_MIN_RUNS = 8 };

// The false discovery rate of the changes over all cases of a history.
#define HISTORY_FALSE_DISCOVERY_RATE 0.05

// One run of one case.
struct history_point {
    size_t run;               // index into history.runs
    size_t count;             // samples
    double median;            // figure of merit
    struct stats_interval ci; // of the median; NaN where there is none
    double level;             // median of the log cost
    double low;               // its interval; NaN where there is none
    double high;
};

struct history_change {
    size_t at; // index of the first point of the new level
    double p;
    double pct;                 // how much slower than the level before, percent (negative: faster)
    struct stats_interval ci;   // NaN where fewer than four runs stand on a side
    struct differences differs; // between the machines of the runs on both sides of it
};

struct history_case {
    const char *name;
    const char *unit; // "" if not told
    enum fom_better better;
    struct history_point *points;
    size_t count;
    size_t capacity;
    struct history_change *changes;
    size_t change_count;
    size_t block;      // neighbouring runs that count for one
    double p;          // that it changed at all; NaN where there are too few runs
    double q;          // the smallest false discovery rate at which it counts as changed
    double spread_pct; // robust standard deviation of the runs around their levels; NaN below two runs
    size_t left_out;   // runs in which the case was another measurement, or had other parameters
    char *sentence;
};

struct history {
    const struct dataset *runs; // in order of time
    size_t run_count;
    struct history_case *cases; // the newest run's first
    size_t count;
    size_t capacity;
    char *sentence;
    char *unchanged; // one sentence about all cases that did not change; NULL if there is none
    char *warning;   // several machines, or no times; NULL if there is nothing to mind
};

// Puts journals into the order of their `started` stamps; they stay as they are if one has none.
void history_order(struct dataset *sets, size_t count);

// Builds the history of journals that are in order. They stay the caller's and must outlive it.
void history_make(struct history *history, const struct dataset *runs, size_t count);
void history_free(struct history *history);

// Whether changes were looked for in this case, and none was found.
bool history_unchanged(const struct history_case *c);

// When the run started, as its journal says, or "" if it does not.
const char *history_started(const struct dataset *run);

// The level of a point's stretch: the median of the levels between two changes.
double history_level(const struct history_case *c, size_t point);
