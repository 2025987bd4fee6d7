// SPDX-License-Identifier: Apache-2.0
// Unit costs of what a guest can do that leaves it, measured on this subject by bench/traps before a run, stored in the
// journal's header, and used by collectors to turn counts into seconds (basis "calibrated").
#pragma once

#include "core/cause.h"
#include "core/json.h"

#include <stdbool.h>

enum trap {
    TRAP_SYSCALL,        // getppid: a null test, no exit expected
    TRAP_CPUID,          // always exits in a hardware-assisted guest
    TRAP_RDTSC,          // exits only under some hypervisors
    TRAP_PAUSE,          // a single PAUSE; exits only in long spins, if at all
    TRAP_TIMER_ARM,      // arming an earlier timer and taking it back, less the same with a later one, by two: one
                         // programming of the hardware
    TRAP_TIMER_WAKE,     // lateness of a wake-up from idle
    TRAP_IPI_PEER,       // membarrier with a spinning peer: an IPI and its acknowledgement
    TRAP_IPI_ALONE,      // membarrier without a peer: no IPI
    TRAP_TOUCH_UNBACKED, // first touch of fresh memory
    TRAP_TOUCH_BACKED,   // first touch of memory that the guest and the host had before
    TRAP_DISK_READ,      // 4 KiB O_DIRECT read
    TRAP_COUNT
};

// The cost of one trap, in seconds. `measured` false: `why` says why not.
struct trap_cost {
    bool measured;
    const char *why; // static text, or NULL
    size_t n;        // operations timed
    size_t
        excluded; // of them left out of all figures: the host took the CPU away meanwhile (rule: bench/kernels/traps.h)
    double median_s;
    double mean_s;
    double p05_s, p95_s; // 5th and 95th percentile
    double se_s;         // standard error of mean_s from batch means
    double slope_s;      // the same by regression of elapsed time on the number of operations; 0: not measured
    double slope_se_s;   // its standard error
    double native_s;     // what the operation costs without the exit, as far as known (0 if unknown); source: traps
    bool exits;          // the calibration shows that this kind leaves the guest here
};

struct calibration {
    struct trap_cost traps[TRAP_COUNT];
    double tsc_hz;    // of the clock that timed them
    double tsc_hz_se; // standard error
};

// By how much a unit cost may have been wrong in the course of a run, in seconds: the root mean square of how far later
// measurements (list[1..count)) lie from the first one, less what their own errors explain. 0 where there are none.
double calibration_drift(const struct calibration *list, size_t count, enum trap trap);

// True unless the mean of single operations and the slope of a regression contradict each other: both were measured
// and differ by more than 3 standard errors (the drift, as above, being one of them) and 15 % of the mean.
bool calibration_agrees(const struct trap_cost *cost, double drift_s);

// "cpuid", "timer_arm", ...
const char *trap_name(enum trap trap);
enum trap trap_named(const char *name); // TRAP_COUNT: there is none of that name; NULL is fine

// One line that says what is timed.
const char *trap_text(enum trap trap);

// The journal's form {"traps": {"cpuid": {...}}, "tsc_hz": ...}. The caller owns it.
cJSON *calibration_to_json(const struct calibration *calibration);

// Reads that form; traps that are missing are not measured. 0, or -1 with `err`.
int calibration_from_json(const cJSON *object, struct calibration *out, struct error *err);
