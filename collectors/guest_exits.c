// SPDX-License-Identifier: Apache-2.0
// Exits that the guest's own kernel can be seen making, counted by eBPF and priced by the calibration.
//
// Programs for timing samples are attached once, at open(); a sample reads the counters before and after. The rest is
// attached for attribution samples only. Those also have the kernel's BPF statistics on, and tell as `observer` what
// the programs cost; in timing samples the statistics are off, since they cost more than the counting.
#include "collectors/collectors.h"
#include "collectors/guest_counts.h"
#include "collectors/hypervisor.h"
#include "collectors/probe.h"
#include "core/arch.h"
#include "core/memory.h"
#include "core/str.h"
#include "probes/guest_exits.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_SOURCES ARRAY_LEN(((struct guest_facts *)0)->attached)

struct guest_exits {
    struct guest_exits_bpf *bpf;
    struct guest_exits_cpu *counters; // the kernel's, mapped; by CPU number
    struct probe_job *job;            // mapped: whom to count apart
    struct guest_exits_cpu *before;   // copies
    struct guest_exits_cpu *after;
    size_t cpus;                // possible CPUs
    struct bpf_link *switches;  // tells the job's tasks apart; NULL: everything counts as the job's
    struct bpf_link *task_ends; // NULL: not attached
    const struct calibration *calibration;
    bool hypervisor;
    bool xen;       // IPIs come through event channels: their arrival is a device's interrupt here
    unsigned armed; // timers, by check_timer()
    struct bpf_program *programs[MAX_SOURCES]; // by index in guest_sources; NULL: not on this machine
    struct bpf_link *links[MAX_SOURCES];       // NULL: not attached now
    bool attachable[MAX_SOURCES];
    int stats_fd; // in an attribution sample; -1 otherwise
    struct probe_cost cost_before[MAX_SOURCES];
    struct probe_cost switches_before;
};

// --- opening ------------------------------------------------------------------------------------------------------

static size_t map_bytes(const struct guest_exits *g) {
    return g->cpus * sizeof *g->counters;
}

static int open_and_load(struct guest_exits *g, bool with_types) {
    g->bpf = guest_exits_bpf__open();
    if (!g->bpf)
        return -errno;
    bpf_map__set_max_entries(g->bpf->maps.cpus, (unsigned)g->cpus);
    bpf_program__set_autoload(g->bpf->progs.on_sched_switch, with_types);
    bpf_program__set_autoload(g->bpf->progs.on_sched_process_exit, with_types);
    bpf_program__set_autoload(g->bpf->progs.look, with_types);
    int result = guest_exits_bpf__load(g->bpf);
    if (result) {
        guest_exits_bpf__destroy(g->bpf);
        g->bpf = NULL;
    }
    return result;
}

static int load(struct guest_exits *g) {
    int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0)
        return cpus;
    g->cpus = (size_t)cpus;
    // The programs that read kernel structures need BTF of the running kernel; the others do not.
    int result = open_and_load(g, true);
    if (result && result != -EPERM)
        result = open_and_load(g, false);
    if (result)
        return result;
    g->counters = probe_map(g->bpf->maps.cpus, map_bytes(g));
    g->job = probe_map(g->bpf->maps.job, sizeof *g->job);
    if (!g->counters || !g->job)
        return -errno;
    g->before = mem_alloc(map_bytes(g));
    g->after = mem_alloc(map_bytes(g));
    return 0;
}

static struct bpf_link *attach_if_loaded(const struct bpf_program *program) {
    return bpf_program__fd(program) >= 0 ? bpf_program__attach(program) : NULL;
}

static void attach_job(struct guest_exits *g, struct collector_status *status) {
    g->switches = attach_if_loaded(g->bpf->progs.on_sched_switch);
    g->task_ends = g->switches ? attach_if_loaded(g->bpf->progs.on_sched_process_exit) : NULL;
    for (size_t cpu = 0; !g->switches && cpu < g->cpus; cpu++)
        g->counters[cpu].current = WHOSE_JOB;
    if (!g->switches)
        collector_say(status, COLLECTOR_DEGRADED, "a kernel with CONFIG_DEBUG_INFO_BTF",
                      "sched_switch cannot be traced: other programs' exits on the job's CPUs count as the job's");
}

static int attach(struct guest_exits *g, size_t i) {
    g->links[i] = bpf_program__attach(g->programs[i]);
    return g->links[i] ? 0 : -errno;
}

static void detach(struct guest_exits *g, size_t i) {
    bpf_link__destroy(g->links[i]); // NULL is fine
    g->links[i] = NULL;
}

static struct bpf_program *program_of(const struct guest_exits *g, const struct guest_source *source) {
    char name[64];
    if (source->machine && strcmp(source->machine, arch_name) != 0)
        return NULL;
    if (source->event == EVENT_XEN_CALLS && !g->xen) // elsewhere its 0 would speak for other hypervisors' calls, too
        return NULL;
    snprintf(name, sizeof name, "on_%s", source->tracepoint);
    return bpf_object__find_program_by_name(g->bpf->obj, name);
}

