// SPDX-License-Identifier: Apache-2.0
// Steal time: how long the job's vCPUs were ready to run and the host ran something else, as the hypervisor's clock
// told the guest's kernel. Source: the steal column of /proc/stat. A hypervisor without such a clock leaves it at 0,
// which then proves nothing; and time spent in handling exits is not steal under any hypervisor.
//
// The clock counts an idle vCPU, too, from the event that wakes it until it has a CPU. Nothing that could run was kept
// from running before that event, and whoever waited for it has that time in his wait: where eBPF tells this part it is
// told apart, as latency.
#include "collectors/collectors.h"
#include "collectors/idle_steal.h"
#include "collectors/proc_stat.h"
#include "collectors/steal_clock.h"
#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct steal {
    struct proc_stat before;
    struct steal_clock clock;
    struct idle_steal *idle; // NULL: not known
    double idle_before_s;
    struct probe_cost cost_before;
};

static void *steal_open(const struct collect_options *options, struct collector_status *status) {
    (void)options;
    status->state = COLLECTOR_ACTIVE;
    struct error err;
    struct steal *steal = mem_alloc(sizeof *steal);
    if (proc_stat_read("/proc/stat", &steal->before, &err)) {
        collector_say(status, COLLECTOR_UNAVAILABLE, "mount /proc", "reading /proc/stat: %s", err.why);
        free(steal);
        return NULL;
    }
    steal_clock_find(&steal->before, &steal->clock);
    proc_stat_free(&steal->before);
    if (steal->clock.counts)
        steal->idle = idle_steal_open();
    if (!steal->clock.provided)
        collector_say(status, COLLECTOR_DEGRADED, steal->clock.hint, "%s", steal->clock.reason);
    return steal;
}

static int steal_begin(void *state, const struct sample_window *window, struct error *err) {
    struct steal *steal = state;
    steal->idle_before_s = idle_steal_seconds(steal->idle, window->cpus);
    steal->cost_before = idle_steal_cost(steal->idle);
    return proc_stat_read("/proc/stat", &steal->before, err);
}

static cJSON *per_cpu(const struct proc_stat *before, const struct proc_stat *after, const cpu_set_t *cpus) {
    cJSON *list = cJSON_CreateObject();
    for (size_t cpu = 0; cpu < after->count; cpu++) {
        cpu_set_t one;
        char name[16];
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        double seconds = proc_stat_seconds(before, after, &one, CPU_STEAL, NULL);
        if (!CPU_ISSET(cpu, cpus) || seconds <= 0)
            continue;
        snprintf(name, sizeof name, "cpu%zu", cpu);
        json_add_double(list, name, seconds);
    }
    return list;
}

static void report_idle(double seconds, struct collector_output *out) {
    struct observation o = {
        .cause = CAUSE_HOST_STEAL, .scope = SCOPE_LATENCY, .basis = BASIS_TIMED, .seconds = seconds};
    o.detail = cJSON_CreateObject();
    cJSON_AddTrueToObject(o.detail, "idle");
    observations_add(out->obs, o);
}

// What the program cost, by the kernel's statistics where somebody has switched them on. They are machine-wide: shared
// out evenly over the CPUs.
static void report_cost(const struct steal *steal, const cpu_set_t *cpus, struct collector_output *out) {
    struct probe_cost now = idle_steal_cost(steal->idle);
    double share = probe_share(cpus);
    if (now.runs <= steal->cost_before.runs)
        return;
    struct observation o = {.cause = CAUSE_OBSERVER, .scope = SCOPE_CPU, .basis = BASIS_TIMED};
    o.count = (uint64_t)((double)(now.runs - steal->cost_before.runs) * share);
    o.seconds = (double)(now.run_ns - steal->cost_before.run_ns) * 1e-9 * share;
    observations_add(out->obs, o);
}

static void report(const struct steal *steal, const struct proc_stat *after, const struct sample_window *window,
                   struct collector_output *out) {
    unsigned cpus = 0;
    double seconds = proc_stat_seconds(&steal->before, after, window->cpus, CPU_STEAL, &cpus);
    double idle = idle_steal_seconds(steal->idle, window->cpus) - steal->idle_before_s;
    if (!steal->clock.provided && seconds <= 0)
        return; // no clock, no statement
    struct observation o = {
        .cause = CAUSE_HOST_STEAL,
        .scope = SCOPE_CPU,
        .basis = BASIS_TIMED,
        .seconds = fmax(seconds - idle, 0), // `seconds` is in whole ticks
        .se = proc_stat_quantum_se(cpus),
        .detail = cJSON_CreateObject(),
    };
    cJSON_AddItemToObject(o.detail, "cpu_s", per_cpu(&steal->before, after, window->cpus));
    json_add_double(o.detail, "tick_s", 1 / proc_stat_hz());
    observations_add(out->obs, o);
    if (idle > 0)
        report_idle(idle, out);
    report_cost(steal, window->cpus, out);
}

static int steal_end(void *state, const struct sample_window *window, struct collector_output *out, struct error *err) {
    struct steal *steal = state;
    struct proc_stat after;
    int result = proc_stat_read("/proc/stat", &after, err);
    if (result == 0) {
        report(steal, &after, window, out);
        proc_stat_free(&after);
    }
    proc_stat_free(&steal->before);
    return result;
}

static void steal_close(void *state) {
    struct steal *steal = state;
    proc_stat_free(&steal->before);
    idle_steal_close(steal->idle);
    free(steal);
}

const struct collector_ops collector_steal = {
    .abi = COLLECTOR_ABI,
    .name = "steal",
    .summary = "time that the host took from the job's vCPUs, as its clock told (/proc/stat)",
    .in_timing = true,
    .open = steal_open,
    .begin = steal_begin,
    .end = steal_end,
    .close = steal_close,
};
