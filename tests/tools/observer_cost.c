// SPDX-License-Identifier: Apache-2.0
// What being observed costs a program: CPU time of a fixed piece of work with an observer over that without, in
// interleaved pairs of alternating order, for a loop that computes and one that makes system calls.
//
//   observer_cost PAIRS timing             all collectors, as in timing samples
//   observer_cost PAIRS attribution        all collectors, as in attribution samples, one pass after the other
//   observer_cost PAIRS -- COMMAND...      a program that observes the whole machine; it is started, given SETTLE_S to
//                                          attach, and ended by SIGINT
//
// Prints a line for each loop and pass: the geometric mean of the ratios and its 95 % interval, and what the observer
// itself says that it costs, where it does. May include: collectors, bench's calibration, core.
#include "bench/calibrate.h"
#include "collectors/collector.h"
#include "core/clock.h"
#include "core/memory.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_S 1.5

static void compute(void) {
    uint64_t x = 88172645463325252U;
    for (unsigned i = 0; i < 200000000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    __asm__ volatile("" ::"r"(x));
}

static void system_calls(void) {
    for (int i = 0; i < 2000000; i++)
        syscall(SYS_getppid);
}

static const struct {
    const char *name;
    void (*run)(void);
} loops[] = {{"computing", compute}, {"system calls", system_calls}};

// --- observers ----------------------------------------------------------------------------------------------------

struct observer {
    const struct collect_options *options; // of collectors; NULL: a command observes
    enum sample_mode mode;
    size_t pass;
    char **command;
    double own_s;    // what the collectors said that they cost, summed
    double timing_s; // of that, the programs that timing samples have, too, by the kernel's BPF statistics
};

static struct collector_set *open_all(const struct collect_options *options) {
    struct error err;
    struct collector_set *set = collector_set_open("all", options, &err);
    if (set)
        return set;
    error_print(&err);
    exit(err.code);
}

// The job: waits for `go`, works, tells its CPU time.
static pid_t start_job(void (*run)(void), int *go, int *done) {
    int to[2];
    int from[2];
    if (pipe(to) || pipe(from))
        exit(5);
    const pid_t job = fork();
    if (job == 0) {
        char byte;
        setsid();
        if (write(from[1], "r", 1) != 1 || read(to[0], &byte, 1) != 1)
            _exit(1);
        const double start = clock_cpu_s();
        run();
        const double used = clock_cpu_s() - start;
        if (write(from[1], &used, sizeof used) != sizeof used)
            _exit(1);
        pause();
    }
    char ready;
    close(to[0]);
    close(from[1]);
    if (job < 0 || read(from[0], &ready, 1) != 1)
        exit(5);
    *go = to[1];
    *done = from[0];
    return job;
}

static double work(int go, int done) {
    double used = 0;
    if (write(go, "g", 1) != 1 || read(done, &used, sizeof used) != sizeof used)
        exit(5);
    return used;
}

// Some count from open() on, so they are opened for the work and closed behind it.
static double observed_by_collectors(struct observer *o, pid_t job, int go, int done) {
    struct collector_set *set = open_all(o->options);
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    struct sample_window window = {
        .job = job, .cpus = &cpus, .mode = o->mode, .pass = o->pass, .start_ns = clock_now_ns()};
    struct observations obs = {0};
    struct collector_output out = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
    collector_set_begin(set, &window);
    const double used = work(go, done);
    window.end_ns = clock_now_ns();
    window.roi_s = (double)(window.end_ns - window.start_ns) * 1e-9;
    window.cpu_s = used;
    collector_set_end(set, &window, &out);
    collector_set_close(set);
    for (size_t i = 0; i < obs.count; i++) {
        if (obs.items[i].cause != CAUSE_OBSERVER)
            continue;
        const cJSON *timing = cJSON_GetObjectItemCaseSensitive(obs.items[i].detail, "timing_s");
        o->own_s += obs.items[i].seconds;
        o->timing_s += cJSON_IsNumber(timing) ? timing->valuedouble : 0;
    }
    observations_free(&obs);
    cJSON_Delete(out.circumstances);
    cJSON_Delete(out.notes);
    return used;
}

static double observed_by_command(char **command, int go, int done) {
    pid_t pid;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&quiet, STDOUT_FILENO, STDERR_FILENO);
    if (posix_spawnp(&pid, command[0], &quiet, NULL, command, environ)) {
        fprintf(stderr, "observer_cost: cannot run %s\n", command[0]);
        exit(4);
    }
    posix_spawn_file_actions_destroy(&quiet);
    nanosleep(&(struct timespec){.tv_sec = (time_t)SETTLE_S, .tv_nsec = (long)(1e9 * fmod(SETTLE_S, 1))}, NULL);
    if (waitpid(pid, NULL, WNOHANG) == pid) {
        fprintf(stderr, "observer_cost: %s ended at once: it does not work here\n", command[0]);
        exit(4);
    }
    const double used = work(go, done);
    kill(pid, SIGINT);
    waitpid(pid, NULL, 0);
    return used;
}

