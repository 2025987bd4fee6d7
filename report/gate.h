// SPDX-License-Identifier: Apache-2.0
// A pass/fail verdict for CI: is any case slower than the baseline by more than a limit? May include: core, report.
#pragma once

#include "core/error.h"
#include "core/names.h"
#include "report/stats.h"

#include <stdbool.h>
#include <stdio.h>

enum gate_verdict {
    GATE_PASSES,      // the interval's upper end is at most the limit
    GATE_EXCEEDS,     // its lower end lies above the limit: proven
    GATE_CANNOT_TELL, // neither
};

struct gate_case {
    char *name;
    enum gate_verdict verdict;
    double pct; // overhead, percent of the baseline's cost; NaN if it could not be compared
    struct stats_interval ci;
    double more_samples; // a side, until the verdict can be told with 80 % power; 0: it is told; NaN: not known
    char *why;           // one sentence
};

struct gate {
    double limit_pct;
    enum gate_verdict verdict; // of all: exceeds goes before cannot-tell, that before passes
    struct gate_case *cases;
    size_t count;
    size_t capacity;
    struct names names; // of the cases
};

struct gate_options {
    const char *const *baselines;
    size_t baseline_count;
    const char *const *candidates;
    size_t candidate_count;
    double max_overhead_pct;
    const char *only; // one case, or NULL for all
};

// Compares every case of either side; one that only one side has cannot be told. 0, or -1 with `err` (code 3 for a bad
// journal, 2 if `only` is nowhere). gate_free() releases *out in both cases.
int gate_make(const struct gate_options *options, struct gate *out, struct error *err);
void gate_free(struct gate *gate);

// EXIT_CODE_DONE, EXIT_CODE_NO or EXIT_CODE_LACKS, as the contract has it.
enum exit_code gate_exit_code(const struct gate *gate);

void gate_print_text(const struct gate *gate, FILE *out);  // a line a case, and one that sums up
void gate_print_json(const struct gate *gate, FILE *out);  // schema metalgap.gate/1
void gate_print_junit(const struct gate *gate, FILE *out); // JUnit XML: exceeds is a failure, cannot-tell an error
