// SPDX-License-Identifier: Apache-2.0
// What being observed costs a program: CPU time of a fixed piece of work with an observer over that without, in many
// short interleaved pairs of alternating order (a virtual machine's speed wanders within tenths of a second), for a
// loop that computes and one that makes system calls.
//
//   observer_cost PAIRS timing             all collectors, as in timing samples
//   observer_cost PAIRS attribution        all collectors, as in attribution samples, one pass after the other
//   observer_cost PAIRS switched COMMAND...   a program that observes the whole machine and can be switched on and off:
//                                          `enable` and `disable` are written to descriptor 10, it answers on 11
//   observer_cost PAIRS -- COMMAND...      one that cannot: it is started anew for each pair, given SETTLE_S to attach,
//                                          and ended by SIGINT; a pair then has PIECES pieces of work on each side
//
// Prints a line for each loop and pass: how much slower, by the pairs' median shift, with its 95 % interval (as reports
// have it), and what the observer itself says that it costs, where it does. May include: collectors, bench's
// calibration, report's statistics, core.
#include "bench/calibrate.h"
#include "collectors/collector.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/str.h"
#include "report/stats.h"

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
#define PIECE_S  0.05
#define PIECES   20

static void compute(unsigned count) {
    uint64_t x = 88172645463325252U;
    for (unsigned i = 0; i < count; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    __asm__ volatile("" ::"r"(x));
}

static void system_calls(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        syscall(SYS_getppid);
}

static const struct {
    const char *name;
    void (*run)(unsigned count);
} loops[] = {{"computing", compute}, {"system calls", system_calls}};

// --- the job ------------------------------------------------------------------------------------------------------

// Works when told to, and tells its CPU time.
struct job {
    pid_t pid;
    int go;
    int done;
};

static double timed(void (*run)(unsigned), unsigned count) {
    const double start = clock_cpu_s();
    run(count);
    return clock_cpu_s() - start;
}

// How often the loop runs in PIECE_S.
static unsigned piece(void (*run)(unsigned)) {
    unsigned count = 1000;
    while (timed(run, count) < PIECE_S / 2)
        count *= 2;
    return (unsigned)(count * (PIECE_S / timed(run, count)));
}

static void serve(void (*run)(unsigned), int go, int done) {
    const unsigned count = piece(run);
    char byte = 'r';
    if (write(done, &byte, 1) != 1)
        return;
    while (read(go, &byte, 1) == 1) {
        const double used = timed(run, count);
        if (write(done, &used, sizeof used) != sizeof used)
            return;
    }
}

// On one CPU: work does not wander between caches.
static struct job start_job(void (*run)(unsigned)) {
    int to[2];
    int from[2];
    char ready;
    if (pipe(to) || pipe(from))
        exit(5);
    const pid_t pid = fork();
    if (pid == 0) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(sched_getcpu(), &one);
        sched_setaffinity(0, sizeof one, &one);
        setsid();
        close(to[1]);
        close(from[0]);
        serve(run, to[0], from[1]);
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    if (pid < 0 || read(from[0], &ready, 1) != 1)
        exit(5);
    return (struct job){.pid = pid, .go = to[1], .done = from[0]};
}

static void end_job(const struct job *job) {
    close(job->go);
    close(job->done);
    waitpid(job->pid, NULL, 0);
}

static double work(const struct job *job, int pieces) {
    double sum = 0;
    for (int i = 0; i < pieces; i++) {
        double used = 0;
        if (write(job->go, "g", 1) != 1 || read(job->done, &used, sizeof used) != sizeof used)
            exit(5);
        sum += used;
    }
    return sum;
}

// --- observers ----------------------------------------------------------------------------------------------------

struct observer {
    double (*observed)(struct observer *o, const struct job *job); // CPU-seconds of the work while it looks
    int pieces;                                                    // of work in each half of a pair
    const struct collect_options *options;                         // of collectors
    const char *timing;           // names of those that are on in all samples: opened for each piece, as some count
                                  // from open() on
    struct collector_set *pass;   // those of an attribution pass: open all the time, on in a piece; NULL: none
    enum sample_mode timing_mode; // what those of `timing` see
    double own_s;                 // what the collectors said that they cost, summed
    double timing_s;              // of that, the programs that timing samples have, too, by the kernel's BPF statistics
    char **command;
    int control, answer; // of one that can be switched
};

static struct collector_set *open_collectors(const char *names, const struct collect_options *options) {
    struct error err;
    struct collector_set *set = collector_set_open(names, options, &err);
    if (set)
        return set;
    error_print(&err);
    exit(err.code);
}

static void add_own_costs(struct observer *o, const struct observations *obs) {
    for (size_t i = 0; i < obs->count; i++) {
        if (obs->items[i].cause != CAUSE_OBSERVER)
            continue;
        const cJSON *timing = cJSON_GetObjectItemCaseSensitive(obs->items[i].detail, "timing_s");
        o->own_s += obs->items[i].seconds;
        o->timing_s += cJSON_IsNumber(timing) ? timing->valuedouble : 0;
    }
}

static double observed_by_collectors(struct observer *o, const struct job *job) {
    struct collector_set *set = open_collectors(o->timing, o->options);
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    struct sample_window window = {.job = job->pid, .cpus = &cpus, .mode = o->timing_mode, .start_ns = clock_now_ns()};
    struct sample_window of_pass = window;
    struct observations obs = {0};
    struct collector_output out = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
    of_pass.mode = MODE_ATTRIBUTION;
    collector_set_begin(set, &window);
    if (o->pass)
        collector_set_begin(o->pass, &of_pass);
    const double used = work(job, o->pieces);
    window.end_ns = of_pass.end_ns = clock_now_ns();
    window.roi_s = of_pass.roi_s = (double)(window.end_ns - window.start_ns) * 1e-9;
    window.cpu_s = of_pass.cpu_s = used;
    if (o->pass)
        collector_set_end(o->pass, &of_pass, &out);
    collector_set_end(set, &window, &out);
    collector_set_close(set);
    add_own_costs(o, &obs);
    observations_free(&obs);
    cJSON_Delete(out.circumstances);
    cJSON_Delete(out.notes);
    return used;
}

static pid_t start_command(char **command, const posix_spawn_file_actions_t *files) {
    pid_t pid;
    if (posix_spawnp(&pid, command[0], files, NULL, command, environ)) {
        fprintf(stderr, "observer_cost: cannot run %s\n", command[0]);
        exit(4);
    }
    nanosleep(&(struct timespec){.tv_sec = (time_t)SETTLE_S, .tv_nsec = (long)(1e9 * fmod(SETTLE_S, 1))}, NULL);
    if (waitpid(pid, NULL, WNOHANG) == pid) {
        fprintf(stderr, "observer_cost: %s ended at once: it does not work here\n", command[0]);
        exit(4);
    }
    return pid;
}

static void be_quiet(posix_spawn_file_actions_t *files) {
    posix_spawn_file_actions_init(files);
    posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(files, STDOUT_FILENO, STDERR_FILENO);
}

static void end_command(pid_t pid) {
    kill(pid, SIGINT);
    waitpid(pid, NULL, 0);
}

static double observed_by_command(struct observer *o, const struct job *job) {
    posix_spawn_file_actions_t files;
    be_quiet(&files);
    const pid_t pid = start_command(o->command, &files);
    posix_spawn_file_actions_destroy(&files);
    const double used = work(job, o->pieces);
    end_command(pid);
    return used;
}

static void order(const struct observer *o, const char *what) {
    char answer[16];
    if (write(o->control, what, strlen(what)) < 0 || read(o->answer, answer, sizeof answer) <= 0) {
        fprintf(stderr, "observer_cost: %s takes no orders\n", o->command[0]);
        exit(4);
    }
}

static double observed_by_switched(struct observer *o, const struct job *job) {
    order(o, "enable\n");
    const double used = work(job, o->pieces);
    order(o, "disable\n");
    return used;
}

// --- pairs --------------------------------------------------------------------------------------------------------

static void compare(const char *label, size_t loop, size_t pairs, struct observer *o) {
    double *difference = mem_alloc(pairs * sizeof *difference);
    double with_s = 0;
    const struct job job = start_job(loops[loop].run);
    o->own_s = o->timing_s = 0;
    for (size_t i = 0; i < pairs; i++) {
        double used[2];
        for (size_t turn = 0; turn < 2; turn++) {
            const size_t with = (i + turn) % 2;
            used[with] = with ? o->observed(o, &job) : work(&job, o->pieces);
        }
        difference[i] = log(used[1] / used[0]);
        with_s += used[1];
    }
    end_job(&job);
    const struct stats_shift shift = stats_compare_paired(difference, pairs);
    printf("%-26s %-13s %+6.2f %% [%+.2f, %+.2f]", label, loops[loop].name, 100 * expm1(shift.estimate),
           100 * expm1(shift.ci.low), 100 * expm1(shift.ci.high));
    if (o->own_s > 0)
        printf("  by its own account %.2f %%", 100 * o->own_s / with_s);
    if (o->timing_s > 0)
        printf(", timing mode's programs %.2f %%", 100 * o->timing_s / with_s);
    printf("  (%zu pairs of %.0f ms)\n", pairs, 1e3 * with_s / (double)pairs);
    fflush(stdout);
    free(difference);
}

static void compare_loops(const char *label, size_t pairs, struct observer *o) {
    for (size_t i = 0; i < ARRAY_LEN(loops); i++)
        compare(label, i, pairs, o);
}

static bool available(const struct collector_set *all, const char *name) {
    cJSON *states = collector_set_to_json(all);
    bool found = false;
    for (const cJSON *row = states->child; row; row = row->next) {
        const char *state = cJSON_GetStringValue(cJSON_GetObjectItem(row, "state"));
        found |= strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(row, "name")), name) == 0 &&
                 strcmp(state, collector_state_names[COLLECTOR_UNAVAILABLE]) != 0;
    }
    cJSON_Delete(states);
    return found;
}

