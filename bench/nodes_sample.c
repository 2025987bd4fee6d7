// SPDX-License-Identifier: Apache-2.0
// One sample of a job over several nodes: the words that start its ranks, and what the agents found. See nodes.h.
#include "bench/nodes_inside.h"

#include "core/clock.h"
#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_TIMEOUT_S 10.0 // after the job's end; what the agents send is a few kilobytes

int nodes_prepare(struct nodes *n, enum sample_mode mode, const char *pass, const volatile int *stop,
                  struct error *err) {
    int again = 0;
    nodes_look(n);
    if (n->lost[0] || !n->count) {
        nodes_end_agents(n);
        if (nodes_start_agents(n, stop, err)) {
            snprintf(n->lost, sizeof n->lost, "they could not be started"); // the next sample tries again
            return -1;
        }
        again = 1;
    }
    for (size_t i = 0; i < n->count; i++) {
        cJSON_Delete(n->nodes[i]->sample);
        n->nodes[i]->sample = NULL;
        n->nodes[i]->begun = 0;
    }
    n->sample++;
    n->size = n->rank_count = 0;
    n->reason[0] = n->failure[0] = '\0';
    n->expired = false;
    nodes_set_grace(n, 0);
    words_free(&n->launch);
    for (const char *const *word = n->options.launch; *word; word++)
        words_add(&n->launch, mem_strdup(*word));
    words_add_program(&n->launch);
    words_add(&n->launch, mem_strdup("agent"));
    words_add(&n->launch, mem_strdup("exec"));
    words_add(&n->launch, mem_strdup(n->invitation.name));
    words_add(&n->launch, mem_printf("%llu", (unsigned long long)n->sample));
    words_add(&n->launch, mem_strdup(sample_mode_names[mode]));
    words_add(&n->launch, mem_strdup(pass ? pass : "-"));
    words_add(&n->launch, mem_strdup("--"));
    words_add(&n->launch, NULL);
    return again;
}

const char *const *nodes_launch(const struct nodes *n) {
    return (const char *const *)n->launch.items;
}

struct worker_peer *nodes_peer(struct nodes *n) {
    return &n->peer;
}

// True when each agent that has begun has also delivered, and no more ranks are to come.
static bool all_gathered(const struct nodes *n) {
    uint64_t begun = 0;
    for (size_t i = 0; i < n->count; i++) {
        const struct node *node = n->nodes[i];
        begun += node->begun;
        if (node->begun && !node->sample && node->link.fd >= 0)
            return false;
    }
    return begun >= n->size;
}

static void wait_for_samples(struct nodes *n, double timeout_s, const volatile int *stop) {
    uint64_t deadline = clock_now_ns() + (uint64_t)(timeout_s * 1e9);
    nodes_handle_events(n, 0);
    while (!all_gathered(n) && !*stop && clock_now_ns() < deadline)
        nodes_handle_events(n, 20);
}

static void kill_ranks(const struct nodes *n) {
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "t", "kill");
    for (size_t i = 0; i < n->count; i++)
        if (n->nodes[i]->link.fd >= 0)
            link_send(n->nodes[i]->link.fd, message);
    cJSON_Delete(message);
}

static int by_rank(const void *a, const void *b) {
    const struct nodes_rank *x = a;
    const struct nodes_rank *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

// The rank that failed first took the others with it.
static void find_reason(struct nodes *n, double *first, const struct nodes_rank *r, const cJSON *rank) {
    double ended_at = INFINITY;
    if (!r->failure)
        return;
    json_get_double(rank, "ended_at", JSON_OPTIONAL, &ended_at, NULL);
    if (ended_at >= *first && n->reason[0])
        return;
    *first = ended_at;
    snprintf(n->reason, sizeof n->reason, "rank %lld on the node %s: %s", (long long)r->rank, r->node, r->failure);
}

static void list_ranks(struct nodes *n, const struct node *node, double *first) {
    const cJSON *ranks = cJSON_GetObjectItemCaseSensitive(node->sample, "ranks");
    const cJSON *rank;
    size_t begin = n->rank_count;
    cJSON_ArrayForEach(rank, ranks) {
        uint64_t number = 0;
        struct nodes_rank r = {.node = node->name, .rank = -1, .cpu_s = NAN};
        if (json_get_u64(rank, "rank", JSON_OPTIONAL, &number, NULL) > 0)
            r.rank = (int64_t)number;
        json_get_u64(rank, "start_ns", JSON_OPTIONAL, &r.start_ns, NULL);
        json_get_double(rank, "wall_s", JSON_OPTIONAL, &r.wall_s, NULL);
        json_get_double(rank, "cpu_s", JSON_OPTIONAL, &r.cpu_s, NULL);
        json_get_string(rank, "failure", JSON_OPTIONAL, &r.failure, NULL);
        find_reason(n, first, &r, rank);
        ARRAY_PUSH(n->ranks, n->rank_count, n->rank_capacity, r);
    }
    if (n->rank_count == begin)
        return;
    qsort(n->ranks + begin, n->rank_count - begin, sizeof *n->ranks, by_rank);
    n->ranks[begin].sample = node->sample;
}

size_t nodes_gather(struct nodes *n, bool failed, const volatile int *stop, const struct nodes_rank **out) {
    double first = INFINITY;
    wait_for_samples(n, failed ? GATHER_TIMEOUT_S / 5 : GATHER_TIMEOUT_S, stop);
    if (!all_gathered(n)) {
        kill_ranks(n); // what the launcher has left
        wait_for_samples(n, GATHER_TIMEOUT_S / 5, stop);
    }
    n->rank_count = 0;
    for (size_t i = 0; i < n->count; i++)
        list_ranks(n, n->nodes[i], &first);
    if (n->rank_count > 0) // else there may be no array at all
        qsort(n->ranks, n->rank_count, sizeof *n->ranks, by_rank);
    if (n->lost[0]) {
        nodes_explain_loss(n);
        snprintf(n->reason, sizeof n->reason, "%s", n->lost);
    }
    *out = n->ranks;
    return n->rank_count;
}

const cJSON *nodes_waiting(const struct nodes *n) {
    const cJSON *found = NULL;
    for (size_t i = 0; i < n->count && !found; i++)
        found = cJSON_GetObjectItemCaseSensitive(n->nodes[i]->sample, "waiting");
    return found;
}

const char *nodes_reason(const struct nodes *n) {
    return n->reason[0] ? n->reason : NULL;
}
