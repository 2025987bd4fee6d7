// SPDX-License-Identifier: Apache-2.0
// Performance counters of the sample, into its circumstances: cycles, instructions, reference cycles and last-level
// cache misses where the PMU exists and passes its self-test; the kernel's software events otherwise.
//
// With the right to count whole CPUs (root, or perf_event_paranoid <= 0) the job's CPUs are counted, all that runs
// there included. Otherwise the job's threads are: those that exist when the sample begins and what they start later.
// Counting threads makes every context switch dearer, so this collector takes part in attribution samples only.
#include "collectors/collectors.h"
#include "collectors/pmu_events.h"
#include "core/memory.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct counter {
    int fd;
    size_t event; // index in pmu_events
};

struct pmu {
    bool whole_cpus;
    bool usable[PMU_EVENT_COUNT];
    struct counter *counters; // of the sample
    size_t count;
    size_t capacity;
};

// --- opening ------------------------------------------------------------------------------------------------------

// Opens and closes an event on the calling thread or on a CPU. 0, or a positive errno.
static int try_event(const struct pmu_event *event, bool whole_cpu) {
    int fd = pmu_open(event, whole_cpu ? -1 : 0, whole_cpu ? sched_getcpu() : -1, -1);
    if (fd < 0)
        return -fd;
    close(fd);
    return 0;
}

// One file descriptor for each event and CPU: raise the soft limit to what the hard one allows.
static void allow_many_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void *pmu_collector_open(const struct collect_options *options, struct collector_status *status) {
    (void)options;
    char why[192] = "";
    char hint[128] = "";
    bool hardware = pmu_self_test(why, sizeof why, hint, sizeof hint);
    struct pmu *pmu = mem_alloc(sizeof *pmu);
    size_t usable = 0;
    int error = 0;
    pmu->whole_cpus = try_event(&pmu_events[PMU_EVENT_COUNT - 1], true) == 0;
    for (size_t i = 0; i < PMU_EVENT_COUNT; i++) {
        if (pmu_events[i].hardware && !hardware)
            continue;
        int refused = try_event(&pmu_events[i], pmu->whole_cpus);
        pmu->usable[i] = !refused;
        usable += pmu->usable[i];
        error = refused ? refused : error;
    }
    if (!usable) {
        collector_say(status, COLLECTOR_UNAVAILABLE, "run as root, or: sysctl kernel.perf_event_paranoid=1",
                      "%s; nor software events: %s", why, strerror(error));
        free(pmu);
        return NULL;
    }
    status->state = COLLECTOR_ACTIVE;
    if (!hardware)
        collector_say(status, COLLECTOR_DEGRADED, hint, "software events only: %s", why);
    allow_many_files();
    return pmu;
}

// --- a sample -----------------------------------------------------------------------------------------------------

static void close_counters(struct pmu *pmu) {
    for (size_t i = 0; i < pmu->count; i++)
        close(pmu->counters[i].fd);
    pmu->count = 0;
}

// Opens all usable events of one thread or CPU, in one group of each kind. 0 or -errno.
static int open_events(struct pmu *pmu, pid_t pid, int cpu) {
    int leaders[2] = {-1, -1};
    for (size_t i = 0; i < PMU_EVENT_COUNT; i++) {
        if (!pmu->usable[i])
            continue;
        int *leader = &leaders[pmu_events[i].hardware];
        int fd = pmu_open(&pmu_events[i], pid, cpu, *leader);
        if (fd < 0)
            return fd;
        struct counter counter = {.fd = fd, .event = i};
        ARRAY_PUSH(pmu->counters, pmu->count, pmu->capacity, counter);
        if (*leader < 0)
            *leader = fd;
    }
    int result = 0;
    for (size_t i = 0; i < ARRAY_LEN(leaders) && result == 0; i++)
        result = leaders[i] < 0 ? 0 : pmu_enable(leaders[i]);
    return result;
}

static int open_on_cpus(struct pmu *pmu, const cpu_set_t *cpus) {
    int result = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && result == 0; cpu++) {
        if (CPU_ISSET(cpu, cpus))
            result = open_events(pmu, -1, cpu);
    }
    return result;
}

static int open_on_threads(struct pmu *pmu, pid_t job) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)job);
    DIR *tasks = opendir(path);
    if (!tasks)
        return -errno;
    int result = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(tasks));) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid > 0)
            result = open_events(pmu, tid, -1);
    }
    closedir(tasks);
    return result;
}

static int pmu_begin(void *state, const struct sample_window *window, struct error *err) {
    struct pmu *pmu = state;
    int result = pmu->whole_cpus ? open_on_cpus(pmu, window->cpus) : open_on_threads(pmu, window->job);
    if (result == 0)
        return 0;
    close_counters(pmu);
    error_set(err, EXIT_CODE_LACKS, "opening performance counters of %s", pmu->whole_cpus ? "the CPUs" : "the job");
    error_why(err, "%s", strerror(-result));
    return result == -EMFILE ? error_remedy(err, "allow more open files: ulimit -n") : -1;
}

static void note_share(struct collector_output *out, double share) {
    char *text =
        share > 0
            ? mem_printf("the PMU has too few counters: some counted %.0f %% of the time and were scaled", 100 * share)
            : mem_printf("the PMU had no counter free for some events: they are left out");
    cJSON_AddItemToArray(out->notes, cJSON_CreateString(text));
    free(text);
}

static int pmu_end(void *state, const struct sample_window *window, struct collector_output *out, struct error *err) {
    struct pmu *pmu = state;
    double sums[PMU_EVENT_COUNT] = {0};
    bool lost[PMU_EVENT_COUNT] = {false};
    double least_share = 1;
    (void)window;
    (void)err;
    for (size_t i = 0; i < pmu->count; i++) {
        const struct counter *c = &pmu->counters[i];
        struct pmu_count count = {0};
        lost[c->event] |= pmu_read(c->fd, &count) || count.running_share == 0;
        sums[c->event] += count.value * pmu_events[c->event].unit;
        least_share = fmin(least_share, count.running_share);
    }
    close_counters(pmu);
    for (size_t i = 0; i < PMU_EVENT_COUNT; i++) {
        if (pmu->usable[i] && !lost[i])
            json_add_double(out->circumstances, pmu_events[i].key, sums[i]);
    }
    json_add_string(out->circumstances, "pmu_scope", pmu->whole_cpus ? "cpus" : "threads");
    if (least_share < 0.999)
        note_share(out, least_share);
    return 0;
}

static void pmu_close(void *state) {
    struct pmu *pmu = state;
    close_counters(pmu);
    free(pmu->counters);
    free(pmu);
}

const struct collector_ops collector_pmu = {
    .abi = COLLECTOR_ABI,
    .name = "pmu",
    .summary = "cycles, instructions, cache misses where the PMU passes a self-test; else software events",
    .in_timing = false,
    .open = pmu_collector_open,
    .begin = pmu_begin,
    .end = pmu_end,
    .close = pmu_close,
};
