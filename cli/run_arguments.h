// SPDX-License-Identifier: Apache-2.0
// The command line of `metalgap run`. May include: bench/runner.h, core.
#pragma once

#include "bench/runner.h"

#include <stdbool.h>

// One of the two commands of --ab.
struct run_side {
    char *name;
    char **argv;
};

struct run_arguments {
    struct run_options run;
    const char *label;
    const char *role;
    enum bench_size size;
    cpu_set_t cpus;
    char **launch;
    struct run_side sides[2]; // of --ab
    int side_count;
    double duration_s; // of a host's recording
    const char *vm;
    bool dry_run;
    bool json;
    bool help; // nothing else
};

// Reads the options among argv[1] to argv[words - 1]; what stands behind argv[words], "--", is not ours. argv[optind]
// is the first word that is no option. 0, or -1 with `err`; run_arguments_free() after both.
int run_arguments_read(struct run_arguments *o, int words, char **argv, struct error *err);
void run_arguments_free(struct run_arguments *o);

extern const char run_usage[];