// Tries every tracepoint, keeps those that are cheap attached, and tells what is missing.
static size_t attach_sources(struct guest_exits *g, struct collector_status *status) {
    size_t attached = 0;
    struct str missing = {0};
    int reason = 0;
    for (size_t i = 0; i < guest_source_count; i++) {
        const struct guest_source *source = &guest_sources[i];
        g->programs[i] = program_of(g, source);
        if (!g->programs[i])
            continue;
        int result = attach(g, i);
        g->attachable[i] = result == 0;
        attached += result == 0;
        if (source->phase == PHASE_ATTRIBUTION)
            detach(g, i);
        if (result && source->needed) {
            str_printf(&missing, "%s%s", missing.length ? ", " : "", source->tracepoint);
            reason = -result;
        }
    }
    if (missing.length) {
        str_add(&missing, " cannot be traced");
        probe_refused(status, str_text(&missing), reason);
        if (attached)
            status->state = COLLECTOR_DEGRADED;
    }
    str_free(&missing);
    return attached;
}

static void find_blind_spots(const struct guest_exits *g, struct guest_facts *facts) {
    struct guest_counts since_attach;
    guest_counts_sum(NULL, g->counters, g->cpus, NULL, WHOSE_COUNT, &since_attach);
    guest_find_blind_spots(&since_attach, g->armed, facts);
    facts->blind_ipi |= g->xen && sysconf(_SC_NPROCESSORS_ONLN) > 1;
    free(since_attach.msrs);
}

// Some naps arm a timer each: are these seen?
static void check_timer(struct guest_exits *g, struct collector_status *status) {
    enum { NAPS = 30 };
    struct guest_facts facts = {0};
    for (int i = 0; i < NAPS; i++)
        g->armed += nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL) == 0;
    find_blind_spots(g, &facts);
    if (facts.blind_timer && status->state == COLLECTOR_ACTIVE)
        collector_say(status, COLLECTOR_DEGRADED,
                      g->xen ? "the collector exit_timing times them"
                             : "x2APIC mode and the TSC-deadline timer, if the host offers them",
                      "exit.timer is not measured: timers are armed without a traced register write");
}

static void guest_exits_close(void *state) {
    struct guest_exits *g = state;
    for (size_t i = 0; i < guest_source_count; i++)
        detach(g, i);
    if (g->stats_fd >= 0)
        close(g->stats_fd);
    bpf_link__destroy(g->switches);
    bpf_link__destroy(g->task_ends);
    if (g->counters)
        munmap(g->counters, map_bytes(g));
    if (g->job)
        munmap(g->job, sizeof *g->job);
    guest_exits_bpf__destroy(g->bpf); // NULL is fine
    free(g->before);
    free(g->after);
    free(g);
}

static void *guest_exits_open(const struct collect_options *options, struct collector_status *status) {
    status->state = COLLECTOR_ACTIVE;
    probe_quiet();
    struct guest_exits *g = mem_alloc(sizeof *g);
    g->stats_fd = -1;
    g->calibration = options->calibration;
    g->hypervisor = hypervisor_below();
    g->xen = hypervisor_is_xen();
    int result = load(g);
    if (result)
        probe_refused(status, "loading the eBPF programs", -result);
    if (result || !attach_sources(g, status)) {
        guest_exits_close(g);
        return NULL;
    }
    attach_job(g, status);
    check_timer(g, status);
    return g;
}

// --- samples ------------------------------------------------------------------------------------------------------

static void read_costs(const struct guest_exits *g, struct probe_cost *costs) {
    for (size_t i = 0; i < guest_source_count; i++) {
        if (g->links[i] && probe_cost_read(g->programs[i], &costs[i]))
            costs[i] = (struct probe_cost){0};
    }
}

static struct probe_cost read_switches(const struct guest_exits *g) {
    struct probe_cost cost = {0};
    if (g->switches && probe_cost_read(g->bpf->progs.on_sched_switch, &cost))
        cost = (struct probe_cost){0};
    return cost;
}

// From now on, CPUs that run a task of this session count for the job. It may be running already: on its way to where
// it waits for the sample to begin.
static void watch_job(struct guest_exits *g, const struct sample_window *window) {
    if (!g->switches || !window->job)
        return;
    for (size_t cpu = 0; cpu < g->cpus; cpu++)
        g->counters[cpu].current = WHOSE_OTHERS;
    g->job->leader = 0;
    g->job->session = window_session(window);
    probe_look(g->bpf->progs.look, window->cpus);
}

static int guest_exits_begin(void *state, const struct sample_window *window, struct error *err) {
    struct guest_exits *g = state;
    (void)err; // a source that does not attach any more counts as not measured in this sample
    if (window->mode == MODE_ATTRIBUTION) {
        for (size_t i = 0; i < guest_source_count; i++) {
            if (g->attachable[i] && !g->links[i])
                attach(g, i);
        }
        g->stats_fd = probe_stats_on();
        read_costs(g, g->cost_before);
        g->switches_before = read_switches(g);
    }
    watch_job(g, window);
    memcpy(g->before, g->counters, map_bytes(g));
    return 0;
}

