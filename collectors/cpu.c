// SPDX-License-Identifier: Apache-2.0
// What else the job's CPUs did: other threads, interrupts and softirqs of the guest's own kernel, context switches,
// load, frequency, clock source. All from /proc and sysfs: works for every user, costs nothing during the work.
#include "collectors/collectors.h"
#include "collectors/proc_stat.h"
#include "core/clock.h"
#include "core/memory.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST         0.9 // share of the job's CPU time that its live threads must account for
#define CLOCK_SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"

struct cpu {
    struct proc_stat before;
    uint64_t before_ns; // CLOCK_MONOTONIC of that reading
    double waited_s;    // waited_for_cpu_s() at that time
    char *clock_source; // at open; NULL if unknown
};

// The first line of a small file without its newline; free() it. NULL if it cannot be read.
static char *first_line(const char *path) {
    size_t length;
    char *text = json_read_file(path, 1U << 16, &length, NULL);
    if (text)
        text[strcspn(text, "\n")] = '\0';
    return text;
}

// Time since boot in which some thread could run and had no CPU; NaN where the kernel does not tell.
static double waited_for_cpu_s(void) {
    unsigned long long total_us = 0;
    char *text = first_line("/proc/pressure/cpu");
    const char *at = text ? strstr(text, "total=") : NULL;
    const bool found = at && sscanf(at, "total=%llu", &total_us) == 1;
    free(text);
    return found ? (double)total_us * 1e-6 : NAN;
}

static void *cpu_open(const struct collect_options *options, struct collector_status *status) {
    (void)options;
    struct error err;
    struct cpu *cpu = mem_alloc(sizeof *cpu);
    if (proc_stat_read("/proc/stat", &cpu->before, &err)) {
        collector_say(status, COLLECTOR_UNAVAILABLE, "mount /proc", "reading /proc/stat: %s", err.why);
        free(cpu);
        return NULL;
    }
    proc_stat_free(&cpu->before);
    cpu->clock_source = first_line(CLOCK_SOURCE);
    status->state = COLLECTOR_ACTIVE;
    return cpu;
}

static int cpu_begin(void *state, const struct sample_window *window, struct error *err) {
    struct cpu *cpu = state;
    cpu->before_ns = clock_now_ns();
    cpu->waited_s = window->job ? NAN : waited_for_cpu_s();
    return proc_stat_read("/proc/stat", &cpu->before, err);
}

// Most kernels book whole ticks to whoever runs when they come: exit_timing times handlers one by one.
static void add_sampled(struct collector_output *out, enum cause cause, double seconds, double se) {
    observations_add(out->obs, (struct observation){
                                   .cause = cause,
                                   .scope = SCOPE_CPU,
                                   .basis = BASIS_SAMPLED,
                                   .seconds = seconds,
                                   .se = se,
                               });
}

// Mean of the frequencies that cpufreq tells for the CPUs of the set now, in MHz; NaN in most guests, which have no
// cpufreq ("cpu MHz" of /proc/cpuinfo is there too, but in a guest that is the TSC's rate and says nothing).
static double frequency_mhz(const cpu_set_t *cpus) {
    double sum = 0;
    int count = 0;
    for (int i = 0; i < CPU_SETSIZE; i++) {
        char path[96];
        if (!CPU_ISSET(i, cpus))
            continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", i);
        char *text = first_line(path);
        if (!text)
            return NAN; // all of them or none
        sum += strtod(text, NULL) / 1e3;
        count++;
        free(text);
    }
    return count ? sum / count : NAN;
}

// The hottest thermal zone, in degrees Celsius; NaN where there is none, as in most guests.
static double temperature_c(void) {
    double hottest = NAN;
    for (int zone = 0; zone < 64; zone++) {
        char path[96];
        snprintf(path, sizeof path, "/sys/class/thermal/thermal_zone%d/temp", zone);
        char *text = first_line(path);
        if (text)
            hottest = fmax(hottest, strtod(text, NULL) / 1e3);
        free(text);
        if (!text)
            break;
    }
    return hottest;
}

static void add_machine(const struct cpu *cpu, const struct sample_window *window, struct collector_output *out) {
    double mhz = frequency_mhz(window->cpus);
    if (isfinite(mhz))
        json_add_double(out->circumstances, "cpu_mhz", mhz);
    double degrees = temperature_c();
    if (isfinite(degrees))
        json_add_double(out->circumstances, "temperature_c", degrees);
    char *load = first_line("/proc/loadavg");
    if (load)
        json_add_double(out->circumstances, "loadavg_1min", strtod(load, NULL));
    free(load);
    char *source = first_line(CLOCK_SOURCE);
    if (source && cpu->clock_source && strcmp(source, cpu->clock_source) != 0) {
        char *text = mem_printf("the clock source changed from %s to %s during the run", cpu->clock_source, source);
        cJSON_AddItemToArray(out->notes, cJSON_CreateString(text));
        free(text);
    }
    free(source);
}

// True if the eBPF counters, which end their sample before this collector, have told it.
static bool ended_told(const struct observations *obs) {
    for (size_t i = 0; i < obs->count; i++)
        if (obs->items[i].cause == CAUSE_GUEST_THREADS && obs->items[i].basis == BASIS_TIMED)
            return true;
    return false;
}

