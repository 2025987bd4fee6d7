// SPDX-License-Identifier: Apache-2.0
// Waits for a quiet machine. See quiet.h.
#include "bench/quiet.h"

#include "collectors/proc_stat.h"
#include "core/clock.h"
#include "core/memory.h"

#include <time.h>

// Everything but idle and iowait; steal counts, since the machine is not quiet then either.
static const enum cpu_time busy_columns[] = {CPU_USER, CPU_NICE, CPU_SYSTEM, CPU_IRQ, CPU_SOFTIRQ, CPU_STEAL};

static double busy_share(const struct proc_stat *before, const struct proc_stat *after, const cpu_set_t *cpus) {
    double busy_s = 0;
    for (size_t i = 0; i < ARRAY_LEN(busy_columns); i++)
        busy_s += proc_stat_seconds(before, after, cpus, busy_columns[i], NULL);
    double idle_s = proc_stat_seconds(before, after, cpus, CPU_IDLE, NULL) +
                    proc_stat_seconds(before, after, cpus, CPU_IOWAIT, NULL);
    return busy_s + idle_s > 0 ? busy_s / (busy_s + idle_s) : -1;
}

double quiet_wait(const cpu_set_t *cpus, double limit, double max_s, const volatile int *stop) {
    uint64_t deadline = clock_now_ns() + (uint64_t)(max_s * 1e9);
    struct timespec step = {.tv_nsec = 250000000};
    double share = -1;
    do {
        struct proc_stat before;
        struct proc_stat after;
        if (proc_stat_read("/proc/stat", &before, NULL))
            return -1;
        nanosleep(&step, NULL);
        if (proc_stat_read("/proc/stat", &after, NULL) == 0) {
            share = busy_share(&before, &after, cpus);
            proc_stat_free(&after);
        }
        proc_stat_free(&before);
    } while (share > limit && !*stop && clock_now_ns() < deadline);
    return share;
}
