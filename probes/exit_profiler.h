// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
// What exit_profiler.bpf.c records, shared with its collector.
#pragma once

#include "probes/session.h"

#define PROFILER_BATCHES 16   // ticks are dealt out over these by time, for standard errors
#define PROFILER_LATE    32   // log2 buckets of lateness in ns; the last one holds all above
#define PROFILER_CODE    48   // bytes of code in front of the interrupted instruction
#define PROFILER_SITES   8192 // addresses per sample

// Where a tick found the job.
struct profiler_key {
    unsigned long long ip;
    unsigned int process; // as its innermost PID namespace numbers it; 0: in the kernel
    unsigned int image;   // what the process runs: another number after each exec
};

// Told at the first tick in a process, and in what it runs after an exec.
struct profiler_process {
    unsigned int process;
    unsigned int image;
};

#define PROFILER_PROCESSES 1024  // per sample
#define PROFILER_RING      16384 // bytes; a power of two and of pages

struct profiler_site {
    unsigned int ticks[PROFILER_BATCHES];
    unsigned int late[PROFILER_LATE];  // the same ticks by lateness
    unsigned int lost;                 // due instants at which the CPU was away, as in profiler_cpu
    unsigned char code[PROFILER_CODE]; // zeros where it could not be read
};

#define PROFILER_FRACTION 256 // parts of an instant in profiler_cpu.stolen

// One for each CPU, written by that CPU alone.
//
// Instants are when ticks are due. A tick stands for all instants since the one before it. Where the earliest of them
// is answered later than profiler_job.late_ns, the CPU was away at all of them: they are `lost`.
struct profiler_cpu {
    unsigned long long grid;                 // when the latest tick was due, ns of CLOCK_MONOTONIC; 0: none yet
    unsigned long long least_late;           // ns, of the ticks since the grid was checked
    unsigned long long checked;              // runs at that time
    unsigned long long runs;                 // ticks, whoever they met
    unsigned long long run_ns;               // time inside the program
    unsigned long long overflow;             // ticks of the job for which no site was free
    unsigned long long kernel;               // ticks that found the job in the kernel
    unsigned long long steal_ns;             // steal clock at the tick before
    unsigned long long debt_ns;              // lateness of lost instants for which no steal was booked so far
    unsigned long long debt;                 // those instants, in fractions
    unsigned long long debt_since_ns;        // when the latest of them was met
    unsigned int debt_batch;                 // the batch of the latest
    unsigned long long gaps;                 // ticks that met lost instants
    unsigned int ticks[PROFILER_BATCHES];    // the job's
    unsigned int instants[PROFILER_BATCHES]; // for which they stand
    unsigned int lost[PROFILER_BATCHES];     // of these, the lost ones
    unsigned int stolen[PROFILER_BATCHES];   // of those, what steal accounts for, in fractions
    unsigned int late[PROFILER_LATE];        // the job's ticks in user mode by lateness
} __attribute__((aligned(64)));

// What user space tells the program.
struct profiler_job {
    unsigned int session;         // the job's tasks, as probes/session.h has it
    unsigned int steal;           // written by the program: the steal clock can be read
    unsigned long long start_ns;  // CLOCK_MONOTONIC
    unsigned long long period_ns; // between ticks
    unsigned long long slot_ns;   // a batch is changed as often
    unsigned long long late_ns;   // beyond this the CPU was away
};
