// SPDX-License-Identifier: Apache-2.0
// Clocks and the calibration of the cycle counter. See clock.h.
#include "core/clock.h"

#include "core/arch.h"

#include <math.h>
#include <time.h>

static uint64_t read_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t clock_now_ns(void) {
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_raw_ns(void) {
    return read_ns(CLOCK_MONOTONIC_RAW);
}

double clock_cpu_s(void) {
    return (double)read_ns(CLOCK_PROCESS_CPUTIME_ID) * 1e-9;
}

struct reading {
    double ns;
    double ticks;
};

// One pair of readings: the tightest of five brackets, the counter taken in the middle.
static struct reading read_both(uint64_t ns0, uint64_t ticks0) {
    struct reading best = {0};
    uint64_t tightest = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t before = arch_ticks();
        uint64_t ns = clock_raw_ns();
        uint64_t after = arch_ticks();
        if (after - before >= tightest)
            continue;
        tightest = after - before;
        best = (struct reading){(double)(ns - ns0), (double)(before - ticks0) + (double)tightest / 2};
    }
    return best;
}

void clock_calibrate(double duration_s, struct clock_ticks *out) {
    enum { POINTS = 40 };
    *out = (struct clock_ticks){.invariant = arch_ticks_invariant()};
    uint64_t ticks0 = arch_ticks();
    if (ticks0 == 0)
        return;
    if (arch_ticks_stated_hz() > 0) {
        out->hz = arch_ticks_stated_hz();
        out->stated = true;
        return;
    }
    uint64_t ns0 = clock_raw_ns();
    struct timespec pause = {.tv_nsec = (long)(duration_s * 1e9 / POINTS)};
    struct reading at[POINTS];
    double mean_ns = 0;
    double mean_ticks = 0;
    for (int i = 0; i < POINTS; i++) {
        nanosleep(&pause, NULL);
        at[i] = read_both(ns0, ticks0);
        mean_ns += at[i].ns / POINTS;
        mean_ticks += at[i].ticks / POINTS;
    }
    double sxx = 0;
    double sxy = 0;
    for (int i = 0; i < POINTS; i++) {
        sxx += (at[i].ns - mean_ns) * (at[i].ns - mean_ns);
        sxy += (at[i].ns - mean_ns) * (at[i].ticks - mean_ticks);
    }
    double slope = sxy / sxx; // ticks per nanosecond
    double residual = 0;
    for (int i = 0; i < POINTS; i++) {
        double off = at[i].ticks - mean_ticks - slope * (at[i].ns - mean_ns);
        residual += off * off;
    }
    out->hz = slope * 1e9;
    out->hz_se = sqrt(residual / (POINTS - 2) / sxx) * 1e9;
}
