// SPDX-License-Identifier: Apache-2.0
// Times exits that the guest's own kernel makes: how long the functions that hold the trapping instruction take, or
// what lies between two tracepoints. Which of both is found out when the collector is opened, by loading, attaching
// and, where that can be done, trying: a kernel's BTF does not tell whether a function can be traced.
//
// Attached in attribution samples only: together the programs run often.
#include "collectors/exit_timing.h"

#include "collectors/hypervisor.h"
#include "collectors/probe.h"
#include "core/arch.h"
#include "core/memory.h"
#include "core/str.h"
#include "probes/exit_timing.skel.h"
#include "probes/exit_timing_function.skel.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

// A source that the running kernel lets be used.
struct timing_part {
    const struct timing_source *source;
    struct exit_timing_function_bpf *function; // of a function; NULL: the programs are of the common object
    struct bpf_program *programs[TIMING_PROGRAMS];
    struct bpf_link *links[TIMING_PROGRAMS]; // NULL: not attached now
    struct probe_cost before[TIMING_PROGRAMS];
};

struct exit_timing {
    struct exit_timing_bpf *bpf;
    struct timing_cpu *cpus;        // the kernel's, mapped; by CPU number
    struct timing_control *control; // mapped
    struct timing_cpu *before;      // copies
    struct timing_cpu *after;
    size_t cpu_count; // possible CPUs
    struct bpf_link *switches;
    struct probe_cost switches_before;
    struct timing_part *parts;
    size_t part_count;
    size_t part_capacity;
    struct timing_facts facts;
    char *source_names[TIMING_EVENTS];
    bool wanted[TIMING_EVENTS]; // something of it is there, but could not be attached
    int functions_refused;      // errno of the first function that could not be traced; 0: none
    bool no_functions;          // permission is lacking: not tried any more
    bool hypervisor;
    struct btf *types;
    int stats_fd; // in a sample; -1 otherwise
};

// --- loading --------------------------------------------------------------------------------------------------------

static size_t map_bytes(const struct exit_timing *t) {
    return t->cpu_count * sizeof *t->cpus;
}

static void *map_in(const struct bpf_map *map, size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int load(struct exit_timing *t) {
    int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0)
        return cpus;
    t->cpu_count = (size_t)cpus;
    t->types = btf__load_vmlinux_btf();
    if (!t->types)
        return -errno;
    t->bpf = exit_timing_bpf__open();
    if (!t->bpf)
        return -errno;
    bpf_map__set_max_entries(t->bpf->maps.cpus, (unsigned)t->cpu_count);
    int result = exit_timing_bpf__load(t->bpf);
    if (result)
        return result;
    t->cpus = map_in(t->bpf->maps.cpus, map_bytes(t));
    t->control = map_in(t->bpf->maps.control, sizeof *t->control);
    if (!t->cpus || !t->control)
        return -errno;
    t->before = mem_alloc(map_bytes(t));
    t->after = mem_alloc(map_bytes(t));
    return 0;
}

static int share_maps(const struct exit_timing *t, struct exit_timing_function_bpf *f) {
    return bpf_map__reuse_fd(f->maps.cpus, bpf_map__fd(t->bpf->maps.cpus)) ||
                   bpf_map__reuse_fd(f->maps.control, bpf_map__fd(t->bpf->maps.control))
               ? -errno
               : 0;
}

// The function that a source takes.
static const char *function_of(const struct timing_source *source) {
    return source->how == BY_ENTRY ? strstr(source->name, "..") + 2 : source->name;
}

// Programs of the common object; returns how many.
static size_t find_programs(const struct exit_timing *t, struct timing_part *part) {
    size_t i = 0;
    for (; i < TIMING_PROGRAMS && part->source->programs[i]; i++)
        part->programs[i] = bpf_object__find_program_by_name(t->bpf->obj, part->source->programs[i]);
    return i;
}

