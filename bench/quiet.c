// SPDX-License-Identifier: Apache-2.0
// Waits for a quiet machine. See quiet.h.
#include "bench/quiet.h"

#include "core/clock.h"

#include <stdio.h>
#include <time.h>

struct jiffies {
    unsigned long long busy;
    unsigned long long total;
};

// Columns of a cpuN line (proc_stat(5)): user nice system idle iowait irq softirq steal.
static int read_jiffies(const cpu_set_t *cpus, struct jiffies *out) {
    FILE *file = fopen("/proc/stat", "re");
    if (!file)
        return -1;
    *out = (struct jiffies){0, 0};
    char line[512];
    while (fgets(line, sizeof line, file)) {
        unsigned cpu;
        unsigned long long v[8] = {0};
        if (sscanf(line, "cpu%u %llu %llu %llu %llu %llu %llu %llu %llu", &cpu, &v[0], &v[1], &v[2], &v[3], &v[4],
                   &v[5], &v[6], &v[7]) < 5 ||
            cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, cpus))
            continue;
        for (int i = 0; i < 8; i++)
            out->total += v[i];
        out->busy += v[0] + v[1] + v[2] + v[5] + v[6] + v[7];
    }
    fclose(file);
    return out->total ? 0 : -1;
}

double quiet_wait(const cpu_set_t *cpus, double limit, double max_s, const volatile int *stop) {
    uint64_t deadline = clock_now_ns() + (uint64_t)(max_s * 1e9);
    struct jiffies before;
    struct jiffies after;
    if (read_jiffies(cpus, &before))
        return -1;
    for (;;) {
        struct timespec step = {.tv_nsec = 250000000};
        nanosleep(&step, NULL);
        if (read_jiffies(cpus, &after) || after.total == before.total)
            return -1;
        double share = (double)(after.busy - before.busy) / (double)(after.total - before.total);
        if (share <= limit || *stop || clock_now_ns() >= deadline)
            return share;
        before = after;
    }
}
