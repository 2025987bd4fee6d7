// SPDX-License-Identifier: Apache-2.0
// Performance counters of the sample: the events and metrics of the file that describes this CPU (pmu_file.h) where the
// PMU exists and passes its self-test, and the kernel's software events.
//
// With the right to count whole CPUs (root, or perf_event_paranoid <= 0) the job's CPUs are counted, all that runs
// there included. Otherwise the job's threads are: those that exist when the sample begins and what they start later.
// Counting threads makes every context switch dearer, so this collector takes part in attribution samples only.
#include "collectors/collectors.h"
#include "collectors/pmu_events.h"
#include "collectors/pmu_file.h"
#include "collectors/proc_stat.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/paths.h"
#include "core/str.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define RATE_TOLERANCE 0.02  // of the reference clock's rate; how far it lies from 1 decides whether it can be used
#define WHOLE_SHARE    0.999 // counted practically all the time

struct counter {
    int fd;
    size_t event; // the file's events first, then the software events
    bool leads;
};

struct pmu {
    struct pmu_file file; // without events where there is no PMU
    bool whole_cpus;
    bool user_only;           // threads are counted in user mode only
    bool *usable;             // by event
    double clock_hz;          // at which ref_cycles count; NaN if they do not
    struct counter *counters; // in a sample
    size_t count;
    size_t capacity;
    struct proc_stat before; // in a sample
    uint64_t before_ns;
};

static size_t event_count(const struct pmu *pmu) {
    return pmu->file.event_count + PMU_SOFTWARE_COUNT;
}

static const char *event_name(const struct pmu *pmu, size_t event) {
    return event < pmu->file.event_count ? pmu->file.events[event].full
                                         : pmu_software[event - pmu->file.event_count].name;
}

// Software events make up a group of their own, behind the file's.
static size_t group_of(const struct pmu *pmu, size_t event) {
    const size_t last = pmu->file.event_count ? pmu->file.events[pmu->file.event_count - 1].group + 1 : 0;
    return event < pmu->file.event_count ? pmu->file.events[event].group : last;
}

// --- opening ------------------------------------------------------------------------------------------------------

// Whether the event can be opened here, closed at once. 0 or the error.
static int try_event(const struct pmu *pmu, const char *name) {
    const struct pmu_target target = {
        .pid = pmu->whole_cpus ? -1 : 0,
        .cpu = pmu->whole_cpus ? sched_getcpu() : -1,
        .user_only = pmu->user_only,
    };
    int fd = pmu_open(name, &target, -1);
    if (fd < 0)
        return -fd;
    close(fd);
    return 0;
}

// Chooses the widest view that is allowed: whole CPUs, else threads, else threads in user mode.
static int choose_scope(struct pmu *pmu) {
    const char *probe = pmu_software[PMU_PAGE_FAULTS].name;
    pmu->whole_cpus = true;
    int error = try_event(pmu, probe);
    if (!error)
        return 0;
    pmu->whole_cpus = false;
    error = try_event(pmu, probe);
    pmu->user_only = error != 0;
    return error ? try_event(pmu, probe) : 0;
}

// One file descriptor for each event and CPU: raise the soft limit to what the hard one allows.
static void allow_many_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// Loads the metric file of this CPU; without one the PMU stays unused, and `why` says so.
static bool load_file(struct pmu *pmu, char *why, size_t size) {
    struct paths paths;
    struct error err;
    char cpu[64];
    pmu_cpu_id(cpu, sizeof cpu);
    int failed = paths_find(&paths, &err);
    if (!failed)
        failed = pmu_file_find(paths.pmu_metrics, cpu, &pmu->file, &err);
    if (failed)
        error_line(&err, why, size);
    paths_free(&paths);
    return !failed;
}

