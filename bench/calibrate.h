// SPDX-License-Identifier: Apache-2.0
// Measures the unit costs of traps on this subject (bench/kernels/traps.c), for the journal's header.
#pragma once

#include "core/calibration.h"

#include <sched.h>

// Times every trap in a child process bound to the first CPUs of `cpus`, within about `budget_s` seconds in all.
// Traps that cannot be timed here say why. 0, or -1 with `err` if the child died.
int calibrate(const cpu_set_t *cpus, double budget_s, struct calibration *out, struct error *err);

// The same for those traps alone that leave the guest by `first` and are cheap to time (cpuid, rdtsc, timer_arm,
// ipi_peer): how far their price moved.
int calibrate_again(const cpu_set_t *cpus, double budget_s, const struct calibration *first, struct calibration *out,
                    struct error *err);
