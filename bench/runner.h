// SPDX-License-Identifier: Apache-2.0
// Runs a suite: schedules samples, has collectors observe them, and keeps the journal.
#pragma once

#include "bench/suite.h"

struct run_options {
    const struct suite *suite;
    const char *journal; // path, "-" for standard output
    const char *label;   // as the user gave them, or NULL: as detected
    const char *role;
    const cJSON *header;       // what the caller knows for the header: label, role, platform, command ...
    const char *collectors;    // selection, as collector_set_open()
    double tick_budget_pct;    // of the time, for ticks of those that sample; 0: collectors' default
    const char *only;          // comma-separated cases, or NULL for all
    const cpu_set_t *cpus;     // NULL: all that are allowed
    const char *const *launch; // launcher words, or NULL
    const char *data_dir;
    const char *exec_dir;
    unsigned reps;       // timing samples per case; 0: as the suite says
    double budget_s;     // stop starting samples after this; infinity: no limit
    double until_pct;    // keep sampling until enough() says so for every case; NaN: do not
    double quiet_wait_s; // wait at most so long for a quiet machine before the first sample
    bool by_name;        // the cases were asked for by name (`run -- COMMAND`): code 4 if it cannot run
    bool resume;

    // For until_pct: is the relative half-width of the interval of these costs (> 0) at most `pct` percent?
    // Statistics are the report's; the caller lends them.
    bool (*narrow_enough)(const double *costs, size_t count, double pct);
    // The same for the ratio of two sides that run in turn (run_pair): second / first, block by block.
    bool (*pairs_narrow_enough)(const double *second, const double *first, size_t count, double pct);
};

// What a run did, for the caller's last words.
struct run_summary {
    size_t samples; // written to the journal, this time
    size_t invalid; // of these, not valid
    size_t skipped; // cases that cannot run here
    double wall_s;
    double recording_s; // between samples: gathering what nodes have found, and writing the journal
    bool stopped;       // by the user or the budget
    int signal;         // the signal that stopped it, or 0
    bool missing;       // something asked for by name (--only) was skipped
};

// Runs it. Progress goes to standard error. 0, or -1 with `err`; the journal is whole in either case.
int run_suite(const struct run_options *options, struct run_summary *out, struct error *err);

// Runs two suites of one case each in turn, one sample of each in a block, into two journals whose samples carry the
// number of their block, so that the report can pair them. Which goes first changes with each block. With until_pct,
// the interval is that of the blocks' ratios of costs. 0, or -1 with `err`.
int run_pair(const struct run_options options[2], struct run_summary out[2], struct error *err);

// Prints what would run and how long it takes, as a table, or as JSON (dry_run.c). 0 or -1.
int run_plan(const struct run_options *options, bool json, struct error *err);
