// SPDX-License-Identifier: Apache-2.0
// One sample in a process of its own. See worker.h.
#include "bench/worker.h"

#include "core/arch.h"
#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VERIFY_TIMEOUT_S   60.0
#define STRAYS_PATIENCE_NS 3000000000U // between asking and killing

// Shared between both processes. Each field is written by the worker before it reports the step that needs it.
struct shared {
    struct bench_result result;
    struct error error;
    double cpu_s;
    struct live_threads live;
    uint64_t start_ns, end_ns, start_tsc, end_tsc;
};

struct worker {
    pid_t pid;
    int reports; // worker -> runner: one byte a step
    int orders;  // runner -> worker: one byte: go, one: verify
    struct shared *shared;
    bool finished;                  // verified: it is about to end by itself
    const struct worker_peer *peer; // may be NULL
    const char *lost;               // what the peer says
};

enum step { STEP_READY = 'R', STEP_DONE = 'D', STEP_VERIFIED = 'V', STEP_FAILED = 'F' };

// --- the worker's side --------------------------------------------------------------------------------------------

static double cpu_time_s(void) {
    double total = 0;
    static const int who[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    for (size_t i = 0; i < ARRAY_LEN(who); i++) {
        struct rusage use;
        getrusage(who[i], &use);
        total += (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                 (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
    }
    return total;
}

static void report(int fd, enum step step) {
    char byte = (char)step;
    if (write(fd, &byte, 1) != 1)
        _exit(1); // the runner is gone
}

// Returns when the runner says so; does not if it is gone.
static void await_order(int orders) {
    char order;
    if (read(orders, &order, 1) != 1)
        _exit(0);
}

#define REPEATS_MAX 16

// The work, once, or as often as its CPU time asks for. The figure of merit is that of the mean cost.
static int run_enough(const struct bench_ops *ops, struct bench_context *context, struct bench_result *result,
                      struct error *err) {
    double begin = cpu_time_s();
    double wall_s = 0;
    double roi_s = 0;
    double cost = 0;
    unsigned runs = 0;
    bool again = true;
    while (again) {
        if (ops->run(context, result, err))
            return -1;
        runs++;
        wall_s += result->wall_s;
        roi_s += result->roi_s > 0 ? result->roi_s : result->wall_s;
        cost += context->better == FOM_HIGHER ? 1 / result->fom : result->fom;
        again = ops->repeatable && result->valid && isfinite(result->fom) && runs < REPEATS_MAX &&
                cpu_time_s() - begin < context->least_cpu_s;
    }
    if (runs == 1)
        return 0;
    result->wall_s = wall_s;
    result->roi_s = roi_s;
    result->fom = context->better == FOM_HIGHER ? runs / cost : cost / runs;
    return 0;
}

static void do_work(const struct bench_ops *ops, struct bench_context *context, struct shared *shared, int reports,
                    int orders) {
    struct live_threads before = live_threads_read(getpid());
    double cpu0 = cpu_time_s();
    shared->start_ns = clock_now_ns();
    shared->start_tsc = arch_ticks();
    int failed = run_enough(ops, context, &shared->result, &shared->error);
    shared->end_tsc = arch_ticks();
    shared->end_ns = clock_now_ns();
    shared->cpu_s = cpu_time_s() - cpu0;
    struct live_threads after = live_threads_read(getpid());
    shared->live = (struct live_threads){after.run_s - before.run_s, after.wait_s - before.wait_s};
    report(reports, failed ? STEP_FAILED : STEP_DONE);
    await_order(orders); // collectors read what they need of this process
    if (failed)
        _exit(0);
    if (ops->verify)
        ops->verify(context, &shared->result);
    report(reports, STEP_VERIFIED);
    if (ops->teardown)
        ops->teardown(context);
    _exit(0);
}

static void work(const struct bench_ops *ops, struct bench_context *context, struct shared *shared, int reports,
                 int orders) {
    setsid(); // the session is how collectors tell the job's tasks, and how all of it is killed
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sched_setaffinity(0, sizeof *context->cpus, context->cpus);
    const cJSON *variable;
    cJSON_ArrayForEach(variable, context->environment) setenv(variable->string, variable->valuestring, 1);
    if (ops->setup && ops->setup(context, &shared->error)) {
        report(reports, STEP_FAILED);
        _exit(0);
    }
    report(reports, STEP_READY);
    await_order(orders);
    do_work(ops, context, shared, reports, orders);
}

// --- the runner's side --------------------------------------------------------------------------------------------

static void close_all(int fds[2]) {
    close(fds[0]);
    close(fds[1]);
}

static int system_error(struct error *err, const char *doing) {
    error_set(err, EXIT_CODE_LACKS, "starting a bench: %s", doing);
    return error_why(err, "%s", strerror(errno));
}

static int spawn(struct worker *w, const struct bench_ops *ops, struct bench_context *context, struct error *err) {
    int reports[2];
    int orders[2];
    if (pipe2(reports, O_CLOEXEC))
        return system_error(err, "making a pipe");
    if (pipe2(orders, O_CLOEXEC)) {
        close_all(reports);
        return system_error(err, "making a pipe");
    }
    fflush(NULL); // what is buffered must not be written twice
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    w->pid = fork();
    if (w->pid == 0) {
        close(reports[0]);
        close(orders[1]);
        work(ops, context, w->shared, reports[1], orders[0]);
    }
    close(reports[1]);
    close(orders[0]);
    w->reports = reports[0];
    w->orders = orders[1];
    if (w->pid < 0)
        return system_error(err, "making a process");
    return 0;
}

enum waited { WAITED_STEP, WAITED_GONE, WAITED_TIMEOUT, WAITED_STOPPED, WAITED_LOST };

static enum waited wait_step(struct worker *w, double timeout_s, const volatile int *stop, char *step) {
    uint64_t deadline = clock_now_ns() + (uint64_t)(timeout_s * 1e9);
    for (;;) {
        if (*stop)
            return WAITED_STOPPED;
        uint64_t now = clock_now_ns();
        if (now >= deadline)
            return WAITED_TIMEOUT;
        struct pollfd fds[] = {
            {.fd = w->reports, .events = POLLIN},
            {.fd = w->peer ? w->peer->fd : -1, .events = POLLIN}, // poll() passes over negative ones
        };
        uint64_t left_ms = (deadline - now) / 1000000 + 1;
        poll(fds, ARRAY_LEN(fds), left_ms > 1000000 ? 1000000 : (int)left_ms);
        if (w->peer && fds[1].revents)
            w->lost = w->peer->look(w->peer->closure);
        if (w->lost)
            return WAITED_LOST;
        if (fds[0].revents)
            return read(w->reports, step, 1) == 1 ? WAITED_STEP : WAITED_GONE;
    }
}

// How a process that is gone came to its end. It has been waited for.
static void describe_end(int status, char *out, size_t size) {
    if (WIFSIGNALED(status))
        snprintf(out, size, "it was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out, size, "it ended with status %d before it was done", WEXITSTATUS(status));
}

static void reap(struct worker *w, char *why, size_t size) {
    int status = 0;
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (why)
        describe_end(status, why, size);
    w->pid = -1;
}

// Waits until the worker's end of the pipe is closed, which is when it is gone.
static bool gone_within(const struct worker *w, int timeout_ms) {
    struct pollfd fd = {.fd = w->reports, .events = POLLIN};
    return poll(&fd, 1, timeout_ms) > 0 && (fd.revents & POLLHUP);
}

// Sends a signal to our children but the peer. False if there are none.
static bool signal_strays(const struct worker *w, int number) {
    FILE *file = fopen("/proc/thread-self/children", "re");
    long pid;
    bool any = false;
    while (file && fscanf(file, "%ld", &pid) == 1) {
        if (w->peer && (pid_t)pid == w->peer->pid)
            continue;
        kill((pid_t)pid, number);
        any |= waitpid((pid_t)pid, NULL, WNOHANG) == 0;
    }
    if (file)
        fclose(file);
    return any;
}

// The job's processes may have left the worker's process group (MPI daemons do). As the runner is their subreaper
// (PR_SET_CHILD_SUBREAPER), they are its children once their parents are gone. A launcher that is asked cleans up on
// other nodes, which nobody else can.
static void kill_strays(const struct worker *w) {
    const struct timespec moment = {0, 10000000};
    uint64_t patience = clock_now_ns() + STRAYS_PATIENCE_NS;
    bool asked = false;
    while (signal_strays(w, clock_now_ns() > patience ? SIGKILL : asked ? 0 : SIGTERM)) {
        asked = true;
        nanosleep(&moment, NULL);
    }
}

// What does not come to its end by itself is asked, then killed, together with the processes that it started.
static void kill_job(struct worker *w) {
    if (w->pid > 0) {
        if (!w->finished || !gone_within(w, 2000))
            kill(-w->pid, SIGTERM);
        gone_within(w, 2000);
        kill(-w->pid, SIGKILL);
        reap(w, NULL, 0);
    }
    kill_strays(w);
}

static void explain(struct worker *w, enum waited waited, char step, double timeout_s, const char *phase, char *why,
                    size_t size) {
    switch (waited) {
    case WAITED_STEP:
        if (step == STEP_FAILED)
            error_line(&w->shared->error, why, size);
        break;
    case WAITED_GONE:
        reap(w, why, size);
        break;
    case WAITED_TIMEOUT:
        snprintf(why, size, "%s took longer than %.0f s", phase, timeout_s);
        break;
    case WAITED_LOST:
        snprintf(why, size, "%s", w->lost);
        break;
    case WAITED_STOPPED:
        snprintf(why, size, "stopped by the user");
        break;
    }
}

struct worker *worker_start(const struct bench_ops *ops, struct bench_context *context, double timeout_s,
                            const volatile int *stop, const struct worker_peer *peer, struct error *err) {
    struct worker *w = mem_alloc(sizeof *w);
    w->peer = peer;
    w->reports = w->orders = -1;
    w->shared = mmap(NULL, sizeof *w->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w->shared == MAP_FAILED) {
        w->shared = NULL;
        system_error(err, "getting shared memory");
        worker_end(w);
        return NULL;
    }
    w->shared->result.fom = NAN;
    w->shared->result.valid = 1;
    if (spawn(w, ops, context, err)) {
        worker_end(w);
        return NULL;
    }
    char step = 0;
    enum waited waited = wait_step(w, timeout_s, stop, &step);
    if (waited == WAITED_STEP && step == STEP_READY)
        return w;
    char why[512] = "";
    explain(w, waited, step, timeout_s, "set-up", why, sizeof why);
    error_set(err, EXIT_CODE_LACKS, "setting up the bench %s", ops->name);
    error_why(err, "%s", why);
    worker_end(w);
    return NULL;
}

pid_t worker_pid(const struct worker *w) {
    return w->pid;
}

void worker_go(struct worker *w, double timeout_s, const volatile int *stop, struct worker_outcome *out) {
    *out = (struct worker_outcome){.result = &w->shared->result};
    char step = 0;
    enum waited waited = WAITED_GONE;
    if (write(w->orders, "G", 1) == 1)
        waited = wait_step(w, timeout_s, stop, &step);
    out->done = waited == WAITED_STEP && step == STEP_DONE;
    out->interrupted = waited == WAITED_STOPPED;
    out->cpu_s = w->shared->cpu_s;
    out->live = w->shared->live;
    out->start_ns = w->shared->start_ns;
    out->end_ns = out->done ? w->shared->end_ns : clock_now_ns();
    out->start_tsc = w->shared->start_tsc;
    out->end_tsc = w->shared->end_tsc;
    if (!out->done)
        explain(w, waited, step, timeout_s, "the sample", out->why, sizeof out->why);
}

void worker_finish(struct worker *w, const volatile int *stop, struct worker_outcome *out) {
    if (!out->done)
        return;
    char step = 0;
    enum waited waited = WAITED_GONE;
    if (write(w->orders, "V", 1) == 1)
        waited = wait_step(w, VERIFY_TIMEOUT_S, stop, &step);
    if (waited == WAITED_STEP) {
        w->finished = true;
        if (!w->shared->result.valid)
            snprintf(out->why, sizeof out->why, "%s", w->shared->result.why);
        return;
    }
    out->done = false;
    out->interrupted = waited == WAITED_STOPPED;
    explain(w, waited, step, VERIFY_TIMEOUT_S, "verification", out->why, sizeof out->why);
}

void worker_kill(struct worker *w) {
    if (w->orders >= 0)
        close(w->orders);
    w->orders = -1;
    kill_job(w);
}

void worker_end(struct worker *w) {
    if (!w)
        return;
    worker_kill(w);
    if (w->reports >= 0)
        close(w->reports);
    if (w->shared)
        munmap(w->shared, sizeof *w->shared);
    free(w);
}
