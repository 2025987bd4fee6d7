// SPDX-License-Identifier: Apache-2.0
// Events counted through perf_event_open, encoded by name through libpfm4, and the test whether a guest's PMU tells the
// truth. Used by the pmu collector and by doctor.
#pragma once

#include "core/error.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// An event of the kernel itself, which is there without a PMU.
struct pmu_software_event {
    const char *name; // libpfm4's
    const char *key;  // in circumstances, with the unit
    double unit;      // what one count is worth in that unit
};

extern const struct pmu_software_event pmu_software[];
enum { PMU_SOFTWARE_COUNT = 4, PMU_TASK_CLOCK = 0, PMU_PAGE_FAULTS = 3 }; // indices

// True if libpfm4 knows the event: "perf::PERF_COUNT_HW_CPU_CYCLES", or "skx::EPT:WALK_PENDING" on any machine that
// libpfm4 has tables of this architecture for.
bool pmu_can_encode(const char *name);

// What is counted: a thread and what it starts later (cpu -1), or all of a CPU (pid -1).
struct pmu_target {
    pid_t pid;
    int cpu;
    bool user_only; // not what the thread does in the kernel, which perf_event_paranoid may forbid
};

// Opens one event. `leader` is the file descriptor of the event to count together with, or -1: then this event leads,
// and it and those that join it count from pmu_enable() on. A file descriptor, or -errno; -ENOSYS if libpfm4 cannot
// encode the name, -ENOENT if the CPU says that it has no such event.
int pmu_open(const char *name, const struct pmu_target *target, int leader);
int pmu_enable(int leader); // 0 or -errno

// A count, scaled up where the kernel had to let events take turns.
struct pmu_count {
    double value;
    double running_share; // of the time that the event was to be counted; 1: all of it (or no time at all); 0: never,
                          // value says nothing
};
int pmu_read(int fd, struct pmu_count *out); // 0 or -errno

// What counters said about a loop whose numbers are known.
struct pmu_loop {
    double expected_instructions, expected_cycles;
    double instructions, cycles; // counted
};

// True if both counts lie within 10 % of what is known; otherwise `why` says what is wrong. Guest PMUs that are live
// and off by orders of magnitude are not rare.
bool pmu_loop_believable(const struct pmu_loop *loop, char *why, size_t size);

// Runs the loop under the counters of this thread. True if hardware counters exist and are believable; otherwise `why`
// and `hint` (what would enable them).
bool pmu_self_test(char *why, size_t why_size, char *hint, size_t hint_size);

// How fast an event that counts reference cycles runs beside the clock of core/arch.h (TSC, generic timer) while the
// CPU is busy: 1 if it is that clock's. The most of several short loops, since each one can be interrupted. NaN if it
// cannot be counted.
double pmu_reference_rate(const char *name);
