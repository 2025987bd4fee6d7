// SPDX-License-Identifier: Apache-2.0
// Agents on the nodes of a job, as the files behind nodes.h share them: nodes.c starts and ends them, nodes_events.c
// hears them, nodes_sample.c has them observe a sample, nodes_difference.c compares what they are.
// May include: bench/nodes.h, bench/link.h, bench/launch.h, bench/keeper.h, core.
#pragma once

#include "bench/keeper.h"
#include "bench/launch.h"
#include "bench/link.h"
#include "bench/nodes.h"

struct node {
    struct link_stream link;
    bool trusted; // it has said the key
    char name[64];
    uint64_t index; // its place among the agents
    cJSON *hello;   // NULL until it came
    uint64_t begun; // ranks of the sample in progress that it has begun to observe
    cJSON *sample;  // what it found in it
};

struct nodes {
    struct nodes_options options;
    struct link_invitation invitation;
    struct keeper keeper;
    struct worker_peer peer;
    int listener; // open while agents are expected
    int epoll;
    struct node **nodes;
    size_t count;
    struct node **guests; // that have connected and not said hello
    size_t guest_count;
    struct words launch; // of the sample in progress
    uint64_t sample;     // its number
    uint64_t size;       // ranks that it shall have; 0: not told yet
    struct nodes_rank *ranks;
    size_t rank_count;
    size_t rank_capacity;
    int grace;            // a timer: how long the launcher may take to end a job of which a rank has failed
    char failure[512];    // of that rank; empty: none
    bool expired;         // it has taken longer
    char lost[512];       // why the agents must be started anew; empty: all are there
    char reason[1024];    // of a failed sample
    struct error refusal; // an agent's
};

// --- nodes.c --------------------------------------------------------------------------------------------------------

// Starts an agent on each node and waits for all of them: 0, or -1 with `err`. nodes_end_agents() after both.
int nodes_start_agents(struct nodes *n, const volatile int *stop, struct error *err);
void nodes_end_agents(struct nodes *n);

// --- nodes_events.c -------------------------------------------------------------------------------------------------

// Has nodes_handle_events() look at a descriptor; `who` says whose it is: n (agents that connect), &n->keeper,
// &n->grace or a node.
int nodes_watch(const struct nodes *n, int fd, void *who);

// Handles what has happened, waiting at most so long for something to happen.
void nodes_handle_events(struct nodes *n, int timeout_ms);

// Why the sample in progress must end, or NULL; `closure` is the struct nodes.
const char *nodes_look(void *closure);

void nodes_set_grace(struct nodes *n, double seconds); // 0 stops the timer

// Puts behind a reason what the launcher has said last, and behind n->lost what it says of that.
void nodes_add_launcher_words(const struct nodes *n, char *out, size_t size);
void nodes_explain_loss(struct nodes *n);

void node_free(struct node *node);
