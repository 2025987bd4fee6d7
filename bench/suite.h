// SPDX-License-Identifier: Apache-2.0
// Suite files (JSON, schema metalgap.suite/1): which cases to run, how often. Format: docs/suites.md.
#pragma once

#include "bench/bench.h"

#define SUITE_SCHEMA "metalgap.suite/1"

struct suite_case {
    char *name;
    const struct bench_ops *ops;
    cJSON *params;        // completed with the bench's defaults
    char *cpus;           // list of CPUs, or NULL: all that are allowed
    unsigned threads;     // 0: as many as the case has CPUs
    unsigned reps;        // timing samples; 0: the suite's
    double timeout_s;     // for one sample, set-up included
    double until_pct;     // go on until the interval is so narrow; NaN: do not
    double typical_s;     // of one sample, as the suite's author says; NaN: not told
    cJSON *environment;   // object of texts, set in the process of each sample; may be NULL
    cJSON *prerequisites; // programs and files that must be there, each with its package; may be NULL
    const cJSON *origin;  // what it was read from, in files[file]; NULL: from no file
    size_t file;
};

// A file that was read, kept for the places of errors that are found later.
struct suite_file {
    char *path;
    char *text;
    size_t length;
    const cJSON *root; // of the text; owned by suite.text or suite.included
};

struct suite {
    char *name;
    char *description;
    unsigned reps;
    double budget_s;  // start no more samples after this; infinity: no limit
    double until_pct; // of cases that do not say; NaN: do not
    bool interleaved; // one sample of each case in turn; otherwise all samples of a case in a row
    enum bench_size size;
    char sha256[65]; // of the text, and of those of included suites behind it
    cJSON *text;     // the file's content
    cJSON *included; // the contents of included files, in the order in which they were read to their ends
    struct suite_case *cases;
    size_t count;
    size_t capacity;
    struct suite_file *files;
    size_t file_count;
    size_t file_capacity;
};

// Loads a suite by path, or by name from `suite_dir` (a name has neither '/' nor ".json"). Parameters are completed
// for `size`; parameters, benches and keys that do not exist are errors with file, line and column (code 3).
// 0 or -1; suite_free() releases *out in both cases.
int suite_load(const char *path_or_name, const char *suite_dir, enum bench_size size, struct suite *out,
               struct error *err);

// The suite of `run -- COMMAND`: one case of the bench "command", called `name` (NULL: as the program). argv is
// NULL-terminated. Ownership as above.
int suite_from_command(const char *name, char *const *argv, struct suite *out, struct error *err);

void suite_free(struct suite *suite);

// Gives an error of a bench about the case's parameters (err->node a part of them, or NULL) its place in the suite's
// file. Does nothing if it has one, or there is no file.
void suite_place(const struct suite *suite, const struct suite_case *c, struct error *err);
