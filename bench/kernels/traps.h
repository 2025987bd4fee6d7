// SPDX-License-Identifier: Apache-2.0
// Measures what one trap costs here: the operations of core/calibration.h, one at a time, as distributions.
//
// An operation is timed with the cycle counter on both sides (the system's clock where there is none), less what an
// empty pair of readings takes. Very short ones are timed in groups; a value is then the mean of one group.
//
// The mean. Counts are multiplied with it, so the tail belongs in it: touch_unbacked, timer_wake and disk_read, which
// wait for something, use all values. The others leave out values above 20 x median + 50 us, and count them in
// `excluded`: nothing in such an operation waits, so that long a one was the host taking the CPU away, which is counted
// as host.steal or host.hidden and must not be counted again.
//
// `exits` says whether this subject leaves the guest for it, by these rules (the thresholds lie between the slowest
// native and the fastest virtual figure; sources in traps.c):
//   cpuid, rdtsc, pause  even the fastest 5 % take longer than 250 ns
//   timer_arm            the median of half of (earlier expiry - later expiry), armed and taken back, is above 400 ns
//   ipi_peer             the median is above 2.5 us
//   touch_unbacked       measured only where pages stand out from the backed ones, so always
//   timer_wake, disk_read                never: sleep states and disks differ so much that latency alone cannot tell
//   syscall, ipi_alone, touch_backed     never: the null tests
//
// `native_s` is the measured median where the trap does not exit (but 0 for timer_wake and disk_read); for instructions
// that do, a published figure (traps_native_cycles); for touch_unbacked the median of backed pages; otherwise 0,
// unknown.
#pragma once

#include "bench/kernels/distribution.h"
#include "core/calibration.h"

#include <sched.h>

// The single values, in the order they were measured, in seconds.
struct trap_series {
    double *values;
    size_t capacity; // measuring ends when this many are there, or when the time is up
    size_t count;
};

// Measures one trap on the first CPU of `cpus` (ipi_peer: and the second), within about `budget_s` seconds. Fills *out;
// where it cannot be measured, out->measured is false and out->why says why. Binds the calling thread and changes its
// timer slack, so it belongs into a process of its own. `series` must have a capacity of at least 2.
void trap_measure(enum trap trap, const cpu_set_t *cpus, double budget_s, struct trap_cost *out,
                  struct trap_series *series);

// The unit cost a second way: blocks of operations, of which a varying number leaves the guest, are timed as a whole,
// and elapsed time is fitted against that number by least squares. What single operations and blocks share alike (the
// two readings of the clock, the system call around a timer that programs nothing) is in the intercept. Fills slope_s
// and slope_se_s of a trap that was measured, for cpuid, timer_arm, ipi_peer and touch_backed; else leaves them 0.
// Blocks longer than the median of their kind by 20 operations and 50 us are left out: the host took the CPU.
void trap_slope(enum trap trap, const cpu_set_t *cpus, double budget_s, struct trap_cost *out);

// Least squares: slope of y over x and its standard error.
void traps_line(const double *x, const double *y, size_t count, double *slope, double *se);

// The two rules above on their own: whether a distribution (in seconds) shows exits, and above which value an operation
// is left out (INFINITY: none is).
bool traps_exit(enum trap trap, const struct distribution *d);
double traps_limit_s(enum trap trap, const struct trap_series *series);

// --- per architecture: traps_x86.c, traps_arm64.c, traps_other.c ----------------------------------------------------

// Executes an instruction `count` times. NULL if this architecture has none of that kind; `*why` then says so.
typedef void (*trap_instruction)(unsigned count);
trap_instruction traps_instruction(enum trap trap, const char **why);

// What the instruction takes where it does not leave the guest, in cycles of the counter; 0 if unknown.
double traps_native_cycles(enum trap trap);
