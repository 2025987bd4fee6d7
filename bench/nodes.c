// SPDX-License-Identifier: Apache-2.0
// Agents on the nodes of a job: starting and stopping them. See nodes.h.
#include "bench/nodes_inside.h"

#include "core/clock.h"
#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#define START_TIMEOUT_S 120.0 // a queue of ssh connections, calibration included

static int by_index(const void *a, const void *b) {
    const struct node *const *x = a;
    const struct node *const *y = b;
    return ((*x)->index > (*y)->index) - ((*x)->index < (*y)->index);
}

static void add_option(struct words *words, const char *option, const char *value) {
    if (!value)
        return;
    words_add(words, mem_strdup(option));
    words_add(words, mem_strdup(value));
}

static int start_launcher(struct nodes *n, struct error *err) {
    struct words argv = {0};
    char *invitation = link_invitation_text(&n->invitation);
    char *variable = mem_printf(LINK_VARIABLE "=%s", invitation);
    char *budget = mem_printf("%.9g", n->options.tick_budget_pct);
    int result = launch_add_agents(&argv, n->options.launch, LINK_VARIABLE, err);
    if (!result) {
        words_add_program(&argv);
        words_add(&argv, mem_strdup("agent"));
        words_add(&argv, mem_strdup("serve"));
        add_option(&argv, "--collectors", n->options.collectors);
        add_option(&argv, "--tick-budget", n->options.tick_budget_pct > 0 ? budget : NULL);
        add_option(&argv, "--label", n->options.label);
        add_option(&argv, "--role", n->options.role);
        words_add(&argv, NULL);
        result = keeper_start(&n->keeper, (const char *const *)argv.items, variable, launch_environment(), err);
    }
    if (!result)
        nodes_watch(n, n->keeper.output, &n->keeper);
    words_free(&argv);
    free(invitation);
    free(budget);
    free(variable);
    return result;
}

static bool all_here(const struct nodes *n) {
    uint64_t agents = 0;
    if (n->count)
        json_get_u64(n->nodes[0]->hello, "agents", JSON_OPTIONAL, &agents, NULL);
    return n->count && n->count >= agents;
}

static int not_here(struct nodes *n, const volatile int *stop, bool timeout, struct error *err) {
    char why[512] = "";
    if (n->refusal.what[0]) {
        if (err)
            *err = n->refusal;
        return -1;
    }
    error_set(err, EXIT_CODE_LACKS, "starting an agent on each node through %s", launch_known(n->options.launch));
    if (*stop)
        return error_why(err, "stopped by the user");
    keeper_read(&n->keeper);
    snprintf(why, sizeof why, timeout ? "after %.0f s %zu had answered" : "the launcher ended", START_TIMEOUT_S,
             n->count);
    nodes_add_launcher_words(n, why, sizeof why);
    return error_why(err, "%s", why);
}

static int wait_for_agents(struct nodes *n, const volatile int *stop, struct error *err) {
    uint64_t deadline = clock_now_ns() + (uint64_t)(START_TIMEOUT_S * 1e9);
    while (!all_here(n)) {
        bool timeout = clock_now_ns() >= deadline;
        if (*stop || timeout || n->refusal.what[0] || n->lost[0] || keeper_ended(&n->keeper))
            return not_here(n, stop, timeout, err);
        nodes_handle_events(n, 100);
    }
    return 0;
}

void nodes_end_agents(struct nodes *n) {
    keeper_stop(&n->keeper);
    for (size_t i = 0; i < n->count; i++)
        node_free(n->nodes[i]);
    for (size_t i = 0; i < n->guest_count; i++)
        node_free(n->guests[i]);
    n->count = n->guest_count = n->rank_count = 0;
    if (n->listener >= 0)
        close(n->listener);
    if (n->epoll >= 0)
        close(n->epoll);
    if (n->grace >= 0)
        close(n->grace);
    n->listener = n->epoll = n->grace = n->peer.fd = -1;
}

int nodes_start_agents(struct nodes *n, const volatile int *stop, struct error *err) {
    n->lost[0] = n->reason[0] = '\0';
    n->refusal = (struct error){0};
    n->epoll = epoll_create1(EPOLL_CLOEXEC);
    n->grace = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    nodes_watch(n, n->grace, &n->grace);
    n->listener = link_listen(&n->invitation, err);
    if (n->listener < 0)
        return -1;
    nodes_watch(n, n->listener, n);
    if (start_launcher(n, err) || wait_for_agents(n, stop, err))
        return -1;
    close(n->listener); // nobody else is expected; closing also takes it out of the epoll set
    n->listener = -1;
    qsort(n->nodes, n->count, sizeof(struct node *), by_index);
    n->peer = (struct worker_peer){.pid = n->keeper.pid, .fd = n->epoll, .look = nodes_look, .closure = n};
    return 0;
}

static const char *text_in(const cJSON *object, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

// One node that is this machine: the runner's own collectors see everything, without guards between.
static bool is_here_alone(const struct nodes *n) {
    struct utsname name;
    return n->count == 1 && uname(&name) == 0 && strcmp(text_in(nodes_header(n, 0), "host"), name.nodename) == 0;
}

int nodes_start(const struct nodes_options *o, const volatile int *stop, struct nodes **out, struct error *err) {
    *out = NULL;
    if (!launch_known(o->launch))
        return 0;
    struct nodes *n = mem_alloc(sizeof *n);
    n->options = *o;
    n->listener = n->epoll = n->grace = n->keeper.output = -1;
    int result = nodes_start_agents(n, stop, err);
    if (result || is_here_alone(n)) {
        nodes_stop(n);
        return result;
    }
    *out = n;
    return 0;
}

void nodes_stop(struct nodes *n) {
    if (!n)
        return;
    nodes_end_agents(n);
    words_free(&n->launch);
    free(n->nodes);
    free(n->guests);
    free(n->ranks);
    free(n);
}

size_t nodes_count(const struct nodes *n) {
    return n->count;
}

const char *nodes_name(const struct nodes *n, size_t i) {
    return n->nodes[i]->name;
}

const cJSON *nodes_header(const struct nodes *n, size_t i) {
    return cJSON_GetObjectItemCaseSensitive(n->nodes[i]->hello, "header");
}
