// SPDX-License-Identifier: Apache-2.0
// The agent of one node. See agent.h. One thread that sleeps in poll() while ranks work.
#include "bench/agent.h"
#include "bench/agent_inside.h"
#include "bench/place.h"

#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_S 20.0
#define CALIBRATION_S     1.5         // as on a single machine
#define GATHERING_NS      5000000000U // the ranks of a node start together; wait so long for the last one

// The one thing a signal handler can reach.
static volatile int stop;

static void on_signal(int number) {
    stop = number;
}

cJSON *agent_message(const char *type, const struct agent *a) {
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "t", type);
    if (a->count)
        json_add_u64(message, "sample", a->members[0].told.sample);
    return message;
}

void agent_send(struct agent *a, cJSON *message) {
    if (a->runner.fd >= 0 && link_send(a->runner.fd, message))
        link_close(&a->runner);
    cJSON_Delete(message);
}

static void forget(struct agent *a) {
    for (size_t i = 0; i < a->count; i++) {
        if (a->members[i].fd >= 0)
            close(a->members[i].fd);
        if (a->members[i].waiting >= 0)
            close(a->members[i].waiting);
    }
    a->count = 0;
    a->begun = false;
}

static void end_sample(struct agent *a) {
    if (a->begun)
        agent_finish_sample(a);
    forget(a);
}

static void kill_ranks(const struct agent *a) {
    for (size_t i = 0; i < a->count; i++)
        if (a->members[i].fd >= 0)
            kill(a->members[i].pid, SIGKILL);
}

// --- what comes in
// ----------------------------------------------------------------------------------------------------

// A guard of ours, or nobody: other users may connect to the socket as well.
static pid_t peer_of(int fd) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    bool ours = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid();
    return ours ? peer.pid : -1;
}

// A guard sends its words right after it has connected.
static void accept_guard(struct agent *a) {
    struct member m = {.fd = accept4(a->local, NULL, NULL, SOCK_CLOEXEC), .waiting = -1};
    struct pollfd wait = {.fd = m.fd, .events = POLLIN};
    if (m.fd < 0)
        return;
    m.pid = peer_of(m.fd);
    if (m.pid <= 0 || poll(&wait, 1, 1000) <= 0 ||
        recv(m.fd, &m.told, sizeof m.told, MSG_DONTWAIT) != (ssize_t)sizeof m.told || m.told.mode < 0 ||
        m.told.mode >= MODE_COUNT || !memchr(m.told.pass, '\0', sizeof m.told.pass)) {
        close(m.fd);
        return;
    }
    if (a->count && a->members[0].told.sample != m.told.sample)
        end_sample(a); // the last one was given up
    if (!a->count)
        a->first_ns = clock_now_ns();
    ARRAY_PUSH(a->members, a->count, a->capacity, m);
    if (a->begun)
        agent_let_go(&m);
}

static void hear_guard(struct agent *a, struct member *m) {
    m->ended = link_take_end(m->fd, &m->end, &m->waiting);
    close(m->fd);
    m->fd = -1;
    char *failure = agent_describe(m);
    if (!failure)
        return;
    cJSON *message = agent_message("failed", a); // not every launcher ends the other ranks then
    json_add_double(message, "rank", m->told.rank);
    json_add_string(message, "failure", failure);
    agent_send(a, message);
    free(failure);
}

static void hear_runner(struct agent *a) {
    bool there = link_read(&a->runner);
    cJSON *message;
    while ((message = link_take(&a->runner))) {
        const char *type = NULL;
        json_get_string(message, "t", JSON_OPTIONAL, &type, NULL);
        if (type && strcmp(type, "kill") == 0)
            kill_ranks(a);
        cJSON_Delete(message);
    }
    if (!there)
        link_close(&a->runner);
}

static bool all_here(const struct agent *a) {
    int expected = a->count ? a->members[0].told.local_size : 0;
    return expected > 0 ? a->count >= (size_t)expected : clock_now_ns() - a->first_ns > GATHERING_NS / 10;
}

static bool all_ended(const struct agent *a) {
    for (size_t i = 0; i < a->count; i++)
        if (a->members[i].fd >= 0)
            return false;
    return true;
}

// What is due after each event: begin when all ranks are here, end when all have ended.
static void advance(struct agent *a) {
    if (!a->count)
        return;
    if (!a->begun && (all_here(a) || clock_now_ns() - a->first_ns > GATHERING_NS))
        agent_begin_sample(a);
    if (all_ended(a))
        end_sample(a);
}