static bool in_timing(const struct collector_ops *ops) {
    return ops->in_timing;
}

static bool in_common_pass(const struct collector_ops *ops) {
    return !ops->in_timing && !ops->perturbs;
}

// The names of those that are available, as collector_set_open() takes them.
static char *names_of(const struct collector_set *all, bool (*wanted)(const struct collector_ops *)) {
    struct str names = {0};
    for (size_t i = 0; collector_registry[i]; i++) {
        const struct collector_ops *ops = collector_registry[i];
        if (!ops->only_by_name && wanted(ops) && available(all, ops->name))
            str_printf(&names, "%s%s", names.length ? "," : "", ops->name);
    }
    return names.text;
}

static int compare_collectors(size_t pairs, bool attribution) {
    static struct calibration calibration;
    struct error err;
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    const struct collect_options options = {.calibration = &calibration};
    if (calibrate(&cpus, 1, &calibration, &err)) {
        error_print(&err);
        return err.code;
    }
    struct collector_set *all = open_collectors("all", &options); // for names only
    char *timing = names_of(all, in_timing);
    char *common = names_of(all, in_common_pass);
    const char *passes[8]; // static text
    size_t count = 0;
    for (; attribution && count < collector_set_passes(all) && count < ARRAY_LEN(passes); count++)
        passes[count] = collector_set_pass_name(all, count);
    collector_set_close(all);
    struct observer o = {.observed = observed_by_collectors, .pieces = 1, .options = &options, .timing = timing};
    if (!attribution)
        compare_loops("timing", pairs, &o);
    for (size_t i = 0; i < count; i++) {
        char label[80];
        const bool is_common = strcmp(passes[i], "common") == 0;
        snprintf(label, sizeof label, "attribution, %s", passes[i]);
        o.timing_mode = is_common ? MODE_ATTRIBUTION : MODE_TIMING;
        o.pass = open_collectors(is_common ? common : passes[i], &options);
        compare_loops(label, pairs, &o);
        collector_set_close(o.pass);
    }
    free(timing);
    free(common);
    return 0;
}

