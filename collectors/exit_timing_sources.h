// SPDX-License-Identifier: Apache-2.0
// The programs of the collector exit_timing and what they are attached to: loads them, finds out which sources the
// running kernel lets be used, attaches and detaches these. May include: core, the probe's structures.
#pragma once

#include "collectors/exit_timing.h"
#include "collectors/probe.h"

struct exit_timing_bpf;
struct exit_timing_function_bpf;

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
    bool hypervisor;            // false: only what bare metal has as well is timed
    struct btf *types;
    int stats_fd; // in a sample; -1 otherwise
};

// Loads the common programs. 0 or a negative error number; what was loaded is freed by timing_unload() in any case.
int timing_load(struct exit_timing *t);
void timing_unload(struct exit_timing *t);

size_t timing_map_bytes(const struct exit_timing *t); // of `cpus` and its copies

// What tells whose time it is. 0 or a negative error number.
int timing_attach_switches(struct exit_timing *t);

// Takes the sources of the first rank from `rank` on that has any for an event, and attaches them.
void timing_take(struct exit_timing *t, enum timing_event event, unsigned rank);

// Lets go of what was to time an event; returns its rank.
unsigned timing_drop(struct exit_timing *t, enum timing_event event);

// Adds a source to the names of what its events are timed by: one for each event, NULL or to be freed by the caller.
void timing_add_name(char **names, const struct timing_source *source);

// Attaches the sources that timing_take() has taken, after timing_detach_all(). What does not attach any more is in
// facts.lost until the next time.
void timing_attach_all(struct exit_timing *t);
void timing_detach_all(struct exit_timing *t);
