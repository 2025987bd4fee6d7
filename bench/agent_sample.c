// SPDX-License-Identifier: Apache-2.0
// What the agent of a node does around the ranks of a sample. See agent_inside.h.
#include "bench/agent_inside.h"
#include "bench/mpi_wait.h"

#include "core/arch.h"
#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// Where the ranks may run on this node: each has been bound by the launcher already.
static void find_cpus(struct agent *a) {
    CPU_ZERO(&a->cpus);
    for (size_t i = 0; i < a->count; i++) {
        cpu_set_t own;
        if (sched_getaffinity(a->members[i].pid, sizeof own, &own) == 0)
            CPU_OR(&a->cpus, &a->cpus, &own);
    }
}

// Collectors tell the job's tasks by their session, which is that of the launcher's daemon on this node.
static void count_strangers(struct agent *a) {
    pid_t session = getsid(a->members[0].pid);
    a->strangers = 0;
    for (size_t i = 1; i < a->count; i++)
        a->strangers += getsid(a->members[i].pid) != session;
}

void agent_let_go(const struct member *m) {
    if (m->fd >= 0 && send(m->fd, "G", 1, MSG_NOSIGNAL) < 0)
        errno = 0; // it has just died, which poll() tells
}

// A node that lacks the collector of a pass does in it what it does in timing samples.
static void choose_pass(struct agent *a, const struct link_rank *told) {
    a->window.mode = MODE_TIMING;
    for (size_t i = 0; told->mode == MODE_ATTRIBUTION && i < collector_set_passes(a->collectors); i++) {
        if (strcmp(collector_set_pass_name(a->collectors, i), told->pass) != 0)
            continue;
        a->window.mode = MODE_ATTRIBUTION;
        a->window.pass = i;
    }
}

void agent_begin_sample(struct agent *a) {
    find_cpus(a);
    count_strangers(a);
    cJSON *message = agent_message("begin", a);
    json_add_u64(message, "ranks", a->count);
    json_add_u64(message, "size", (uint64_t)a->members[0].told.size);
    agent_send(a, message);
    a->window = (struct sample_window){.job = a->members[0].pid, .cpus = &a->cpus};
    choose_pass(a, &a->members[0].told);
    a->window.start_ns = clock_now_ns();
    collector_set_begin(a->collectors, &a->window);
    a->start_tsc = arch_ticks();
    a->begun = true;
    for (size_t i = 0; i < a->count; i++)
        agent_let_go(&a->members[i]);
}

char *agent_describe(const struct member *m) {
    if (!m->ended)
        return mem_strdup("it was killed together with its guard");
    if (WIFSIGNALED(m->end.status))
        return mem_printf("it was ended by signal %d (%s)", WTERMSIG(m->end.status),
                          strsignal(WTERMSIG(m->end.status)));
    return WEXITSTATUS(m->end.status) ? mem_printf("it ended with exit status %d", WEXITSTATUS(m->end.status)) : NULL;
}

static cJSON *rank_json(const struct agent *a, const struct member *m) {
    cJSON *object = cJSON_CreateObject();
    char *failure = agent_describe(m);
    uint64_t start_ns = m->ended ? m->end.start_ns : a->window.start_ns;
    uint64_t end_ns = m->ended ? m->end.end_ns : a->window.end_ns;
    if (m->told.rank >= 0)
        json_add_u64(object, "rank", (uint64_t)m->told.rank);
    json_add_u64(object, "start_ns", start_ns);
    json_add_double(object, "wall_s", (double)(end_ns - start_ns) * 1e-9);
    if (m->ended)
        json_add_double(object, "cpu_s", m->end.cpu_s);
    if (failure)
        json_add_string(object, "failure", failure);
    if (failure && m->ended)
        json_add_double(object, "ended_at", m->end.ended_at);
    free(failure);
    return object;
}

static void note_strangers(const struct agent *a, cJSON *notes) {
    if (!a->strangers)
        return;
    char *text =
        mem_printf("%zu of %zu ranks are in other sessions than the first: what is told by session leaves them out",
                   a->strangers, a->count);
    cJSON_AddItemToArray(notes, cJSON_CreateString(text));
    free(text);
}

// Rank 0 has written it for the whole job.
static void add_waiting(const struct agent *a, cJSON *message, cJSON *notes) {
    struct error err = {0};
    char line[512];
    for (size_t i = 0; i < a->count; i++) {
        cJSON *waiting = a->members[i].waiting < 0 ? NULL : mpi_wait_from(a->members[i].waiting, &err);
        if (waiting)
            cJSON_AddItemToObject(message, "waiting", waiting);
        if (waiting || err.what[0])
            break;
    }
    if (!err.what[0])
        return;
    error_line(&err, line, sizeof line);
    cJSON_AddItemToArray(notes, cJSON_CreateString(line));
}

void agent_finish_sample(struct agent *a) {
    struct observations obs = {0};
    struct collector_output found = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
    uint64_t end_tsc = arch_ticks();
    a->window.end_ns = clock_now_ns();
    a->window.roi_s = (double)(a->window.end_ns - a->window.start_ns) * 1e-9;
    for (size_t i = 0; i < a->count; i++)
        a->window.cpu_s += a->members[i].ended ? a->members[i].end.cpu_s : 0;
    collector_set_end(a->collectors, &a->window, &found);
    note_strangers(a, found.notes);
    cJSON *message = agent_message("sample", a);
    json_add_u64(message, "start_ns", a->window.start_ns);
    json_add_double(message, "roi_s", a->window.roi_s);
    json_add_u64(message, "start_tsc", a->start_tsc);
    json_add_u64(message, "end_tsc", end_tsc);
    cJSON *ranks = cJSON_AddArrayToObject(message, "ranks");
    for (size_t i = 0; i < a->count; i++)
        cJSON_AddItemToArray(ranks, rank_json(a, &a->members[i]));
    observations_to_json(&obs, message);
    add_waiting(a, message, found.notes);
    cJSON_AddItemToObject(message, "circumstances", found.circumstances);
    cJSON_AddItemToObject(message, "notes", found.notes);
    agent_send(a, message);
    observations_free(&obs);
}
