// SPDX-License-Identifier: Apache-2.0
// Numbers, intervals and scopes as words, the same in all renderers. Pure functions. May include: core,
// report/stats_summary.h.
#pragma once

#include "core/observation.h"
#include "report/stats_summary.h"

#include <stddef.h>

// A shift of the logarithm as percent.
double model_pct(double log_shift);

// "0.84" with as many digits as its uncertainty (half an interval; NaN: unknown) deserves. `out` is terminated.
void model_number(double value, double uncertainty, char *out, size_t size);

// "0.5 to 1.1"; empty where there is no interval.
void model_range(struct stats_interval ci, char *out, size_t size);

// "0.8 % (0.5 to 1.1 %)", or "0.8 % (no interval)"; "not known" for NaN.
void model_percent(double pct, struct stats_interval ci, char *out, size_t size);

// What stands behind a cause's id in a ledger: "" (CPU time), " (waiting)" or " (latency)".
const char *model_scope_word(enum obs_scope scope);