// Time by the reference clock needs that its rate is the one of the guest's clock: a host that scales the TSC, or a PMU
// that counts something else, would turn every such figure wrong.
static void check_clock(struct pmu *pmu, const struct collect_options *options) {
    pmu->clock_hz = NAN;
    for (size_t i = 0; i < pmu->file.event_count; i++) {
        if (strcmp(pmu->file.events[i].name, "ref_cycles") != 0 || !pmu->usable[i] || pmu->user_only)
            continue;
        const double rate = pmu_reference_rate(pmu->file.events[i].full);
        if (options->calibration && options->calibration->tsc_hz > 0 && fabs(rate - 1) <= RATE_TOLERANCE)
            pmu->clock_hz = options->calibration->tsc_hz;
    }
}

// Which events work. Returns how many; names those of the file that do not.
static size_t try_events(struct pmu *pmu, struct str *missing) {
    size_t usable = 0;
    pmu->usable = mem_alloc(event_count(pmu) * sizeof *pmu->usable);
    for (size_t i = 0; i < event_count(pmu); i++) {
        pmu->usable[i] = try_event(pmu, event_name(pmu, i)) == 0;
        usable += pmu->usable[i];
        if (!pmu->usable[i] && i < pmu->file.event_count)
            str_printf(missing, "%s %s", missing->length ? "," : "", pmu->file.events[i].name);
    }
    return usable;
}

static void pmu_close(void *state);

static void *pmu_collector_open(const struct collect_options *options, struct collector_status *status) {
    char why[192] = "";
    char hint[128] = "";
    struct str missing = {0};
    struct pmu *pmu = mem_alloc(sizeof *pmu);
    bool hardware = pmu_self_test(why, sizeof why, hint, sizeof hint) && load_file(pmu, why, sizeof why);
    int error = choose_scope(pmu);
    status->state = COLLECTOR_ACTIVE;
    if (!try_events(pmu, &missing)) {
        collector_say(status, COLLECTOR_UNAVAILABLE, "run as root, or: sysctl kernel.perf_event_paranoid=1",
                      "%s; nor software events: %s", why, strerror(error));
        pmu_close(pmu);
        str_free(&missing);
        return NULL;
    }
    if (!hardware)
        collector_say(status, COLLECTOR_DEGRADED, hint, "software events only: %s", why);
    else if (missing.length)
        collector_say(status, COLLECTOR_DEGRADED, "bare metal, or a host that lets the guest have these events",
                      "of the events for %s there are not here:%s", pmu->file.title, str_text(&missing));
    str_free(&missing);
    check_clock(pmu, options);
    allow_many_files();
    return pmu;
}

// --- a sample: begin ----------------------------------------------------------------------------------------------

static void close_counters(struct pmu *pmu) {
    for (size_t i = 0; i < pmu->count; i++)
        close(pmu->counters[i].fd);
    pmu->count = 0;
}

// The leader of a group among the counters from `first` on, or -1.
static int leader_of(const struct pmu *pmu, size_t first, size_t group) {
    for (size_t i = first; i < pmu->count; i++) {
        if (pmu->counters[i].leads && group_of(pmu, pmu->counters[i].event) == group)
            return pmu->counters[i].fd;
    }
    return -1;
}

// Opens all usable events of one thread or CPU. An event for which its group has no room counts alone. 0 or -errno.
static int open_events(struct pmu *pmu, pid_t pid, int cpu) {
    const struct pmu_target target = {.pid = pid, .cpu = cpu, .user_only = pmu->user_only};
    const size_t first = pmu->count;
    for (size_t i = 0; i < event_count(pmu); i++) {
        if (!pmu->usable[i])
            continue;
        const char *name = event_name(pmu, i);
        int leader = leader_of(pmu, first, group_of(pmu, i));
        int fd = pmu_open(name, &target, leader);
        if (fd == -EINVAL && leader >= 0)
            fd = pmu_open(name, &target, leader = -1);
        if (fd < 0)
            return fd;
        struct counter counter = {.fd = fd, .event = i, .leads = leader < 0};
        ARRAY_PUSH(pmu->counters, pmu->count, pmu->capacity, counter);
    }
    int result = 0;
    for (size_t i = first; i < pmu->count && result == 0; i++)
        result = pmu->counters[i].leads ? pmu_enable(pmu->counters[i].fd) : 0;
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
    if (result) {
        close_counters(pmu);
        error_set(err, EXIT_CODE_LACKS, "opening performance counters of %s", pmu->whole_cpus ? "the CPUs" : "the job");
        error_why(err, "%s", strerror(-result));
        return result == -EMFILE ? error_remedy(err, "allow more open files: ulimit -n") : -1;
    }
    pmu->before_ns = clock_now_ns();
    if (pmu->whole_cpus && proc_stat_read("/proc/stat", &pmu->before, err)) {
        close_counters(pmu);
        return -1;
    }
    return 0;
}

