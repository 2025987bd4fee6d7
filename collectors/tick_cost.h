// SPDX-License-Identifier: Apache-2.0
// What a timer's tick takes from a program, seen from within: a loop that reads the clock stands still meanwhile. That
// holds all of it, the exits that deliver the tick and arm the next one included. May include: core.
#pragma once

#include <stddef.h>

#define TICK_COST_LEAST 30 // ticks: fewer say nothing

// Watches for about `count` ticks, at most limit_s seconds: `*ticks` is a counter that each tick of the CPU this thread
// is bound to moves on. Seconds a tick; 0 if fewer than TICK_COST_LEAST came.
double tick_cost_s(const volatile unsigned long long *ticks, size_t count, double limit_s);

// The mean of those values that are at most three times the median: in longer ones the host or another program had the
// CPU, too. Sorts the values. 0 if there are none.
double tick_cost_mean(double *values, size_t count);