static void serve(struct agent *a) {
    struct pollfd *fds = NULL;
    while (!stop && a->runner.fd >= 0) {
        size_t count = a->count;
        fds = mem_resize(fds, (count + 3) * sizeof *fds);
        fds[0] = (struct pollfd){.fd = a->runner.fd, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = a->local, .events = POLLIN};
        for (size_t i = 0; i < count; i++)
            fds[i + 2] = (struct pollfd){.fd = a->members[i].fd, .events = POLLIN};
        fds[count + 2] = (struct pollfd){.fd = a->launcher, .events = POLLIN};
        if (poll(fds, count + 3, count && !a->begun ? 50 : -1) < 0)
            continue; // a signal
        for (size_t i = 0; i < count; i++)
            if (fds[i + 2].revents)
                hear_guard(a, &a->members[i]);
        if (fds[0].revents)
            hear_runner(a);
        if (fds[1].revents)
            accept_guard(a);
        if (fds[count + 2].revents)
            link_close(&a->runner); // an agent does not outlive what started it
        advance(a);
    }
    free(fds);
    kill_ranks(a);
    forget(a);
}

// --- start
// ------------------------------------------------------------------------------------------------------------

static void say_key(struct agent *a, const char *key) {
    cJSON *message = agent_message("key", a);
    json_add_string(message, "key", key);
    json_add_string(message, "node", a->node);
    agent_send(a, message);
}

static void say_error(struct agent *a, const struct error *err) {
    char line[1600];
    cJSON *message = agent_message("error", a);
    error_line(err, line, sizeof line);
    json_add_string(message, "text", line);
    json_add_u64(message, "code", (uint64_t)err->code);
    agent_send(a, message);
}

static void add_number(cJSON *message, const char *key, const char *first, const char *second) {
    const char *text = getenv(first) ? getenv(first) : getenv(second);
    json_add_u64(message, key, text && atoi(text) > 0 ? (uint64_t)atoi(text) : 0);
}

static void say_hello(struct agent *a, const cJSON *header) {
    cJSON *message = agent_message("hello", a);
    add_number(message, "index", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID");
    add_number(message, "agents", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS");
    cJSON *all = cJSON_Duplicate(header, true);
    cJSON_AddItemToObject(all, "collectors", collector_set_to_json(a->collectors));
    cJSON_AddItemToObject(all, "calibration", calibration_to_json(&a->calibration));
    cJSON_AddItemToObject(message, "header", all);
    agent_send(a, message);
}

static int open_local(struct agent *a, const char *run_name, struct error *err) {
    a->local = link_local_listen(run_name);
    if (a->local >= 0)
        return 0;
    int why = errno;
    error_set(err, EXIT_CODE_LACKS, "starting the agent of the node %s", a->node);
    return error_why(err, "%s", why == EADDRINUSE ? "the launcher started two on this node" : strerror(why));
}

static int open_collectors(struct agent *a, const struct agent_options *options, struct error *err) {
    const struct collect_options collect = {
        .calibration = &a->calibration,
        .platform = cJSON_GetObjectItemCaseSensitive(options->header, "platform"),
        .tick_budget = options->tick_budget_pct / 100,
    };
    cpu_set_t cpus;
    bool wanted = strcmp(options->collectors, "none") != 0;
    if (wanted && (place_choose(NULL, 0, &cpus, err) || calibrate(&cpus, CALIBRATION_S, &a->calibration, err)))
        return -1;
    a->collectors = collector_set_open(options->collectors, &collect, err);
    return a->collectors ? 0 : -1;
}

static void catch_signals(void) {
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int agent_serve(const struct agent_options *options, struct error *err) {
    struct link_invitation invitation;
    struct agent *a = mem_alloc(sizeof *a);
    pid_t launcher = getppid();
    a->launcher = pidfd_open(launcher, 0);
    catch_signals();
    a->local = a->runner.fd = -1;
    link_node_name(a->node, sizeof a->node);
    int result = link_invitation_read(getenv(LINK_VARIABLE), &invitation, err);
    if (getppid() != launcher)
        result = error_set(err, EXIT_CODE_LACKS, "starting an agent: its launcher has ended meanwhile");
    if (!result) {
        unsetenv(LINK_VARIABLE); // calibration starts processes
        a->runner.fd = link_connect(&invitation, CONNECT_TIMEOUT_S, err);
        result = a->runner.fd < 0 ? -1 : 0;
    }
    if (!result) {
        link_watch_peer(a->runner.fd);
        say_key(a, invitation.key);
        result = open_local(a, invitation.name, err) || open_collectors(a, options, err) ? -1 : 0;
        if (result)
            say_error(a, err);
    }
    if (!result) {
        say_hello(a, options->header);
        serve(a);
    }
    link_close(&a->runner);
    if (a->local >= 0)
        close(a->local);
    if (a->launcher >= 0)
        close(a->launcher);
    collector_set_close(a->collectors);
    free(a->members);
    free(a);
    return result;
}
