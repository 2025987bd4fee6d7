// SPDX-License-Identifier: Apache-2.0
// Times exits that the guest's own kernel makes: how long the functions that hold the trapping instruction take, or
// what lies between two tracepoints. Which of both is found out when the collector is opened, by loading, attaching
// (exit_timing_sources.c) and, where that can be done, trying (exit_timing_trial.c); here are its samples.
//
// Attached in attribution samples only: together the programs run often.
#include "collectors/exit_timing_sources.h"
#include "collectors/exit_timing_trial.h"
#include "collectors/hypervisor.h"
#include "core/memory.h"
#include "core/str.h"
#include "probes/exit_timing.skel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// --- opening and closing --------------------------------------------------------------------------------------------

static void exit_timing_close(void *state) {
    struct exit_timing *t = state;
    timing_unload(t);
    if (t->stats_fd >= 0)
        close(t->stats_fd);
    free(t);
}

static void list_event(struct str *list, enum timing_event event) {
    const char *cause = cause_info(timing_meanings[event].cause)->id;
    str_printf(list, "%s%s (%s)", list->length ? ", " : "", cause, timing_meanings[event].name);
}

// What is not timed though this kernel has it, and what is timed in the second best way.
static void tell(const struct exit_timing *t, struct collector_status *status) {
    struct str missing = {0};
    for (int e = 0; e < TIMING_EVENTS; e++) {
        if (t->wanted[e] && !t->facts.sources[e])
            list_event(&missing, (enum timing_event)e);
    }
    if (missing.length && t->functions_refused)
        collector_say(status, COLLECTOR_DEGRADED,
                      "a kernel with CONFIG_FUNCTION_TRACER whose provider permits BPF trampolines",
                      "kernel functions cannot be traced (%s); without them not timed: %s",
                      strerror(t->functions_refused), str_text(&missing));
    else if (missing.length)
        collector_say(status, COLLECTOR_DEGRADED, "another kernel: this one lacks the tracepoints", "not timed: %s",
                      str_text(&missing));
    str_free(&missing);
}

static void *exit_timing_open(const struct collect_options *options, struct collector_status *status) {
    (void)options;
    status->state = COLLECTOR_ACTIVE;
    probe_quiet();
    struct exit_timing *t = mem_alloc(sizeof *t);
    t->stats_fd = -1;
    t->hypervisor = hypervisor_below();
    int result = timing_load(t);
    if (!result) {
        t->control->job.session = own_session();
        result = timing_attach_switches(t);
    }
    if (result) {
        probe_refused(status, "loading the eBPF programs", -result);
        exit_timing_close(t);
        return NULL;
    }
    timing_try_functions(t);
    for (int e = 0; e < TIMING_EVENTS; e++)
        timing_take(t, (enum timing_event)e, 0);
    timing_try_timer(t);
    timing_try_touches(t);
    timing_detach_all(t);
    t->control->job.session = 0;
    tell(t, status);
    return t;
}

// --- samples --------------------------------------------------------------------------------------------------------

// What began before a sample is not ended in it.
static void forget_begun(struct exit_timing *t) {
    for (size_t cpu = 0; cpu < t->cpu_count; cpu++) {
        memset(t->cpus[cpu].slots, 0, sizeof t->cpus[cpu].slots);
        t->cpus[cpu].wait_end = 0;
        t->cpus[cpu].call = 0;
    }
}

static int exit_timing_begin(void *state, const struct sample_window *window, struct error *err) {
    struct exit_timing *t = state;
    int result = timing_attach_switches(t);
    if (result) {
        error_set(err, EXIT_CODE_LACKS, "attaching the programs that time exits");
        return error_why(err, "%s", strerror(-result));
    }
    t->stats_fd = probe_stats_on();
    t->switches_before = probe_cost_of(t->bpf->progs.on_sched_switch);
    for (size_t cpu = 0; cpu < t->cpu_count; cpu++)
        t->cpus[cpu].current = WHOSE_OTHERS;
    t->control->job.leader = 0;
    t->control->job.session = window_session(window);
    timing_attach_all(t);
    probe_look(t->bpf->progs.look, window->cpus); // the job may be running already
    forget_begun(t);
    memcpy(t->before, t->cpus, timing_map_bytes(t));
    return 0;
}

// Programs that run for several events or for none are shared out evenly over the CPUs.
static double share_of_job(const struct timing_row *job, const struct timing_row *all, double cpus) {
    double mine = (double)(job->count + job->unpaired);
    double everyone = (double)(all->count + all->unpaired);
    return everyone > 0 ? mine / everyone : cpus;
}