static int load_function(const struct exit_timing *t, struct timing_part *part, size_t at) {
    struct exit_timing_function_bpf *f = exit_timing_function_bpf__open();
    if (!f)
        return -errno;
    part->function = f;
    f->rodata->event = part->source->event;
    struct bpf_program *const of_how[][2] = {
        [BY_FUNCTION] = {f->progs.function_begin, f->progs.function_end},
        [BY_SLEEP] = {f->progs.sleep_begin, f->progs.sleep_end},
        [BY_ENTRY] = {f->progs.touch_ends},
    };
    struct bpf_program *program;
    bpf_object__for_each_program(program, f->obj) bpf_program__set_autoload(program, false);
    int result = share_maps(t, f);
    for (size_t i = 0; i < 2 && of_how[part->source->how][i] && !result; i++) {
        program = of_how[part->source->how][i];
        part->programs[at + i] = program;
        bpf_program__set_autoload(program, true);
        result = bpf_program__set_attach_target(program, 0, function_of(part->source));
    }
    return result ? result : exit_timing_function_bpf__load(f);
}

static int load_part(const struct exit_timing *t, struct timing_part *part) {
    size_t found = find_programs(t, part);
    return part->source->how == BY_TRACEPOINTS ? 0 : load_function(t, part, found);
}

// --- attaching ------------------------------------------------------------------------------------------------------

static void detach(struct timing_part *part) {
    for (size_t i = 0; i < TIMING_PROGRAMS; i++) {
        bpf_link__destroy(part->links[i]); // NULL is fine
        part->links[i] = NULL;
    }
}

// All of its programs or none. The end first: a beginning that is seen shall be ended.
static int attach(struct timing_part *part) {
    for (size_t i = TIMING_PROGRAMS; i-- > 0;) {
        if (!part->programs[i])
            continue;
        part->links[i] = bpf_program__attach(part->programs[i]);
        if (!part->links[i]) {
            int result = -errno;
            detach(part);
            return result;
        }
    }
    return 0;
}

// Linux before 5.13 attaches a program to a function once only: the next time takes a new one.
static void attach_again(const struct exit_timing *t, struct timing_part *part) {
    if (attach(part) == 0 || !part->function)
        return;
    exit_timing_function_bpf__destroy(part->function);
    part->function = NULL;
    memset(part->programs, 0, sizeof part->programs);
    memset(part->before, 0, sizeof part->before);
    if (load_part(t, part) == 0)
        attach(part);
}

static void free_part(struct timing_part *part) {
    detach(part);
    exit_timing_function_bpf__destroy(part->function); // NULL is fine
    *part = (struct timing_part){0};
}

// Loads and attaches one source. False: it is not there, or refused.
static bool try_source(struct exit_timing *t, const struct timing_source *source) {
    struct timing_part part = {.source = source};
    bool function = source->how != BY_TRACEPOINTS;
    int result = 0;
    if ((source->machine && strcmp(source->machine, arch_name) != 0) ||
        (function && !probe_has_function(t->types, function_of(source), source->module)))
        return false;
    if (function && t->no_functions)
        result = -EPERM;
    else
        result = load_part(t, &part);
    if (!result)
        result = attach(&part);
    if (!result) {
        ARRAY_PUSH(t->parts, t->part_count, t->part_capacity, part);
        return true;
    }
    free_part(&part);
    t->wanted[source->event] = true;
    if (function && !t->functions_refused)
        t->functions_refused = -result;
    t->no_functions |= function && (result == -EPERM || result == -EACCES);
    return false;
}

static void name_source(struct exit_timing *t, const struct timing_source *source) {
    const enum timing_event events[] = {source->event, source->also};
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        char **name = events[i] < TIMING_EVENTS ? &t->source_names[events[i]] : NULL;
        if (!name)
            continue;
        char *longer = *name ? mem_printf("%s, %s", *name, source->name) : mem_strdup(source->name);
        free(*name);
        *name = longer;
        t->facts.sources[events[i]] = longer;
    }
}

static void forget_source(struct exit_timing *t, enum timing_event event) {
    free(t->source_names[event]);
    t->source_names[event] = NULL;
    t->facts.sources[event] = NULL;
    t->wanted[event] = true;
}

static bool use_source(void *state, const struct timing_source *source) {
    struct exit_timing *t = state;
    if (!try_source(t, source))
        return false;
    name_source(t, source);
    return true;
}

// The sources of the first rank from `rank` on that has any.
static void choose(struct exit_timing *t, enum timing_event event, unsigned rank) {
    bool known = t->facts.sources[event]; // by a source of another event
    if (!known && (t->hypervisor || timing_meanings[event].native))
        timing_choose(event, rank, use_source, t);
}

