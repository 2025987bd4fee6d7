// SPDX-License-Identifier: Apache-2.0
// One case on one or two sides: the journals' observations become costs, the costs a shift, a difference of means and
// a noise floor. May include: core, report/dataset.h, report/stats.h.
#pragma once

#include "report/dataset.h"
#include "report/stats.h"

// One side of one case: one entry per journal that has it. Borrowed.
struct side_run {
    const struct dataset *set;
    const struct dataset_case *c;
    unsigned machine; // equal where the journals name the same host
};

struct side {
    struct side_run *run;
    size_t count;
};

// Collects the journals of a side that have this case. free(out.run) releases it.
struct side side_collect(const struct dataset *sets, size_t count, const char *case_name);

// Both sides are one run, number their blocks, and nothing says that they ran apart: other hosts, or other times.
bool sides_interleaved(const struct side *subject, const struct side *baseline);

// Values of a side's observations of one mode, those that count (point_counts), run by run in order.
struct side_values {
    struct stats_run *run; // as many as the side has runs; `value` may be NULL where a run has none
    size_t run_count;
    double *store; // all values, run after run
    size_t count;
};

enum side_quantity { SIDE_LOG_COST, SIDE_COST, SIDE_FOM };

struct side_values side_values(const struct side *side, enum sample_mode mode, enum side_quantity quantity);
void side_values_free(struct side_values *values);
struct stats_side side_values_stats(const struct side_values *values);

// The mean over a side. With several runs the runs' means are the observations (what happens inside a run is in their
// spread); with one, its samples, autocorrelation paid for with `time`.
struct stats_mean side_mean(const struct side_values *values, double time);

struct comparison {
    struct stats_summary baseline; // figure of merit; count 0 without a baseline
    struct stats_summary subject;
    struct stats_mean baseline_cost; // arithmetic mean of the cost
    struct stats_mean subject_cost;
    double baseline_time; // integrated autocorrelation times of the cost
    double subject_time;
    bool has_baseline; // both sides have observations
    bool paired;       // interleaved blocks, compared pair by pair
    size_t pairs;
    struct stats_shift shift;   // of the log cost; only if has_baseline
    struct stats_mean mean_pct; // difference of the mean costs, percent of the baseline's; only if has_baseline
    double noise_floor;         // shift of the log cost, from the subject's own data; NaN if not known
    size_t uncomparable;        // valid observations without a positive finite cost, both sides
};

// `baseline` may be empty.
struct comparison compare_sides(const struct side *subject, const struct side *baseline);
