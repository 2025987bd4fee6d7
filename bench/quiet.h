// SPDX-License-Identifier: Apache-2.0
// Waits, for a bounded time, until nothing else keeps the CPUs busy.
#pragma once

#include <sched.h>

// Looks at /proc/stat in steps of 0.25 s until the busy share of these CPUs (everything but idle and iowait) is at
// most `limit` (0..1) or `max_s` seconds have passed or *stop is set. Returns the last share seen; -1 if it cannot be
// read.
double quiet_wait(const cpu_set_t *cpus, double limit, double max_s, const volatile int *stop);