static int compare_switched(size_t pairs, char **command) {
    enum { CONTROL = 10, ANSWER = 11 };
    int to[2];
    int from[2];
    posix_spawn_file_actions_t files;
    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
        return 5;
    be_quiet(&files);
    posix_spawn_file_actions_adddup2(&files, to[0], CONTROL);
    posix_spawn_file_actions_adddup2(&files, from[1], ANSWER);
    const pid_t pid = start_command(command, &files);
    posix_spawn_file_actions_destroy(&files);
    struct observer o = {
        .observed = observed_by_switched, .pieces = 1, .command = command, .control = to[1], .answer = from[0]};
    compare_loops(command[0], pairs, &o);
    end_command(pid);
    return 0;
}

int main(int argc, char **argv) {
    const size_t pairs = argc >= 3 ? strtoul(argv[1], NULL, 10) : 0;
    signal(SIGPIPE, SIG_IGN);
    if (pairs >= 6 && argc == 3 && strcmp(argv[2], "timing") == 0)
        return compare_collectors(pairs, false);
    if (pairs >= 6 && argc == 3 && strcmp(argv[2], "attribution") == 0)
        return compare_collectors(pairs, true);
    if (pairs >= 6 && argc >= 4 && strcmp(argv[2], "switched") == 0)
        return compare_switched(pairs, argv + 3);
    if (pairs >= 6 && argc >= 4 && strcmp(argv[2], "--") == 0) {
        struct observer o = {.observed = observed_by_command, .pieces = PIECES, .command = argv + 3};
        compare_loops(argv[3], pairs, &o);
        return 0;
    }
    fprintf(stderr, "usage: observer_cost PAIRS timing|attribution|switched COMMAND...|-- COMMAND...\n");
    return 2;
}