// --- a sample: end ------------------------------------------------------------------------------------------------

// What was counted, by event, and the values of formulas behind the file's events.
struct counts {
    double *values;     // NaN: not counted
    double *sums;       // all events, software ones in their units; NaN: not counted
    double least_share; // of the time that a counter ran, over all of them
};

static void read_counters(const struct pmu *pmu, struct counts *out) {
    out->least_share = 1;
    out->sums = mem_alloc(event_count(pmu) * sizeof *out->sums);
    for (size_t i = 0; i < event_count(pmu); i++)
        out->sums[i] = pmu->usable[i] ? 0 : NAN;
    for (size_t i = 0; i < pmu->count; i++) {
        const size_t event = pmu->counters[i].event;
        const double unit = event < pmu->file.event_count ? 1 : pmu_software[event - pmu->file.event_count].unit;
        struct pmu_count count = {0};
        bool lost = pmu_read(pmu->counters[i].fd, &count) || count.running_share == 0;
        out->sums[event] = lost ? NAN : out->sums[event] + count.value * unit;
        out->least_share = fmin(out->least_share, count.running_share);
    }
}

// CPU-seconds in which what was counted was not idle, as the guest's clock has them: steal and exits are in there.
static double busy_s(const struct pmu *pmu, const struct counts *counts, const cpu_set_t *cpus) {
    if (!pmu->whole_cpus)
        return pmu->user_only ? NAN : counts->sums[pmu->file.event_count + PMU_TASK_CLOCK];
    struct proc_stat after;
    unsigned found = 0;
    double elapsed_s = (double)(clock_now_ns() - pmu->before_ns) * 1e-9;
    if (proc_stat_read("/proc/stat", &after, NULL))
        return NAN;
    double idle_s = proc_stat_seconds(&pmu->before, &after, cpus, CPU_IDLE, &found) +
                    proc_stat_seconds(&pmu->before, &after, cpus, CPU_IOWAIT, NULL);
    proc_stat_free(&after);
    return fmax(elapsed_s * found - idle_s, 0);
}

static void set_values(const struct pmu *pmu, const cpu_set_t *cpus, struct counts *counts) {
    const size_t events = pmu->file.event_count;
    counts->values = mem_alloc((events + PMU_VALUE_COUNT) * sizeof *counts->values);
    memcpy(counts->values, counts->sums, events * sizeof *counts->values);
    counts->values[events + PMU_VALUE_BUSY_S] = busy_s(pmu, counts, cpus);
    counts->values[events + PMU_VALUE_CLOCK_HZ] = pmu->clock_hz;
}

// A counter that had to take turns saw a share of the time only. If the rest had been wholly different, the scaled
// figure would be off by as much as that rest: the standard error.
static void observe(const struct pmu *pmu, const struct pmu_metric *m, double value, double share,
                    struct collector_output *out) {
    struct observation o = {.cause = m->cause, .scope = SCOPE_CPU, .detail = cJSON_CreateObject()};
    if (m->use == PMU_METRIC_SECONDS) {
        o.basis = share < WHOLE_SHARE ? BASIS_SAMPLED : BASIS_TIMED;
        o.seconds = value;
        o.se = (1 - share) * value;
    } else {
        o.basis = BASIS_COUNTED;
        o.count = (uint64_t)llround(value);
    }
    json_add_string(o.detail, "source", "pmu");
    json_add_string(o.detail, "file", pmu->file.name);
    json_add_string(o.detail, "metric", m->name);
    observations_add(out->obs, o);
}

