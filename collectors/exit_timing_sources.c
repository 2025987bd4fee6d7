// SPDX-License-Identifier: Apache-2.0
// Loads, attaches and chooses. A kernel's BTF does not tell whether a function can be traced: that is found out by
// attaching. See exit_timing_sources.h.
#include "collectors/exit_timing_sources.h"

#include "core/arch.h"
#include "core/memory.h"
#include "probes/exit_timing.skel.h"
#include "probes/exit_timing_function.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// --- loading --------------------------------------------------------------------------------------------------------

size_t timing_map_bytes(const struct exit_timing *t) {
    return t->cpu_count * sizeof *t->cpus;
}

int timing_load(struct exit_timing *t) {
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
    t->cpus = probe_map(t->bpf->maps.cpus, timing_map_bytes(t));
    t->control = probe_map(t->bpf->maps.control, sizeof *t->control);
    if (!t->cpus || !t->control)
        return -errno;
    t->before = mem_alloc(timing_map_bytes(t));
    t->after = mem_alloc(timing_map_bytes(t));
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

// What is left of it is its source.
static void free_part(struct timing_part *part) {
    detach(part);
    exit_timing_function_bpf__destroy(part->function); // NULL is fine
    *part = (struct timing_part){.source = part->source};
}

// Linux before 5.13 attaches a program to a function once only (ENOENT): the next time takes a new one. 0 or a negative
// error number; then it may hold no program of a function, and the next time tries again.
static int attach_again(const struct exit_timing *t, struct timing_part *part) {
    bool function = part->source->how != BY_TRACEPOINTS;
    int result = function && !part->function ? -ENOENT : attach(part);
    if (result != -ENOENT || !function)
        return result;
    free_part(part);
    result = load_part(t, part);
    if (!result)
        result = attach(part);
    if (result)
        free_part(part);
    return result;
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

void timing_add_name(char **names, const struct timing_source *source) {
    const enum timing_event events[] = {source->event, source->also};
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        char **name = events[i] < TIMING_EVENTS ? &names[events[i]] : NULL;
        if (!name)
            continue;
        char *longer = *name ? mem_printf("%s, %s", *name, source->name) : mem_strdup(source->name);
        free(*name);
        *name = longer;
    }
}

static void name_source(struct exit_timing *t, const struct timing_source *source) {
    timing_add_name(t->source_names, source);
    for (int e = 0; e < TIMING_EVENTS; e++)
        t->facts.sources[e] = t->source_names[e];
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

void timing_take(struct exit_timing *t, enum timing_event event, unsigned rank) {
    bool known = t->facts.sources[event]; // by a source of another event
    if (!known && (t->hypervisor || timing_meanings[event].native))
        timing_choose(event, rank, use_source, t);
}

unsigned timing_drop(struct exit_timing *t, enum timing_event event) {
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

int timing_attach_switches(struct exit_timing *t) {
    t->switches = bpf_program__attach(t->bpf->progs.on_sched_switch);
    return t->switches ? 0 : -errno;
}

static void note_costs(struct timing_part *part) {
    for (size_t p = 0; p < TIMING_PROGRAMS && part->programs[p]; p++)
        part->before[p] = probe_cost_of(part->programs[p]);
}

static void note_lost(struct timing_facts *facts, const struct timing_source *source, int error) {
    const enum timing_event events[] = {source->event, source->also};
    for (size_t i = 0; i < ARRAY_LEN(events); i++)
        if (error && events[i] < TIMING_EVENTS)
            facts->lost[events[i]] = error;
}

void timing_attach_all(struct exit_timing *t) {
    memset(t->facts.lost, 0, sizeof t->facts.lost);
    for (size_t i = 0; i < t->part_count; i++) {
        note_costs(&t->parts[i]); // a new program has cost nothing before
        note_lost(&t->facts, t->parts[i].source, -attach_again(t, &t->parts[i]));
    }
}

void timing_detach_all(struct exit_timing *t) {
    for (size_t i = 0; i < t->part_count; i++)
        detach(&t->parts[i]);
    bpf_link__destroy(t->switches);
    t->switches = NULL;
}

void timing_unload(struct exit_timing *t) {
    timing_detach_all(t);
    for (size_t i = 0; i < t->part_count; i++)
        free_part(&t->parts[i]);
    for (int e = 0; e < TIMING_EVENTS; e++)
        free(t->source_names[e]);
    if (t->cpus)
        munmap(t->cpus, timing_map_bytes(t));
    if (t->control)
        munmap(t->control, sizeof *t->control);
    exit_timing_bpf__destroy(t->bpf); // NULL is fine
    btf__free(t->types);
    free(t->parts);
    free(t->before);
    free(t->after);
}
