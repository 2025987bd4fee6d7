// SPDX-License-Identifier: Apache-2.0
// Reading single keys of suite files. Each refusal has code 3 and names the value at fault (err->node), which the
// caller turns into file, line and column. May include: core.
#pragma once

#include "bench/bench.h"

int suite_refuse(const cJSON *node, struct error *err, const char *what); // -1

// A misspelt key would be passed over silently otherwise. `known` ends with NULL.
int suite_check_keys(const cJSON *object, const char *const *known, struct error *err);

// These leave *out alone where the key is missing. 0 or -1.
int suite_read_count(const cJSON *object, const char *key, uint64_t max, unsigned *out, struct error *err);
int suite_read_duration(const cJSON *object, const char *key, double *out, struct error *err); // text: "90s", "10m"
int suite_read_until(const cJSON *object, double *out,
                     struct error *err);                                 // "until": "0.5%" or 0.5; above 0, at most 100
int suite_read_cpus(const cJSON *object, char **out, struct error *err); // "cpus": "0-3"; free() it

// "typical_s": seconds of one sample, or an object of them by size.
int suite_read_typical(const cJSON *object, enum bench_size size, double *out, struct error *err);

// An object of texts and numbers ("environment", "prerequisites"), added to *out (made if it is NULL), which then has
// texts only; what is there already is replaced.
int suite_read_texts(const cJSON *object, const char *key, cJSON **out, struct error *err);
