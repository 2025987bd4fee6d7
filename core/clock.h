// SPDX-License-Identifier: Apache-2.0
// Clocks: which one is read for what, and how fast the TSC runs with which uncertainty.
#pragma once

#include <stdbool.h>
#include <stdint.h>

uint64_t clock_now_ns(void); // CLOCK_MONOTONIC: the journal's start_ns, and what eBPF's bpf_ktime_get_ns() reads
uint64_t clock_raw_ns(void); // CLOCK_MONOTONIC_RAW: not slewed by NTP, for calibration and for short intervals
double clock_cpu_s(void);    // CPU time (user + system) of this process so far, seconds

// How the cycle counter (core/arch.h) relates to time.
struct clock_ticks {
    double hz;      // ticks per second; 0 if there is no counter
    double hz_se;   // standard error of hz
    bool stated;    // hz is the hardware's statement, not measured
    bool invariant; // the rate does not change with frequency or sleep
};

// Measures the counter against CLOCK_MONOTONIC_RAW by least squares over `duration_s` (0.05 gives about 1 ppm on a
// quiet machine). Each reading is bracketed by two counter readings and the tightest of several is kept, so that a
// preemption or VM exit between the readings does not enter. The error is the regression's.
void clock_calibrate(double duration_s, struct clock_ticks *out);
