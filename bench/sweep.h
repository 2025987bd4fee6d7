// SPDX-License-Identifier: Apache-2.0
// Sweeps of a suite's case: one case in the file, one in the run for each combination of values. Format:
// docs/suites.md. May include: core, bench/bench.h.
#pragma once

#include "bench/bench.h"

#define SWEEP_MAX_AXES  8
#define SWEEP_MAX_CASES 1000 // combinations of one case

struct sweep_axis {
    const char *name;    // a parameter of the bench, "OUTER.INNER" for one inside, or "threads" or "cpus" of the case
    const cJSON *values; // array, at least one
    const cJSON *value;  // the current one
};

// The text of a case and where in its combinations we are. Points into the case's JSON and owns nothing.
struct sweep {
    const cJSON *object; // the case as written
    struct sweep_axis axes[SWEEP_MAX_AXES];
    size_t count; // 0: the case has no sweep and is its own only combination
};

// Reads the key "sweep" of a case for a size; the first combination is current. 0, or -1 with `err` (code 3, node set).
int sweep_begin(struct sweep *sweep, const cJSON *object, enum bench_size size, struct error *err);

// Goes to the next combination; the last axis turns fastest. False after the last one.
bool sweep_next(struct sweep *sweep);

// The case of the current combination, as it would be written without a sweep, called NAME[bytes=1M][pages=thp].
// cJSON_Delete() it.
cJSON *sweep_case(const struct sweep *sweep);

// Where in the file a value of sweep_case()'s result comes from, for an error's place.
const cJSON *sweep_origin(const struct sweep *sweep, const cJSON *made, const cJSON *node);