// What the job lost to other threads is the time in which it could have run and waited. The live threads know theirs;
// of those that ended, the eBPF counters tell (collector guest_exits). Where most of the job's work was done by
// processes that are gone, the rest is no measure of the whole: then it is not told in seconds here.
static void add_waiting(const struct sample_window *window, struct collector_output *out) {
    bool most = window->live.run_s >= MOST * window->cpu_s;
    if (!most && !ended_told(out->obs))
        observations_untold(out->obs, (struct untold){CAUSE_GUEST_THREADS, SCOPE_CPU, BASIS_TIMED,
                                                      "most of the job's work was done by processes that have ended"});
    observations_add(out->obs, (struct observation){
                                   .cause = CAUSE_GUEST_THREADS,
                                   .scope = SCOPE_CPU,
                                   .basis = most ? BASIS_TIMED : BASIS_COUNTED,
                                   .seconds = most ? window->live.wait_s : 0,
                               });
}

// Without a job: the busy share of each CPU, and how much of the time some thread waited for one (PSI, Linux 4.20).
static void add_busy(const struct cpu *cpu, const struct proc_stat *after, double elapsed_s, const cpu_set_t *cpus,
                     struct collector_output *out) {
    static const enum cpu_time idle_times[] = {CPU_IDLE, CPU_IOWAIT, CPU_STEAL};
    cJSON *shares = cJSON_AddObjectToObject(out->circumstances, "busy");
    for (int i = 0; i < CPU_SETSIZE && elapsed_s > 0; i++) {
        char name[16];
        cpu_set_t one;
        unsigned found = 0;
        double idle_s = 0;
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        for (size_t t = 0; t < ARRAY_LEN(idle_times) && CPU_ISSET(i, cpus); t++)
            idle_s += proc_stat_seconds(&cpu->before, after, &one, idle_times[t], &found);
        snprintf(name, sizeof name, "cpu%d", i);
        if (found)
            json_add_double(shares, name, fmin(fmax(1 - idle_s / elapsed_s, 0), 1));
    }
    const double waited_s = waited_for_cpu_s() - cpu->waited_s;
    if (elapsed_s > 0 && isfinite(waited_s))
        json_add_double(out->circumstances, "cpu_pressure", fmin(fmax(waited_s / elapsed_s, 0), 1));
}

// Busy time of the job's CPUs that was not the job's: a circumstance, not a loss. Never below 0: where the job's own
// accounting exceeds the ticks, the difference is sampling error, which the standard error tells.
static void add_time(const struct cpu *cpu, const struct proc_stat *after, double elapsed_s,
                     const struct sample_window *window, struct collector_output *out) {
    static const enum cpu_time thread_times[] = {CPU_USER, CPU_NICE, CPU_SYSTEM};
    unsigned cpus = 0;
    double busy = 0;
    for (size_t i = 0; i < ARRAY_LEN(thread_times); i++)
        busy += proc_stat_seconds(&cpu->before, after, window->cpus, thread_times[i], &cpus);
    double irq = proc_stat_seconds(&cpu->before, after, window->cpus, CPU_IRQ, NULL);
    double softirq = proc_stat_seconds(&cpu->before, after, window->cpus, CPU_SOFTIRQ, NULL);
    add_sampled(out, CAUSE_GUEST_IRQ, irq, proc_stat_sampling_se(irq, elapsed_s, cpus));
    add_sampled(out, CAUSE_GUEST_SOFTIRQ, softirq, proc_stat_sampling_se(softirq, elapsed_s, cpus));
    if (window->job) {
        const double foreign = fmax(busy - window->cpu_s, 0);
        json_add_double(out->circumstances, "cpu_s", window->cpu_s);
        if (elapsed_s > 0 && cpus)
            json_add_double(out->circumstances, "foreign_cpu", fmin(foreign / (elapsed_s * cpus), 1));
    } else {
        add_busy(cpu, after, elapsed_s, window->cpus, out);
    }
    json_add_u64(out->circumstances, "context_switches", after->context_switches - cpu->before.context_switches);
}

static int cpu_end(void *state, const struct sample_window *window, struct collector_output *out, struct error *err) {
    struct cpu *cpu = state;
    struct proc_stat after;
    double elapsed_s = (double)(clock_now_ns() - cpu->before_ns) * 1e-9;
    int result = proc_stat_read("/proc/stat", &after, err);
    if (result == 0) {
        if (window->job)
            add_waiting(window, out);
        add_time(cpu, &after, elapsed_s, window, out);
        proc_stat_free(&after);
        add_machine(cpu, window, out);
    }
    proc_stat_free(&cpu->before);
    return result;
}

static void cpu_close(void *state) {
    struct cpu *cpu = state;
    proc_stat_free(&cpu->before);
    free(cpu->clock_source);
    free(cpu);
}

const struct collector_ops collector_cpu = {
    .abi = COLLECTOR_ABI,
    .name = "cpu",
    .summary = "other threads, interrupts and softirqs on the job's CPUs; load, switches, frequency (/proc, sysfs)",
    .in_timing = true,
    .open = cpu_open,
    .begin = cpu_begin,
    .end = cpu_end,
    .close = cpu_close,
};