// --- trying what was attached ---------------------------------------------------------------------------------------

// What all CPUs saw while this process did something.
static void seen_during(struct exit_timing *t, void (*work)(void), struct timing_row *rows) {
    memcpy(t->before, t->cpus, map_bytes(t));
    work();
    timing_sum(t->before, t->cpus, t->cpu_count, NULL, WHOSE_COUNT, rows);
}

static void nap(void) {
    enum { NAPS = 30 };
    for (int i = 0; i < NAPS; i++)
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static void limit_exits(struct exit_timing *t, double limit_ns) {
    for (int e = 0; e < TIMING_EVENTS; e++)
        if (timing_meanings[e].over == OVER_HOST)
            t->control->limit_ns[e] = (unsigned long long)limit_ns;
}

// Lets go of what was to time an event; returns its rank.
static unsigned drop_source(struct exit_timing *t, enum timing_event event) {
    unsigned rank = 0;
    for (size_t i = 0; i < t->part_count; i++) {
        if (t->parts[i].source->event != event)
            continue;
        rank = t->parts[i].source->rank;
        if (t->parts[i].source->also < TIMING_EVENTS)
            forget_source(t, t->parts[i].source->also);
        free_part(&t->parts[i]);
        t->parts[i--] = t->parts[--t->part_count];
    }
    forget_source(t, event);
    return rank;
}

// Naps arm timers. A function that is not called then belongs to a clock event device that is not in use, and a
// register that is not written leaves pairs of tracepoints without an end.
static void check_timer(struct exit_timing *t) {
    struct timing_row rows[TIMING_EVENTS];
    while (t->facts.sources[TIMING_TIMER]) {
        seen_during(t, nap, rows);
        if (rows[TIMING_TIMER].count) {
            limit_exits(t, timing_plain_limit_ns(&rows[TIMING_TIMER]));
            return;
        }
        choose(t, TIMING_TIMER, drop_source(t, TIMING_TIMER) + 1);
    }
}

#define BLOCK ((size_t)4 << 20)
#define PAGE  ((size_t)4096)

enum { SMALL_ROUNDS = 4 };

// Pages that were given back last are the ones that are handed out next: used by the guest before, so backed by the
// host.
static void touch_again(size_t step, int advice, int rounds) {
    char *memory = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return;
    char *aligned = memory + (BLOCK - (uintptr_t)memory % BLOCK);
    madvise(aligned, BLOCK, advice);
    for (int i = 0; i < rounds; i++) {
        for (size_t at = 0; at < BLOCK; at += step)
            ((volatile char *)aligned)[at] = 1;
        madvise(aligned, BLOCK, MADV_DONTNEED);
    }
    munmap(memory, 2 * BLOCK);
}

static void touch_first(void) {
    touch_again(PAGE, MADV_NOHUGEPAGE, 1);
}

// Where tracing of functions is switched off (kernel.ftrace_enabled) some kernels attach programs to them all the same,
// and never call these. First touches are sure to happen: where they are not seen, no function is to be trusted.
static void check_functions(struct exit_timing *t) {
    struct timing_row rows[TIMING_EVENTS];
    choose(t, TIMING_TOUCH, 0);
    if (t->part_count == 0 || t->parts[0].source->how == BY_TRACEPOINTS)
        return;
    seen_during(t, touch_first, rows);
    if (rows[TIMING_TOUCH].count)
        return;
    t->no_functions = true;
    t->functions_refused = EOPNOTSUPP;
    choose(t, TIMING_TOUCH, drop_source(t, TIMING_TOUCH) + 1);
}

static void touch_small(void) {
    touch_again(PAGE, MADV_NOHUGEPAGE, SMALL_ROUNDS);
}

static void touch_huge(void) {
    touch_again(BLOCK / 2, MADV_HUGEPAGE, 80);
}

// What a touch takes where the host has backed the page, in the terms of the sources in use.
static void measure_backed(struct exit_timing *t) {
    struct timing_row rows[TIMING_EVENTS];
    seen_during(t, touch_first, rows);
    seen_during(t, touch_small, rows);
    // Before Linux 6.2 rss_stat tells 64 pages at once.
    if (t->facts.sources[TIMING_TOUCH] && rows[TIMING_TOUCH].count < SMALL_ROUNDS * (BLOCK / PAGE) / 2)
        drop_source(t, TIMING_TOUCH);
    t->facts.backed[TIMING_TOUCH] = timing_backed_from(&rows[TIMING_TOUCH], 2e3);
    seen_during(t, touch_huge, rows);
    t->facts.backed[TIMING_TOUCH_HUGE] = timing_backed_from(&rows[TIMING_TOUCH_HUGE], 2e4);
    t->control->limit_ns[TIMING_TOUCH] = (unsigned long long)t->facts.backed[TIMING_TOUCH].limit_ns;
    t->control->limit_ns[TIMING_TOUCH_HUGE] = (unsigned long long)t->facts.backed[TIMING_TOUCH_HUGE].limit_ns;
}

// --- opening and closing --------------------------------------------------------------------------------------------

static void detach_all(struct exit_timing *t) {
    for (size_t i = 0; i < t->part_count; i++)
        detach(&t->parts[i]);
    bpf_link__destroy(t->switches);
    t->switches = NULL;
}

static void exit_timing_close(void *state) {
    struct exit_timing *t = state;
    detach_all(t);
    for (size_t i = 0; i < t->part_count; i++)
        free_part(&t->parts[i]);
    for (int e = 0; e < TIMING_EVENTS; e++)
        free(t->source_names[e]);
    if (t->stats_fd >= 0)
        close(t->stats_fd);
    if (t->cpus)
        munmap(t->cpus, map_bytes(t));
    if (t->control)
        munmap(t->control, sizeof *t->control);
    exit_timing_bpf__destroy(t->bpf); // NULL is fine
    btf__free(t->types);
    free(t->parts);
    free(t->before);
    free(t->after);
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
    int result = load(t);
    if (!result) {
        t->control->job.session = own_session();
        t->switches = bpf_program__attach(t->bpf->progs.on_sched_switch);
        result = t->switches ? 0 : -errno;
    }
    if (result) {
        probe_refused(status, "loading the eBPF programs", -result);
        exit_timing_close(t);
        return NULL;
    }
    check_functions(t);
    for (int e = 0; e < TIMING_EVENTS; e++)
        choose(t, (enum timing_event)e, 0);
    check_timer(t);
    measure_backed(t);
    detach_all(t);
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
    t->switches = bpf_program__attach(t->bpf->progs.on_sched_switch);
    if (!t->switches) {
        error_set(err, EXIT_CODE_LACKS, "attaching the programs that time exits");
        error_why(err, "%s", strerror(errno));
        detach_all(t);
        return -1;
    }
    t->stats_fd = probe_stats_on();
    t->switches_before = probe_cost_of(t->bpf->progs.on_sched_switch);
    for (size_t cpu = 0; cpu < t->cpu_count; cpu++)
        t->cpus[cpu].current = WHOSE_OTHERS;
    t->control->job.leader = 0;
    t->control->job.session = window_session(window);
    for (size_t i = 0; i < t->part_count; i++) {
        struct timing_part *part = &t->parts[i];
        for (size_t p = 0; p < TIMING_PROGRAMS && part->programs[p]; p++)
            part->before[p] = probe_cost_of(part->programs[p]);
        attach_again(t, part); // one that does not attach any more has seen nothing
    }
    probe_look(t->bpf->progs.look, window->cpus); // the job may be running already
    forget_begun(t);
    memcpy(t->before, t->cpus, map_bytes(t));
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

static int exit_timing_end(void *state, const struct sample_window *window, struct collector_output *out,
                           struct error *err) {
    struct exit_timing *t = state;
    struct timing_row job[TIMING_EVENTS];
    (void)err;
    t->control->job.session = 0;
    memcpy(t->after, t->cpus, map_bytes(t));
    timing_sum(t->before, t->after, t->cpu_count, window->cpus, WHOSE_JOB, job);
    timing_report(job, &t->facts, out);
    if (t->stats_fd >= 0) {
        report_cost(t, job, window->cpus, out);
        close(t->stats_fd);
        t->stats_fd = -1;
    }
    detach_all(t);
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
