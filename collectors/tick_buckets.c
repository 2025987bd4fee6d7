// SPDX-License-Identifier: Apache-2.0
// Arithmetic on timer ticks. See tick_buckets.h.
#include "collectors/tick_buckets.h"

#include <math.h>

double tick_total(const struct tick_batches *batches) {
    double sum = 0;
    for (int b = 0; b < PROFILER_BATCHES; b++)
        sum += batches->ticks[b];
    return sum;
}

struct tick_share tick_share(const struct tick_batches *hits, const struct tick_batches *all) {
    const double n = tick_total(all);
    if (n <= 0)
        return (struct tick_share){.value = 0, .se = 1};
    const double x = tick_total(hits);
    const double p = x / n;
    double squares = 0;
    int batches = 0;
    for (int b = 0; b < PROFILER_BATCHES; b++) {
        const double d = hits->ticks[b] - p * all->ticks[b];
        squares += d * d;
        batches += all->ticks[b] > 0;
    }
    const double q = (x + 1) / (n + 2);
    const double binomial = sqrt(q * (1 - q) / n);
    const double means = batches < 4 ? 0 : sqrt(squares * batches / (batches - 1)) / n;
    return (struct tick_share){.value = p, .se = fmax(binomial, means)};
}

// A bucket's lower bound and width, ns.
static double bucket_low(int b) {
    return b ? ldexp(1, b) : 0;
}

static double bucket_width(int b) {
    return ldexp(1, b + 1) - bucket_low(b);
}

double tick_within(const unsigned int late[PROFILER_LATE], double limit_ns) {
    double within = 0;
    for (int b = 0; b < PROFILER_LATE; b++)
        within += late[b] * fmin(fmax((limit_ns - bucket_low(b)) / bucket_width(b), 0), 1);
    return within;
}

double tick_usual_late_ns(const unsigned int late[PROFILER_LATE]) {
    double left = 0;
    for (int b = 0; b < PROFILER_LATE; b++)
        left += late[b] / 4.;
    for (int b = 0; b < PROFILER_LATE; b++) {
        if (late[b] > 0 && left <= late[b])
            return bucket_low(b) + bucket_width(b) * left / late[b];
        left -= late[b];
    }
    return 0;
}

double tick_late_limit_ns(double usual_late_ns) {
    return 20 * usual_late_ns + 50e3;
}

void tick_add(struct tick_batches *to, const unsigned int ticks[PROFILER_BATCHES], double weight) {
    for (int b = 0; b < PROFILER_BATCHES; b++)
        to->ticks[b] += weight * ticks[b];
}

double tick_period(double cost_s, double budget, double shortest_s) {
    return fmax(cost_s / budget, shortest_s);
}
