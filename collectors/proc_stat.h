// SPDX-License-Identifier: Apache-2.0
// Reading /proc/stat: where each CPU's time went since boot, by the guest kernel's accounting.
// Format: Documentation/filesystems/proc.rst in the kernel tree, section 1.7.
#pragma once

#include "core/error.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The columns of a cpu line, in their order. Kernels before 2.6.33 have fewer: the rest reads as 0.
enum cpu_time {
    CPU_USER, // contains CPU_GUEST
    CPU_NICE, // contains CPU_GUEST_NICE
    CPU_SYSTEM,
    CPU_IDLE,
    CPU_IOWAIT,
    CPU_IRQ,
    CPU_SOFTIRQ,
    CPU_STEAL,
    CPU_GUEST,
    CPU_GUEST_NICE,
    CPU_TIME_COUNT
};

struct cpu_times {
    uint64_t ticks[CPU_TIME_COUNT]; // since boot, in units of 1/proc_stat_hz() seconds
    bool online;                    // the file has a line for this CPU
};

struct proc_stat {
    struct cpu_times *cpus; // by CPU number
    size_t count;
    uint64_t context_switches; // of all CPUs since boot
};

// Parses the text of /proc/stat. 0 (proc_stat_free() releases it), or -1 with `err` (code 3).
int proc_stat_parse(const char *text, struct proc_stat *out, struct error *err);

// Reads PATH ("/proc/stat").
int proc_stat_read(const char *path, struct proc_stat *out, struct error *err);
void proc_stat_free(struct proc_stat *stat); // also makes it empty again

// USER_HZ: ticks per second of the file, 100 on all current architectures.
double proc_stat_hz(void);

// Seconds that `which` grew between two readings, summed over the CPUs of the set that are in both. Counters that went
// backwards (iowait and idle may) count as 0. `cpus_found`, if not NULL, is the number of CPUs summed.
double proc_stat_seconds(const struct proc_stat *from, const struct proc_stat *to, const cpu_set_t *cpus,
                         enum cpu_time which, unsigned *cpus_found);

// Standard error that the file's resolution alone puts on such a sum: each CPU's difference is of two readings that
// are cut off to whole ticks, so it is off by a triangular distribution of variance tick^2 / 6.
double proc_stat_quantum_se(unsigned cpus);

// Standard error of a sum of tick-sampled times. Kernels without precise accounting book each timer tick (1/HZ) wholly
// to whoever runs at that instant: binomial sampling with n = window / tick trials for each CPU. Contains the quantum.
double proc_stat_sampling_se(double seconds, double window_s, unsigned cpus);