// CPU-seconds of the work; `o` is NULL for nobody looking.
static double run_once(void (*run)(void), struct observer *o) {
    int go;
    int done;
    double used;
    const pid_t job = start_job(run, &go, &done);
    if (!o)
        used = work(go, done);
    else if (o->options)
        used = observed_by_collectors(o, job, go, done);
    else
        used = observed_by_command(o->command, go, done);
    kill(job, SIGKILL);
    waitpid(job, NULL, 0);
    close(go);
    close(done);
    return used;
}

// --- pairs --------------------------------------------------------------------------------------------------------

static void compare(const char *label, size_t loop, int pairs, struct observer *o) {
    double sum = 0;
    double squares = 0;
    double with_s = 0;
    o->own_s = o->timing_s = 0;
    for (int i = 0; i < pairs; i++) {
        double used[2];
        for (int turn = 0; turn < 2; turn++) {
            const int with = (i + turn) % 2;
            used[with] = run_once(loops[loop].run, with ? o : NULL);
        }
        const double log_ratio = log(used[1] / used[0]);
        sum += log_ratio;
        squares += log_ratio * log_ratio;
        with_s += used[1];
    }
    const double mean = sum / pairs;
    const double se = sqrt(fmax(squares / pairs - mean * mean, 0) / (pairs - 1));
    const double t = 1.96 + 2.4 / (pairs - 1); // Student's 97.5 % quantile, within 0.01 from 10 pairs on
    printf("%-26s %-13s %+6.2f %% [%+.2f, %+.2f]", label, loops[loop].name, 100 * expm1(mean),
           100 * expm1(mean - t * se), 100 * expm1(mean + t * se));
    if (o->options && o->mode == MODE_ATTRIBUTION)
        printf("  by its own account %.2f %%, timing mode's programs %.2f %%", 100 * o->own_s / with_s,
               100 * o->timing_s / with_s);
    printf("  (%d pairs of %.0f ms)\n", pairs, 1e3 * with_s / pairs);
    fflush(stdout);
}

static void compare_loops(const char *label, int pairs, struct observer *o) {
    for (size_t i = 0; i < ARRAY_LEN(loops); i++)
        compare(label, i, pairs, o);
}

static int compare_collectors(int pairs, bool attribution) {
    static struct calibration calibration;
    struct error err;
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    const struct collect_options options = {.calibration = &calibration};
    if (calibrate(&cpus, 1, &calibration, &err)) {
        error_print(&err);
        return err.code;
    }
    struct observer o = {.options = &options, .mode = attribution ? MODE_ATTRIBUTION : MODE_TIMING};
    if (!attribution) {
        compare_loops("timing", pairs, &o);
        return 0;
    }
    struct collector_set *set = open_all(&options); // for the names of its passes
    const size_t passes = collector_set_passes(set);
    char labels[8][64];
    for (o.pass = 0; o.pass < passes && o.pass < ARRAY_LEN(labels); o.pass++)
        snprintf(labels[o.pass], sizeof labels[o.pass], "attribution, %s", collector_set_pass_name(set, o.pass));
    collector_set_close(set);
    for (o.pass = 0; o.pass < passes && o.pass < ARRAY_LEN(labels); o.pass++)
        compare_loops(labels[o.pass], pairs, &o);
    return 0;
}

int main(int argc, char **argv) {
    const int pairs = argc >= 3 ? (int)strtol(argv[1], NULL, 10) : 0;
    if (pairs >= 2 && argc == 3 && strcmp(argv[2], "timing") == 0)
        return compare_collectors(pairs, false);
    if (pairs >= 2 && argc == 3 && strcmp(argv[2], "attribution") == 0)
        return compare_collectors(pairs, true);
    if (pairs >= 2 && argc >= 4 && strcmp(argv[2], "--") == 0) {
        struct observer o = {.command = argv + 3};
        compare_loops(argv[3], pairs, &o);
        return 0;
    }
    fprintf(stderr, "usage: observer_cost PAIRS timing|attribution|-- COMMAND...\n");
    return 2;
}