static void add_cost(struct observation *o, const struct bpf_program *program, struct probe_cost before, double share) {
    struct probe_cost now = probe_cost_of(program);
    if (now.runs <= before.runs)
        return;
    double runs = (double)(now.runs - before.runs);
    double ns = (double)(now.run_ns - before.run_ns);
    o->count += (uint64_t)(runs * share);
    o->seconds += ns * share * 1e-9;
    char key[96];
    snprintf(key, sizeof key, "%s_ns", bpf_program__name(program));
    if (!cJSON_HasObjectItem(o->detail, key))
        json_add_double(o->detail, key, ns / runs);
}

// What the programs cost on the job's CPUs while the job ran, by the kernel's statistics, which are machine-wide.
static void report_cost(const struct exit_timing *t, const struct timing_row *job, const cpu_set_t *cpus,
                        struct collector_output *out) {
    struct observation o = {.cause = CAUSE_OBSERVER, .scope = SCOPE_CPU, .basis = BASIS_TIMED};
    struct timing_row all[TIMING_EVENTS];
    double evenly = probe_share(cpus);
    timing_sum(t->before, t->after, t->cpu_count, NULL, WHOSE_COUNT, all);
    o.detail = cJSON_CreateObject();
    for (size_t i = 0; i < t->part_count; i++) {
        const struct timing_part *part = &t->parts[i];
        enum timing_event e = part->source->event;
        for (size_t p = 0; p < TIMING_PROGRAMS && part->programs[p]; p++)
            add_cost(&o, part->programs[p], part->before[p], share_of_job(&job[e], &all[e], evenly));
    }
    add_cost(&o, t->bpf->progs.on_sched_switch, t->switches_before, evenly);
    observations_add(out->obs, o);
}

static bool was_called(const struct timing_part *part) {
    for (size_t p = 0; p < TIMING_PROGRAMS && part->programs[p]; p++)
        if (probe_cost_of(part->programs[p]).runs > part->before[p].runs)
            return true;
    return false;
}

// Many kernels have the functions of all hypervisors. Those that the kernel's statistics saw being called in a sample
// are named in it; where they saw none, or do not count, all that could have been.
static void name_called(const struct exit_timing *t, char **called, struct timing_facts *facts) {
    for (size_t i = 0; t->stats_fd >= 0 && i < t->part_count; i++) {
        if (was_called(&t->parts[i]))
            timing_add_name(called, t->parts[i].source);
    }
    for (int e = 0; e < TIMING_EVENTS; e++)
        if (called[e])
            facts->sources[e] = called[e];
}

// What the two programs of a function took in this sample, by the kernel's statistics; 0 where these are not to be had.
static double programs_ns(const struct exit_timing *t) {
    double runs = 0;
    double ns = 0;
    for (size_t i = 0; t->stats_fd >= 0 && i < t->part_count; i++) {
        const struct timing_part *part = &t->parts[i];
        for (size_t p = 0; part->source->how == BY_FUNCTION && p < 2 && part->programs[p]; p++) {
            struct probe_cost now = probe_cost_of(part->programs[p]);
            runs += (double)(now.runs - part->before[p].runs);
            ns += (double)(now.run_ns - part->before[p].run_ns);
        }
    }
    return runs > 0 ? 2 * ns / runs : 0;
}

static int exit_timing_end(void *state, const struct sample_window *window, struct collector_output *out,
                           struct error *err) {
    struct exit_timing *t = state;
    struct timing_row job[TIMING_EVENTS];
    struct timing_facts facts = t->facts;
    char *called[TIMING_EVENTS] = {NULL};
    (void)err;
    t->control->job.session = 0;
    memcpy(t->after, t->cpus, timing_map_bytes(t));
    timing_sum(t->before, t->after, t->cpu_count, window->cpus, WHOSE_JOB, job);
    name_called(t, called, &facts);
    facts.programs_ns = programs_ns(t);
    timing_report(job, &facts, out);
    for (int e = 0; e < TIMING_EVENTS; e++)
        free(called[e]);
    if (t->stats_fd >= 0) {
        report_cost(t, job, window->cpus, out);
        close(t->stats_fd);
        t->stats_fd = -1;
    }
    timing_detach_all(t);
    return 0;
}

const struct collector_ops collector_exit_timing = {
    .abi = COLLECTOR_ABI,
    .name = "exit_timing",
    .summary = "timer, IPI, device notification, TLB flush, first touch, wake-up: each one timed (fentry, tracepoints)",
    .in_timing = false,
    .perturbs = true,
    .open = exit_timing_open,
    .begin = exit_timing_begin,
    .end = exit_timing_end,
    .close = exit_timing_close,
};
