// SPDX-License-Identifier: Apache-2.0
// What the scheduler says of a process's live threads, from /proc/PID/task/TID/schedstat
// (Documentation/scheduler/sched-stats.rst in the kernel tree).
#pragma once

#include <sys/types.h>

struct live_threads {
    double run_s;  // on a CPU
    double wait_s; // on a run queue, waiting for one: other threads had it
};

// Sums over the threads that live now; zeros where the kernel keeps no such statistics (CONFIG_SCHED_INFO).
struct live_threads live_threads_read(pid_t process);
