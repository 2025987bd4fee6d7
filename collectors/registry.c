// SPDX-License-Identifier: Apache-2.0
// The table of collectors, in the order in which they are opened and listed. A new collector is one row here.
#include "collectors/collectors.h"

// clang-format off
const struct collector_ops *const collector_registry[] = {
    &collector_steal,
    &collector_cpu,
    &collector_footprint,
    &collector_guest_exits,
    &collector_exit_timing,
    &collector_io_path,
    &collector_exit_profiler,
    &collector_pmu,
    &collector_null, // keep last: only by name
    NULL,
};
// clang-format on
