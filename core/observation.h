// SPDX-License-Identifier: Apache-2.0
// What one collector says of one sample: how often a cause struck, for how long, and how that is known.
#pragma once

#include "core/cause.h"
#include "core/hist.h"

// Whose time the seconds are. Only cpu and blocked enter sums.
enum obs_scope {
    SCOPE_CPU,     // CPU-seconds lost on the job's CPUs
    SCOPE_BLOCKED, // seconds in which a CPU of the job stood idle because the job waited for this
    SCOPE_LATENCY, // seconds summed over requests in flight: a description, never summed into a ledger
    SCOPE_COUNT
};

// How the seconds are known, best first.
enum obs_basis {
    BASIS_TIMED,      // begin and end were seen
    BASIS_SAMPLED,    // statistical, with its standard error
    BASIS_CALIBRATED, // count times unit cost measured on this subject
    BASIS_COUNTED,    // only counted: no cost known, explains nothing
    BASIS_COUNT
};

extern const char *const obs_scope_names[SCOPE_COUNT]; // "cpu", "blocked", "latency"
extern const char *const obs_basis_names[BASIS_COUNT]; // "timed", "sampled", "calibrated", "counted"

struct observation {
    enum cause cause;
    enum obs_scope scope;
    enum obs_basis basis;
    uint64_t count;
    double seconds;
    double se; // standard error of seconds
    bool has_hist;
    struct hist hist; // durations, valid if has_hist
    cJSON *detail;    // whatever else the source knows (per MSR, per CPU ...); may be NULL; see who owns it below
};

// What a source that normally tells it could not tell of one sample: not known there, which is not 0.
struct untold {
    enum cause cause;
    enum obs_scope scope;
    enum obs_basis basis; // how the seconds or counts would have been known; BASIS_COUNT: in whatever way
    char *why;            // a reason that reads alike in all samples that have it, so that a report can say it once
};

// A growable list, which owns its observations' details, and what could not be observed. Start with {0}.
struct observations {
    struct observation *items;
    size_t count;
    size_t capacity;
    struct untold *untold;
    size_t untold_count;
    size_t untold_capacity;
};

// Appends a copy; the list then owns `o.detail`.
void observations_add(struct observations *list, struct observation o);
// Says that a cause could not be told; copies `why`. The first reason for it stands.
void observations_untold(struct observations *list, struct untold what);
void observations_free(struct observations *list); // also makes it empty again

// The journal's form. The caller owns the result.
cJSON *observation_to_json(const struct observation *o);

// Adds the whole list to a sample's line: `obs`, and `unknown` where something could not be told.
void observations_to_json(const struct observations *list, cJSON *sample);

// Reads that form. 1: read; its `detail` is a part of `object` and stays that. 0: the cause is unknown to this version
// (a newer program wrote the journal): nothing is stored and the caller tells it. -1: malformed, `err`.
int observation_from_json(const cJSON *object, struct observation *out, struct error *err);

// The same for an element of `unknown`; `why` is a part of `object`.
int untold_from_json(const cJSON *object, struct untold *out, struct error *err);
