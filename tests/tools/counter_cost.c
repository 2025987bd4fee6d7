// SPDX-License-Identifier: Apache-2.0
// What the collectors of timing samples cost a program that does little but what they count.
//
//   counter_cost events          ns per event of each eBPF program, by the kernel's BPF statistics, beside those of a
//                                program that does nothing (the statistics' own floor)
//   counter_cost timing          ns per event of each program that times exits and requests, which attribution
//                                samples have
//   counter_cost ratio PAIRS [SELECTION]
//                                user + system CPU time with collectors (all) over that without, for four loops, in
//                                PAIRS interleaved pairs of alternating order; the geometric mean and its 95 %
//                                interval. The selection "none" compares nothing with nothing: the machine's noise
#include "collectors/collector.h"
#include "collectors/probe.h"
#include "core/clock.h"
#include "core/memory.h"
#include "detect/detect.h"
#include "report/sort.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <math.h>
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// --- loops --------------------------------------------------------------------------------------------------------

// To the CPU that is the `which`-th of those that this thread may run on, or the last.
static void bind(int which) {
    cpu_set_t allowed;
    cpu_set_t one;
    int last = -1;
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        last = cpu;
        if (which-- == 0)
            break;
    }
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static void loop_getppid(void) {
    for (int i = 0; i < 300000; i++)
        syscall(SYS_getppid);
}

// One byte to and fro between two processes, on CPU 0 and on CPU `peer`.
static void ping_pong(int peer, int rounds) {
    int to[2];
    int from[2];
    char byte = 0;
    if (pipe(to) || pipe(from))
        _exit(1);
    pid_t child = fork();
    bind(child == 0 ? peer : 0);
    for (int i = 0; i < rounds; i++) {
        bool fine = child == 0 ? read(to[0], &byte, 1) == 1 && write(from[1], &byte, 1) == 1
                               : write(to[1], &byte, 1) == 1 && read(from[0], &byte, 1) == 1;
        if (!fine)
            _exit(1);
    }
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
}

static void loop_ping_pong_one_cpu(void) {
    ping_pong(0, 8000);
}

static void loop_ping_pong_two_cpus(void) {
    ping_pong(1, 2000);
}

static void loop_fork_exec(void) {
    char *argv[] = {"/bin/true", NULL};
    for (int i = 0; i < 60; i++) {
        pid_t child;
        if (posix_spawn(&child, argv[0], NULL, NULL, argv, environ) == 0)
            waitpid(child, NULL, 0);
    }
}

static void loop_naps(void) {
    for (int i = 0; i < 2000; i++)
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

enum peer_state { PEER_STARTS, PEER_SPINS, PEER_ENDS };

static void *spin(void *argument) {
    atomic_int *state = argument;
    bind(1);
    atomic_store(state, PEER_SPINS);
    while (atomic_load_explicit(state, memory_order_relaxed) == PEER_SPINS)
        ;
    return NULL;
}

// Each one sends an IPI to the spinning thread's CPU, however busy the machine is. The state that it looks at has cache
// lines to itself: on this thread's stack the peer would have waited for its neighbours' lines, and the programs that
// an interrupt runs there behind it.
static void loop_membarriers(void) {
    static _Alignas(128) atomic_int state[32];
    pthread_t peer;
    atomic_store(state, PEER_STARTS);
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) ||
        pthread_create(&peer, NULL, spin, state))
        return;
    while (atomic_load(state) == PEER_STARTS)
        sched_yield();
    bind(0); // not before: the peer would have inherited it
    for (int i = 0; i < 4000; i++)
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    atomic_store(state, PEER_ENDS);
    pthread_join(peer, NULL);
}

static void loop_first_touch(void) {
    enum { BYTES = 64 << 20 };
    char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return;
    madvise(memory, BYTES, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < BYTES; at += 4096)
        ((volatile char *)memory)[at] = 1;
    munmap(memory, BYTES);
}

// Reads of a file in the current folder past the page cache; none where its file system cannot do that.
static void loop_disk_reads(void) {
    enum { READS = 500, BLOCK = 4096 };
    static char buffer[BLOCK] __attribute__((aligned(BLOCK)));
    char path[] = "counter_cost.XXXXXX";
    int file = mkstemp(path);
    if (file < 0)
        return;
    unlink(path);
    bool written = pwrite(file, buffer, BLOCK, 0) == BLOCK && fsync(file) == 0;
    fcntl(file, F_SETFL, O_DIRECT);
    for (int i = 0; i < READS && written; i++)
        written = pread(file, buffer, BLOCK, 0) == BLOCK;
    close(file);
}

