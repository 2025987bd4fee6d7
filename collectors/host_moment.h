// SPDX-License-Identifier: Apache-2.0
// A moment in both clocks of a host: where a window of its journal begins and ends. May include: core.
#pragma once

#include <stdint.h>

struct host_moment {
    uint64_t ns; // CLOCK_MONOTONIC
    uint64_t tsc;
};

struct host_moment host_moment_now(void);
