// SPDX-License-Identifier: Apache-2.0
// How a program is started on several cores: the words of --launch if there are any, mpirun otherwise; and how the same
// launcher starts one process on each of its nodes.
// May include: bench/bench.h, core.
#pragma once

#include "bench/bench.h"

// An argument vector that owns its words; start with {0}.
struct words {
    char **items;
    size_t count;
    size_t capacity;
};

void words_add(struct words *words, char *owned); // NULL ends the vector
void words_add_program(struct words *words);      // the path of this program
void words_free(struct words *words);

// Cores that the CPUs of a set belong to: mpirun gives one rank to each, not one to each hardware thread.
unsigned launch_cores(const cpu_set_t *cpus);

// Adds the words before the program's: --launch with the environment of the case, or mpirun with `ranks` bound to the
// cores of the case; and where the context asks for it, what preloads the library that tells the ranks' waiting. More
// ranks than cores are not bound (`oversubscribe`).
void launch_add(struct words *words, const struct bench_context *context, uint64_t ranks, bool oversubscribe);

// Adds "env NAME=value ...": launchers that reach other nodes through ssh leave the environment behind. Nothing for an
// empty object of texts, or NULL.
void launch_add_environment(struct words *words, const cJSON *environment);

// How many ranks the words of --launch start, where they say it; 0: not known.
uint64_t launch_ranks(const char *const *launch);

// "NAME=value" that mpirun wants in the environment when it is run by root; NULL-terminated, NULL for other users.
const char *const *launch_environment(void);

// The launcher of --launch that we know ("mpirun", "srun"), or NULL.
const char *launch_known(const char *const *launch);

// Adds the words that start one process on each node of `launch`: its own without what says how many ranks there are
// and where, and with what asks for one a node and passes the environment variable `variable` on. 0, or -1 with `err`
// (code 4): srun outside of an allocation, since the nodes must be the same for the whole run.
int launch_add_agents(struct words *words, const char *const *launch, const char *variable, struct error *err);

// Where srun stands in --launch and there is no allocation: has salloc, with those of its options that choose nodes,
// run argv (behind the path of this program), and does not return. Returns where there is nothing to do, or no salloc.
void launch_into_allocation(const char *const *launch, char *const *argv);