static const struct {
    const char *name;
    void (*run)(void);
} loops[] = {
    {"getppid", loop_getppid},
    {"pipe ping-pong, one CPU", loop_ping_pong_one_cpu},
    {"pipe ping-pong, two CPUs", loop_ping_pong_two_cpus},
    {"fork and exec", loop_fork_exec},
};

// --- ratios -------------------------------------------------------------------------------------------------------

static double children_cpu_s(void) {
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void in_child(void (*run)(void)) {
    pid_t child = fork();
    if (child == 0) {
        run();
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

// Runs a loop in a process of its own under the collectors of `selection`; its CPU-seconds.
static double cpu_time(void (*run)(void), const char *selection) {
    struct error err;
    const struct collect_options options = {0};
    struct collector_set *set = collector_set_open(selection, &options, &err);
    if (!set) {
        error_print(&err);
        exit(err.code);
    }
    double before = children_cpu_s();
    in_child(run);
    double used = children_cpu_s() - before;
    collector_set_close(set);
    return used;
}

// Runs `run` in a child as an attribution sample of a collector: what its `observer` says in detail. The caller owns
// it.
static cJSON *observer_of(const char *collector, void (*run)(void)) {
    struct error err;
    cJSON *platform = detect_live_json(false);
    const struct collect_options options = {.platform = platform};
    struct collector_set *set = collector_set_open(collector, &options, &err);
    cJSON_Delete(platform);
    if (!set) {
        error_print(&err);
        exit(err.code);
    }
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    struct sample_window window = {
        .job = getpid(), .cpus = &cpus, .mode = MODE_ATTRIBUTION, .start_ns = clock_now_ns()};
    struct observations obs = {0};
    struct collector_output out = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
    collector_set_begin(set, &window);
    in_child(run);
    window.end_ns = clock_now_ns();
    collector_set_end(set, &window, &out);
    collector_set_close(set);
    cJSON *detail = NULL;
    for (size_t i = 0; i < obs.count; i++) {
        if (obs.items[i].cause == CAUSE_OBSERVER && !detail) {
            detail = obs.items[i].detail;
            obs.items[i].detail = NULL;
        }
    }
    observations_free(&obs);
    cJSON_Delete(out.circumstances);
    cJSON_Delete(out.notes);
    return detail;
}

// One member of that of guest_exits; NaN if it is not there.
static double observed(const char *key, void (*run)(void)) {
    cJSON *detail = observer_of("guest_exits", run);
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(detail, key);
    double value = cJSON_IsNumber(member) ? member->valuedouble : NAN;
    cJSON_Delete(detail);
    return value;
}

// Percent of a loop's CPU time that the programs of timing samples take by the kernel's statistics, which contain more
// than the programs (their clock), and less (the way from the tracepoint to the program).
static double statistics_pct(size_t which) {
    double before = children_cpu_s();
    double seconds = observed("timing_s", loops[which].run);
    return 100 * seconds / (children_cpu_s() - before);
}

static void ratio(size_t which, int pairs, const char *selection) {
    double sum = 0;
    double squares = 0;
    double seconds = 0;
    for (int i = 0; i < pairs; i++) {
        double with;
        double without;
        if (i % 2) {
            with = cpu_time(loops[which].run, selection);
            without = cpu_time(loops[which].run, "none");
        } else {
            without = cpu_time(loops[which].run, "none");
            with = cpu_time(loops[which].run, selection);
        }
        double log_ratio = log(with / without);
        sum += log_ratio;
        squares += log_ratio * log_ratio;
        seconds += without;
    }
    double mean = sum / pairs;
    double se = sqrt(fmax(squares / pairs - mean * mean, 0) / (pairs - 1));
    double t = 1.96 + 2.4 / (pairs - 1); // Student's 97.5 % quantile, within 0.01 from 10 pairs on
    printf("%-25s %+6.2f %% [%+.2f, %+.2f]  by statistics %.2f %%  (%d pairs of %.0f ms)\n", loops[which].name,
           100 * expm1(mean), 100 * expm1(mean - t * se), 100 * expm1(mean + t * se), statistics_pct(which), pairs,
           1e3 * seconds / pairs);
    fflush(stdout);
}

// --- events -------------------------------------------------------------------------------------------------------

// ns per run of a program that does nothing, on this tracepoint, while `run` runs; NaN if it never ran.
static double floor_ns(const char *tracepoint, void (*run)(void)) {
    const struct bpf_insn program[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    struct bpf_prog_info info = {0};
    __u32 size = sizeof info;
    int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "empty", "GPL", program, ARRAY_LEN(program), NULL);
    int link = fd < 0 ? -1 : bpf_raw_tracepoint_open(tracepoint, fd);
    int stats = probe_stats_on();
    if (link >= 0 && stats >= 0) {
        in_child(run);
        bpf_obj_get_info_by_fd(fd, &info, &size);
    }
    close(stats);
    close(link);
    close(fd);
    return info.run_cnt ? (double)info.run_time_ns / (double)info.run_cnt : NAN;
}

struct mean {
    double sum;
    int count;
};

// NaN is not counted.
static void mean_add(struct mean *m, double value) {
    m->sum += isnan(value) ? 0 : value;
    m->count += !isnan(value);
}

enum { ROUNDS = 9 };

// What a program took in the rounds in which it ran, in ns per event, sorted.
struct rounds {
    double ns[ROUNDS];
    size_t count;
};

static void rounds_add(struct rounds *r, double ns) {
    if (!isnan(ns))
        r->ns[r->count++] = ns;
    sort_doubles(r->ns, r->count);
}

static double rounds_median(const struct rounds *r) {
    return r->count ? r->ns[r->count / 2] : NAN;
}

// Medians, since a round in which other machines of the host had emptied the caches tells several times the others'.
static void events(void) {
    static const struct {
        const char *tracepoint;
        void (*run)(void);
    } rows[] = {
        {"write_msr", loop_naps},
        {"cpu_idle", loop_naps},
        {"local_timer_entry", loop_naps},
        {"ipi_send_cpu", loop_membarriers},
        {"call_function_single_entry", loop_membarriers},
        {"page_fault_user", loop_first_touch},
    };
    probe_quiet();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rounds floor = {0};
        struct rounds counter = {0};
        char key[64];
        snprintf(key, sizeof key, "%s_ns", rows[i].tracepoint);
        for (int round = 0; round < ROUNDS; round++) {
            rounds_add(&floor, floor_ns(rows[i].tracepoint, rows[i].run));
            rounds_add(&counter, observed(key, rows[i].run));
        }
        if (counter.count == 0)
            printf("%-26s none happened (a machine with one CPU, or a kernel without this tracepoint)\n",
                   rows[i].tracepoint);
        else
            printf(
                "%-26s %4.0f ns per event (%.0f to %.0f in %zu rounds), of which %4.0f ns an empty program takes, "
                "too\n",
                rows[i].tracepoint, rounds_median(&counter), counter.ns[0], counter.ns[counter.count - 1],
                counter.count, rounds_median(&floor));
        fflush(stdout);
    }
}

// --- programs that time -------------------------------------------------------------------------------------------

struct program_mean {
    char key[64];
    struct mean mean;
};

static void add_programs(const cJSON *detail, struct program_mean *rows, size_t most, size_t *count) {
    const cJSON *member;
    cJSON_ArrayForEach(member, detail) {
        size_t at = 0;
        while (at < *count && strcmp(rows[at].key, member->string) != 0)
            at++;
        if (at == most)
            return;
        if (at == *count) {
            snprintf(rows[at].key, sizeof rows[at].key, "%s", member->string);
            rows[(*count)++].mean = (struct mean){0};
        }
        mean_add(&rows[at].mean, member->valuedouble);
    }
}

// What each program of a collector takes, a mean over loops that make it run.
static void timing(const char *collector, void (*const *runs)(void), size_t run_count) {
    enum { MOST = 64 };
    struct program_mean rows[MOST];
    size_t count = 0;
    for (size_t i = 0; i < run_count; i++) {
        cJSON *detail = observer_of(collector, runs[i]);
        add_programs(detail, rows, MOST, &count);
        cJSON_Delete(detail);
    }
    for (size_t i = 0; i < count; i++)
        printf("%-12s %-32.*s %4.0f ns per event\n", collector, (int)strlen(rows[i].key) - 3, rows[i].key,
               rows[i].mean.sum / rows[i].mean.count);
}

static void all_timing(void) {
    static void (*const exits[])(void) = {loop_naps, loop_ping_pong_two_cpus, loop_first_touch};
    static void (*const requests[])(void) = {loop_disk_reads, loop_ping_pong_two_cpus};
    timing("exit_timing", exits, ARRAY_LEN(exits));
    timing("io_path", requests, ARRAY_LEN(requests));
}

int main(int argc, char **argv) {
    int pairs = argc >= 3 ? (int)strtol(argv[2], NULL, 10) : 0;
    if (argc == 2 && strcmp(argv[1], "events") == 0) {
        events();
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "timing") == 0) {
        all_timing();
        return 0;
    }
    if (argc < 3 || argc > 4 || strcmp(argv[1], "ratio") != 0 || pairs < 2) {
        fprintf(stderr, "usage: counter_cost events | counter_cost timing | counter_cost ratio PAIRS [SELECTION]\n");
        return 2;
    }
    for (size_t i = 0; i < ARRAY_LEN(loops); i++)
        ratio(i, pairs, argc == 4 ? argv[3] : "all");
    return 0;
}
