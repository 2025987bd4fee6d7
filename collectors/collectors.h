// SPDX-License-Identifier: Apache-2.0
// The collectors that there are: one file each, listed in registry.c. Users of collectors need collector.h only.
#pragma once

#include "collectors/collector.h"

extern const struct collector_ops collector_steal;
extern const struct collector_ops collector_cpu;
extern const struct collector_ops collector_footprint;
extern const struct collector_ops collector_guest_exits;
extern const struct collector_ops collector_exit_timing;
extern const struct collector_ops collector_io_path;
extern const struct collector_ops collector_pmu;
extern const struct collector_ops collector_exit_profiler;
extern const struct collector_ops collector_null;

// For open(): stores the state, what would enable the rest (may be ""), and the reason (printf style).
void collector_say(struct collector_status *status, enum collector_state state, const char *hint, const char *reason,
                   ...) __attribute__((format(printf, 4, 5)));