// True if this machine can tell the metric: it has a value where all events that work have one.
static bool can_tell(const struct pmu *pmu, const struct pmu_metric *m, const struct counts *counts) {
    const size_t events = pmu->file.event_count;
    double *values = mem_alloc((events + PMU_VALUE_COUNT) * sizeof *values);
    memcpy(values, counts->values, (events + PMU_VALUE_COUNT) * sizeof *values);
    for (size_t i = 0; i < events; i++)
        values[i] = pmu->usable[i] ? 1 : NAN;
    bool can = isfinite(formula_value(&m->formula, values));
    free(values);
    return can;
}

static void cannot_tell(const struct pmu_metric *m, struct collector_output *out) {
    static const char why[] = "the PMU had no counter free for an event that it needs";
    const enum obs_basis basis = m->use == PMU_METRIC_SECONDS ? BASIS_COUNT : BASIS_COUNTED;
    observations_untold(out->obs, (struct untold){m->cause, SCOPE_CPU, basis, (char *)why}); // copied
}

static void report_metrics(const struct pmu *pmu, const struct counts *counts, struct collector_output *out) {
    if (!pmu->file.metric_count)
        return;
    cJSON *metrics = cJSON_AddObjectToObject(out->circumstances, "pmu_metrics");
    json_add_string(out->circumstances, "pmu_file", pmu->file.name);
    for (size_t i = 0; i < pmu->file.metric_count; i++) {
        const struct pmu_metric *m = &pmu->file.metrics[i];
        const double value = formula_value(&m->formula, counts->values);
        if (!isfinite(value) && m->use != PMU_METRIC_DESCRIPTION && can_tell(pmu, m, counts))
            cannot_tell(m, out);
        if (!isfinite(value))
            continue;
        json_add_double(metrics, m->name, value);
        if (m->use != PMU_METRIC_DESCRIPTION && value >= 0)
            observe(pmu, m, value, counts->least_share, out);
    }
}

static void report_events(const struct pmu *pmu, const struct counts *counts, struct collector_output *out) {
    for (size_t i = 0; i < event_count(pmu); i++) {
        char key[64];
        if (isnan(counts->sums[i]))
            continue;
        if (i < pmu->file.event_count)
            snprintf(key, sizeof key, "pmu_%s", pmu->file.events[i].name);
        else
            snprintf(key, sizeof key, "%s", pmu_software[i - pmu->file.event_count].key);
        json_add_double(out->circumstances, key, counts->sums[i]);
    }
    json_add_string(out->circumstances, "pmu_scope", pmu->whole_cpus ? "cpus" : "threads");
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
    struct counts counts;
    (void)err;
    read_counters(pmu, &counts);
    set_values(pmu, window->cpus, &counts);
    close_counters(pmu);
    report_events(pmu, &counts, out);
    report_metrics(pmu, &counts, out);
    if (counts.least_share < WHOLE_SHARE)
        note_share(out, counts.least_share);
    proc_stat_free(&pmu->before);
    free(counts.values);
    free(counts.sums);
    return 0;
}

static void pmu_close(void *state) {
    struct pmu *pmu = state;
    close_counters(pmu);
    proc_stat_free(&pmu->before);
    pmu_file_free(&pmu->file);
    free(pmu->counters);
    free(pmu->usable);
    free(pmu);
}

const struct collector_ops collector_pmu = {
    .abi = COLLECTOR_ABI,
    .name = "pmu",
    .summary = "cycles, instructions, page walks, cache misses where the PMU passes a self-test; else software events",
    .in_timing = false,
    .open = pmu_collector_open,
    .begin = pmu_begin,
    .end = pmu_end,
    .close = pmu_close,
};
