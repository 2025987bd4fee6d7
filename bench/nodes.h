// SPDX-License-Identifier: Apache-2.0
// The runner's side of a job over several nodes: starts the agents (agent.h) through the launcher of --launch, has the
// ranks of each sample started under guards, and gathers what the nodes found. Design: docs/nodes.md.
// May include: bench/link.h, bench/launch.h, bench/keeper.h, bench/worker.h, core.
#pragma once

#include "bench/worker.h"
#include "core/journal.h"

struct nodes_options {
    const char *const *launch; // words of --launch; stay the caller's
    const char *collectors;    // selection for the agents
    double tick_budget_pct;    // theirs, as of struct run_options
    const char *label;         // as of `metalgap run`; NULL: as the nodes find
    const char *role;
};

struct nodes;

// What one rank did in the last sample. Strings and trees are valid until the next nodes_prepare().
struct nodes_rank {
    const char *node;
    int64_t rank; // -1: not known
    uint64_t start_ns;
    double wall_s;       // of its process
    double cpu_s;        // user + system; NaN if not known
    const char *failure; // how it ended, or NULL: with exit status 0
    const cJSON *sample; // on the first rank of each node: what its agent found (start_tsc, end_tsc, roi_s, obs,
                         // circumstances, notes); NULL on the others
};

// Starts an agent on each node and waits until all have told what they are. 0 with *out, or -1 with `err`. *out is NULL
// where there is nothing to gather: the launcher is not known, or its only node is this machine.
int nodes_start(const struct nodes_options *o, const volatile int *stop, struct nodes **out, struct error *err);
void nodes_stop(struct nodes *nodes); // ends the agents; NULL is fine

size_t nodes_count(const struct nodes *nodes);
const char *nodes_name(const struct nodes *nodes, size_t i);
const cJSON *nodes_header(const struct nodes *nodes,
                          size_t i); // platform, topology, kernel ..., collectors, calibration

// How node i differs from the first one, in words; free() it. NULL: not at all.
char *nodes_difference(const struct nodes *nodes, size_t i);

// Before each sample: starts the agents anew if one was lost, and makes the words with which this sample's ranks are
// launched. 1: they were started anew, 0: all are there, -1: `err`.
// `pass` is the name of the pass of an attribution sample, NULL otherwise.
int nodes_prepare(struct nodes *nodes, enum sample_mode mode, const char *pass, const volatile int *stop,
                  struct error *err);
const char *const *nodes_launch(const struct nodes *nodes);

// For the worker: ends the sample when an agent is lost.
struct worker_peer *nodes_peer(struct nodes *nodes);

// After the job has ended (`failed`: not by itself, or not well): waits for what the agents have found and makes *out,
// sorted by rank; the array stays ours. Returns how many ranks there are; 0 if none was started through the launcher.
size_t nodes_gather(struct nodes *nodes, bool failed, const volatile int *stop, const struct nodes_rank **out);

// How long the ranks of the last sample waited for each other, as bench/mpi_wait.h takes it; NULL: not known.
const cJSON *nodes_waiting(const struct nodes *nodes);

// Of a failed sample, what failed first: a rank, or an agent. NULL if neither did.
const char *nodes_reason(const struct nodes *nodes);