// How often a source's program counted.
static uint64_t counted(const struct guest_counts *counts, const struct guest_source *source) {
    uint64_t sum = counts->events[source->event];
    if (source->event != EVENT_MSR_DEADLINE)
        return sum;
    sum = counts->events[EVENT_MSR_OVERFLOW];
    for (size_t i = 0; i < counts->msr_count; i++)
        sum += counts->msrs[i].count;
    return sum;
}

// Switches are not counted, so their program's time is shared out evenly over the CPUs. Returns what
// was added, seconds.
static double add_switches(const struct guest_exits *g, const cpu_set_t *cpus, struct observation *o) {
    struct probe_cost now = read_switches(g);
    double runs = (double)(now.runs - g->switches_before.runs);
    if (now.runs <= g->switches_before.runs)
        return 0;
    double ns = (double)(now.run_ns - g->switches_before.run_ns);
    double share = probe_share(cpus);
    o->count += (uint64_t)(runs * share);
    o->seconds += ns * share * 1e-9;
    json_add_double(o->detail, "sched_switch_ns", ns / runs);
    return ns * share * 1e-9;
}

// What the programs cost on the job's CPUs while the job ran. The statistics are per program and machine-wide, so each
// program's time is shared out by where it counted.
static void report_cost(const struct guest_exits *g, const struct guest_counts *job, const cpu_set_t *cpus,
                        struct collector_output *out) {
    struct probe_cost costs[MAX_SOURCES] = {{0}};
    struct observation o = {.cause = CAUSE_OBSERVER, .scope = SCOPE_CPU, .basis = BASIS_TIMED};
    struct guest_counts all;
    double timing_s = 0; // of the programs that timing samples have, too
    guest_counts_sum(g->before, g->after, g->cpus, NULL, WHOSE_COUNT, &all);
    read_costs(g, costs);
    o.detail = cJSON_CreateObject();
    for (size_t i = 0; i < guest_source_count; i++) {
        uint64_t runs = costs[i].runs - g->cost_before[i].runs;
        double total = (double)counted(&all, &guest_sources[i]);
        if (!g->links[i] || runs == 0 || costs[i].runs < g->cost_before[i].runs || total == 0)
            continue;
        double ns = (double)(costs[i].run_ns - g->cost_before[i].run_ns);
        double share = (double)counted(job, &guest_sources[i]) / total;
        o.count += (uint64_t)((double)runs * share);
        o.seconds += ns * share * 1e-9;
        timing_s += guest_sources[i].phase == PHASE_ALWAYS ? ns * share * 1e-9 : 0;
        char key[64];
        snprintf(key, sizeof key, "%s_ns", guest_sources[i].tracepoint);
        json_add_double(o.detail, key, ns / (double)runs);
    }
    timing_s += add_switches(g, cpus, &o);
    json_add_double(o.detail, "timing_s", timing_s);
    observations_add(out->obs, o);
    free(all.msrs);
}

static void end_attribution(struct guest_exits *g, const struct guest_counts *counts, const cpu_set_t *cpus,
                            struct collector_output *out) {
    if (g->stats_fd >= 0) {
        report_cost(g, counts, cpus, out);
        close(g->stats_fd);
        g->stats_fd = -1;
    }
    for (size_t i = 0; i < guest_source_count; i++) {
        if (guest_sources[i].phase == PHASE_ATTRIBUTION)
            detach(g, i);
    }
}

static int guest_exits_end(void *state, const struct sample_window *window, struct collector_output *out,
                           struct error *err) {
    struct guest_exits *g = state;
    struct guest_facts facts = {
        .calibration = g->calibration, .hypervisor = g->hypervisor, .tells_jobs_apart = g->task_ends && window->job};
    struct guest_counts counts;
    (void)err;
    g->job->session = 0;
    memcpy(g->after, g->counters, map_bytes(g));
    for (size_t i = 0; i < guest_source_count; i++) {
        facts.attached[i] = g->links[i] != NULL;
        facts.lost[i] = window->mode == MODE_ATTRIBUTION && g->attachable[i] && !g->links[i];
    }
    guest_counts_sum(g->before, g->after, g->cpus, window->cpus, window->job ? WHOSE_JOB : WHOSE_COUNT, &counts);
    find_blind_spots(g, &facts);
    guest_counts_report(&counts, &facts, out);
    if (window->mode == MODE_ATTRIBUTION)
        end_attribution(g, &counts, window->cpus, out);
    free(counts.msrs);
    return 0;
}

const struct collector_ops collector_guest_exits = {
    .abi = COLLECTOR_ABI,
    .name = "guest_exits",
    .summary = "timer writes, IPIs, halts, MSR writes, interrupts, page faults (eBPF counters x calibrated cost)",
    .in_timing = true,
    .open = guest_exits_open,
    .begin = guest_exits_begin,
    .end = guest_exits_end,
    .close = guest_exits_close,
};
