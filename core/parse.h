// SPDX-License-Identifier: Apache-2.0
// Values that a user types: durations, percentages, sizes, lists of CPUs. Each returns 0, or -1 with `err` (code 2)
// that names the option, the text and what is accepted.
#pragma once

#include "core/error.h"

#include <sched.h>
#include <stdint.h>

int parse_duration_s(const char *option, const char *text, double *out, struct error *err); // "90", "90s", "1.5m", "2h"
int parse_percent(const char *option, const char *text, double *out, struct error *err); // "0.5", "0.5%"; not negative
int parse_count(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *out, struct error *err);
int parse_size(const char *option, const char *text, uint64_t *out,
               struct error *err); // bytes; "4096", "64K", "2M", "1G" (powers of 1024)
int parse_cpus(const char *option, const char *text, cpu_set_t *out, struct error *err); // "0-3,8"; below CPU_SETSIZE

// The inverse of parse_cpus(): "0-3,8", "" for none. free() it.
char *parse_cpus_text(const cpu_set_t *cpus);
