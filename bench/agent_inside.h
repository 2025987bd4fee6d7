// SPDX-License-Identifier: Apache-2.0
// The agent of one node, as the files behind agent.h share it: agent.c is its loop, agent_sample.c what it does around
// the ranks of a sample. May include: bench/link.h, bench/calibrate.h, collectors/collector.h, core.
#pragma once

#include "bench/calibrate.h"
#include "bench/link.h"
#include "collectors/collector.h"

// A rank of the sample in progress on this node.
struct member {
    int fd; // to its guard; -1: gone
    pid_t pid;
    struct link_rank told;
    bool ended; // `end` is known
    struct link_end end;
    int waiting; // a file: how long the job's ranks waited for each other, if this is rank 0; -1: none
};

struct agent {
    struct link_stream runner;
    int local;    // where guards come in
    int launcher; // readable when what started us is dead; -1: not known
    char node[64];
    struct collector_set *collectors;
    struct calibration calibration;
    struct member *members;
    size_t count;
    size_t capacity;
    bool begun;        // collectors are on
    uint64_t first_ns; // when the first rank of the sample came
    uint64_t start_tsc;
    cpu_set_t cpus;
    struct sample_window window;
    size_t strangers; // ranks in other sessions than the first one's
};

// --- agent.c --------------------------------------------------------------------------------------------------------

// A message to the runner, about the sample in progress if there is one; sending it also deletes it.
cJSON *agent_message(const char *type, const struct agent *a);
void agent_send(struct agent *a, cJSON *message);

// --- agent_sample.c -------------------------------------------------------------------------------------------------

void agent_let_go(const struct member *m);    // its rank starts
void agent_begin_sample(struct agent *a);     // all ranks are here: collectors on, and let them go
void agent_finish_sample(struct agent *a);    // all have ended: tells the runner what was found
char *agent_describe(const struct member *m); // how a rank ended, where that was not by exit status 0; free() it
