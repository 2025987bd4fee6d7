// SPDX-License-Identifier: Apache-2.0
// The one thing that all renderers draw: what a report says, in numbers and sentences, before any layout.
// Every string in it may come from a journal: renderers escape. May include: core, report (not the renderers).
#pragma once

#include "report/differences.h"
#include "report/ledger.h"
#include "report/model_amounts.h"
#include "report/said.h"
#include "report/strings.h"

struct history;

struct model_case {
    const char *name;
    const char *fom_name; // NULL: wall time
    const char *unit;     // "" if not told
    enum fom_better better;
    struct side subject;
    struct side baseline; // empty without
    struct comparison cmp;
    size_t subject_attribution; // attribution observations
    // The overhead, in percent of the baseline's cost; meaningful only if cmp.has_baseline. Positive is slower.
    enum stats_verdict verdict;
    double pct;
    struct stats_interval ci; // NaN where not identified
    double mde_pct;
    double samples_needed; // more observations a side (pairs, runs); 0: decided; NaN: more would not help, or not known
    double q;              // smallest false discovery rate at which it counts as found among this report's cases
    double noise_floor_pct;
    struct ledger ledger;
    struct strings told;           // which causes could not be told in some or all samples, and why
    struct strings places;         // who lost the time and where in the program, as far as known and worth a word
    const struct devices *devices; // of the subject, if it is one run with such; NULL otherwise
    const struct devices *baseline_devices; // the same of the baseline
    char *sentence;                         // one sentence: what this case shows, with its interval
    struct strings warnings;
    // Cases that were read from the same runs (report/model_shared.h), by their places among the cases.
    size_t first_of_runs; // its own place, if none is before it
    size_t next_of_runs;  // 0: none behind it
};

struct model {
    double limit_pct;
    const struct dataset *subjects;
    size_t subject_count;
    const struct dataset *baselines;
    size_t baseline_count;
    const char *subject_label;
    const char *baseline_label; // NULL without a baseline
    struct model_case *cases;
    size_t case_count;
    size_t case_capacity;
    struct names names;             // of the cases, numbered alike
    char *sentence;                 // the report in one sentence
    char *scope;                    // what the samples can and cannot speak for ("these two machines")
    struct strings warnings;        // all of them, one by one: for programs
    struct said mind;               // the same for readers, equal ones once
    struct said case_mind;          // and those of the cases, with the cases that each concerns
    struct differences differences; // between the first baseline and the first subject
    const struct history *history;  // NULL unless it was asked for; the subject is its newest run then
    const char *command;            // the command line that made the report, may be NULL
    int columns;                    // of a terminal that is to show it as text; 0: not told
};
