// SPDX-License-Identifier: Apache-2.0
// What runs on the nodes of a job that a launcher spreads over several (docs/nodes.md): one agent a node for the whole
// run, with the collectors; and for each rank of each sample a guard, which starts the rank and says how it ended.
// Neither calls MPI. May include: bench/link.h, bench/calibrate.h, collectors/collector.h, core.
#pragma once

#include "core/journal.h"

#include <stdint.h>

struct agent_options {
    const char *collectors; // selection, as collector_set_open()
    double tick_budget_pct; // as of struct run_options
    const cJSON *header;    // what the node is: platform, topology, kernel, clock, circumstances ...
};

// The agent of this node: connects to the runner that LINK_VARIABLE names, measures unit costs, opens the collectors,
// and observes each sample whose ranks start here, until the runner goes away or SIGTERM comes. 0, or -1 with `err`,
// which the runner has been told, too.
int agent_serve(const struct agent_options *options, struct error *err);

// Which sample a rank is of.
struct agent_sample {
    const char *run; // name of the run
    uint64_t number;
    enum sample_mode mode;
    const char *pass;     // "-": none
    const char *exec_dir; // where our own MPI programs are on this node
};

// A rank's guard: has the agent begin its collectors, runs the program, in attribution samples with what tells how long
// ranks wait for each other, tells the agent how it ended, and ends like it. Without an agent it just runs the program.
// Returns an exit code (127: the program could not be started).
int agent_guard(const struct agent_sample *sample, char *const *argv);
