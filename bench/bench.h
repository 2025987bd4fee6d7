// SPDX-License-Identifier: Apache-2.0
// Benches: workloads behind one ops struct. Native ones are one C file each under bench/kernels; programs that are
// launched (mpirun, the user's own) are run by bench/command.c. Adding one = one file and one row in registry.c.
// May include: core. The runner calls a bench in a process of its own, one process a sample, so a bench may crash,
// leak or bind itself without harm.
#pragma once

#include "core/journal.h"

#include <sched.h>

#define BENCH_ABI 1

enum bench_size { SIZE_SMALL, SIZE_DEFAULT, SIZE_FULL, SIZE_COUNT };
extern const char *const bench_size_names[SIZE_COUNT]; // "small", "default", "full"

// A parameter of a bench, for checking suites and for `list benches`.
struct bench_param {
    const char *name;                 // "bytes"
    const char *defaults[SIZE_COUNT]; // as text, for each size; NULL after the first: the same for all
    const char *help;                 // meaning and unit
};

struct bench_fom {
    char name[48]; // "bandwidth"
    char unit[24]; // "GB/s"
    enum fom_better better;
};

// One run of a bench in its own process.
struct bench_context {
    const cJSON *params; // object; every parameter of the table is there (defaults filled in), checked for existence
    enum bench_size size;
    const cpu_set_t *cpus;      // the process is bound to these already; a bench may bind its threads inside them
    unsigned threads;           // how many threads to use: CPUs in the set unless the suite says otherwise
    const char *data_dir;       // suites/ and input decks
    const char *exec_dir;       // where our own MPI programs are
    const cJSON *environment;   // object of texts that the process sets before set-up; NULL: none
    const char *const *launch;  // NULL-terminated launcher words of --launch, or NULL
    const char *const *figures; // NULL-terminated: values of the parameter ops->figure that are wanted from this run,
                                // at most BENCH_MAX_FIGURES; NULL: the parameter's alone
    const char *wait_file;      // where ranks are to tell how long they waited (bench/mpi_wait.h); NULL: nowhere
    double least_cpu_s;         // the worker repeats run() up to so much CPU time, if the bench can; 0: once
    enum fom_better better;     // how its figures are averaged then
    void *state;                // the bench's own, between setup and teardown
};

#define BENCH_MAX_STEPS   65536
#define BENCH_MAX_FIGURES 32

// One of the figures that a run was asked for by context->figures.
struct bench_figure {
    double value;  // NaN: it was not found
    char why[200]; // then: why
};

// What one run found. In memory shared between the bench's process and the runner: no pointers.
struct bench_result {
    double wall_s;  // of the work; measured by the bench around the work alone
    double roi_s;   // the window that the figure of merit covers; 0: wall_s
    double fom;     // NaN: none
    int valid;      // the result was verified
    char why[256];  // why it is not valid
    char info[512]; // one line worth keeping (a version, a rank placement); becomes circumstances.info
    struct bench_figure figures[BENCH_MAX_FIGURES]; // in the order of context->figures
    unsigned step_count;
    double steps_s[BENCH_MAX_STEPS]; // seconds per step, where there are steps
};

struct bench_ops {
    unsigned abi; // BENCH_ABI
    const char *name;
    const char *summary;              // one line for `list benches`
    const struct bench_param *params; // ends with a NULL name; NULL: none
    bool launches;                    // its work starts behind the words of --launch, perhaps on other nodes
    const char *figure; // the parameter that says which of a run's figures is meant and changes nothing else: cases
                        // that differ in it alone share their runs. NULL: none

    // The figure of merit under these parameters. Called in the runner's process before any run; must be cheap.
    // 0 with *out filled; 1: none, wall_s is compared; -1 with `err`: the parameters are wrong (code 3).
    int (*fom)(const struct bench_context *context, struct bench_fom *out, struct error *err);

    // NULL if it can run here, otherwise the reason, with what would enable it (static text). May be NULL itself.
    // A case that cannot run is skipped with a note and never fails the run.
    const char *(*unavailable)(const struct bench_context *context);

    // The same for reasons that are only known here and now (a program that a file names): 0, or -1 with `err`. May be
    // NULL.
    int (*lacking)(const struct bench_context *context, struct error *err);

    // Allocates, touches memory, binds threads, warms up. 0 or -1 with `err`. May be NULL.
    int (*setup)(struct bench_context *context, struct error *err);

    // The work, timed by the bench itself (clock_raw_ns). Fills *result. 0, or -1 with `err`: the sample is invalid.
    int (*run)(struct bench_context *context, struct bench_result *result, struct error *err);

    bool repeatable; // run() may be called again and does the same work as before; it must have a figure of merit

    // Checks the result after the timed part; sets result->valid and why. May be NULL: then valid as run() said.
    void (*verify)(struct bench_context *context, struct bench_result *result);

    void (*teardown)(struct bench_context *context); // may be NULL
};

// The registry: NULL-terminated (registry.c).
extern const struct bench_ops *const bench_registry[];

const struct bench_ops *bench_find(const char *name); // NULL if there is none

// Checks the contract of one bench. 0, or -1 with `err` (code 5).
int bench_check(const struct bench_ops *ops, struct error *err);

// Completes `params` (may be NULL) with the defaults for this size and refuses names that the bench does not have
// (code 3, the known ones named). The caller owns the result; NULL on failure.
cJSON *bench_params(const struct bench_ops *ops, const cJSON *params, enum bench_size size, struct error *err);

// Typed reads of a completed parameter: a JSON number, or text such as "64M". 0, or -1 with `err` (code 3).
int bench_param_u64(const struct bench_context *context, const char *name, uint64_t *out, struct error *err);
int bench_param_double(const struct bench_context *context, const char *name, double *out, struct error *err);

// Says which parameter an error is about, so that it gets its place in the suite's file; between error_set() and what
// follows. Returns -1.
int bench_param_blame(const struct bench_context *context, const char *name, struct error *err);

const char *bench_param_text(const struct bench_context *context, const char *name); // never NULL
