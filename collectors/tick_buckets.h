// SPDX-License-Identifier: Apache-2.0
// From timer ticks to seconds: which ticks at an address the exit there accounts for, and the standard error of a
// share. Pure arithmetic. May include: the probe's structures, core.
#pragma once

#include "probes/exit_profiler.h"

#include <stdint.h>

// Ticks of one kind (or all of the job's), dealt out over batches by time.
struct tick_batches {
    double ticks[PROFILER_BATCHES];
};

struct tick_share {
    double value; // hits / all; 0 if there were no ticks
    double se;    // its standard error; 1 if there were no ticks
};

double tick_total(const struct tick_batches *batches);

// Share and error. Ticks are not independent of each other (a program has phases), so the error is that of batch means,
// as a ratio: with p = sum(hits) / sum(all) and d_b = hits_b - p all_b over the B batches that have ticks,
//
//     se^2 = B / (B - 1) * sum(d_b^2) / sum(all)^2
//
// but at least the binomial sqrt(q (1 - q) / n) with q = (sum(hits) + 1) / (n + 2): a kind that was never met is not
// known to be 0 without error. The binomial alone where fewer than 4 batches have ticks.
struct tick_share tick_share(const struct tick_batches *hits, const struct tick_batches *all);

// How many ticks came within limit_ns of when they were due. `late` is in log2 buckets; the bucket in which the limit
// lies counts for the part of it below the limit.
double tick_within(const unsigned int late[PROFILER_LATE], double limit_ns);

// How late ticks usually are, ns: the lateness that a quarter of them stays below, interpolated within its bucket; 0 if
// there are none. The lower quartile and not the median, for the CPU may be away for more than half of the time.
double tick_usual_late_ns(const unsigned int late[PROFILER_LATE]);

// Beyond this lateness the CPU was away, ns: 20 times the usual lateness here + 50 us. A guest delivers a tick in some
// microseconds when its CPU runs; emulated ones take a hundred.
double tick_late_limit_ns(double usual_late_ns);

// Adds a site's ticks, each weighted.
void tick_add(struct tick_batches *to, const unsigned int ticks[PROFILER_BATCHES], double weight);

// The period that keeps ticks within a share of the time: cost_s / budget, and at least shortest_s.
double tick_period(double cost_s, double budget, double shortest_s);
