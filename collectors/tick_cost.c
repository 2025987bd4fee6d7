// SPDX-License-Identifier: Apache-2.0
// See tick_cost.h.
#include "collectors/tick_cost.h"

#include "core/clock.h"
#include "core/memory.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

double tick_cost_mean(double *values, size_t count) {
    double sum = 0;
    size_t used = 0;
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, ascending);
    while (used < count && values[used] <= 3 * values[count / 2])
        sum += values[used++];
    return sum / (double)used;
}

// A tick falls between two readings of the clock, before or behind the reading of the counter: it is in the step in
// which the counter was seen to move, or in the next one, whichever is longer. What a step takes without a tick, the
// shortest one's time, is taken out.
double tick_cost_s(const volatile unsigned long long *ticks, size_t count, double limit_s) {
    double *steps = mem_alloc(count * sizeof *steps);
    const uint64_t start = clock_raw_ns();
    const uint64_t limit_ns = (uint64_t)(limit_s * 1e9);
    uint64_t at = start;
    uint64_t shortest = UINT64_MAX;
    uint64_t moved_in = 0; // the step in which the counter moved; 0: it did not
    unsigned long long seen = *ticks;
    size_t n = 0;
    while (n < count && at - start < limit_ns) {
        const uint64_t now = clock_raw_ns();
        const unsigned long long counter = *ticks;
        const uint64_t step = now - at;
        shortest = step && step < shortest ? step : shortest;
        if (moved_in)
            steps[n++] = (double)(step > moved_in ? step : moved_in);
        moved_in = counter == seen ? 0 : step;
        seen = counter;
        at = now;
    }
    const double mean_ns = n < TICK_COST_LEAST ? 0 : fmax(tick_cost_mean(steps, n) - (double)shortest, 0);
    free(steps);
    return mean_ns * 1e-9;
}
