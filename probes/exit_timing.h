// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
// What exit_timing.bpf.c and exit_timing_function.bpf.c measure, shared with their collector.
#pragma once

#include "probes/job.h"

// What has a beginning and an end that the guest's kernel shows.
enum timing_event {
    TIMING_TIMER,       // the timer's hardware is programmed
    TIMING_IPI,         // an interrupt is sent to another CPU
    TIMING_IPI_WAIT,    // the sender waits until the others have done what it asked for
    TIMING_KICK,        // a virtual device is notified
    TIMING_TLB,         // other CPUs' TLBs are flushed with the hypervisor's help
    TIMING_LOCK,        // halted, waiting for a spinlock
    TIMING_TOUCH,       // a page fault puts a fresh small page into anonymous memory
    TIMING_TOUCH_HUGE,  // the same with a larger one
    TIMING_ASYNC_FAULT, // a task sleeps until the host has read a page in
    TIMING_WAKE,        // a timer that wakes a task of the job expires on an idle CPU: its lateness
    TIMING_IRQ,         // an interrupt's handler runs
    TIMING_SOFTIRQ,     // a softirq's handler runs
    TIMING_EVENTS
};

#define TIMING_HIST 32 // log2 buckets of ns; the last one holds all above

// Durations of one event on one CPU. What was spent in events inside of others counts for the inner ones only.
struct timing_row {
    unsigned long long count;    // pairs of beginning and end
    unsigned long long ns;       // sum of their durations
    unsigned long long unpaired; // beginnings or ends without the other: mixed up by interrupts or switches
    unsigned long long over;     // of `count`: longer than the limit
    unsigned long long over_ns;  // their sum
    unsigned long long inner;    // events right inside of them, each timed by programs that took time there, too
    unsigned int hist[TIMING_HIST];
};

// A beginning that waits for its end.
struct timing_slot {
    unsigned long long begin;    // ns of CLOCK_MONOTONIC; 0: none
    unsigned long long covered;  // timing_cpu.covered at that time
    unsigned long long switches; // timing_cpu.switches at that time
    unsigned long long ended;    // timing_cpu.ended at that time
    unsigned long long nested;   // functions of the same event that began inside and go on
};

// One for each CPU. Written by that CPU, but for the `wait_` members.
struct timing_cpu {
    struct timing_row rows[WHOSE_COUNT][TIMING_EVENTS];
    struct timing_slot slots[TIMING_EVENTS];
    unsigned long long covered;       // ns in events so far: what an outer event takes out of its own time
    unsigned long long ended;         // events that ended so far, without those inside of others
    unsigned long long switches;      // context switches so far
    unsigned long long late_ns;       // lateness of the timer that expires now
    unsigned long long wait_end;      // when the latest of the called CPUs had done its part; 0: none has yet
    unsigned long long wait_switches; // `switches` at that time
    unsigned long long call;          // the call that another CPU has sent here, an address
    unsigned int caller;              // that CPU
    unsigned int wait_whose;          // enum probe_whose: who began the round of calls
    unsigned int sent;                // calls have been sent; the next one begins another round
    unsigned int waking;              // a timer expires on this CPU, which was idle
    unsigned int order;               // of the page that the fault under way was given; NO_PAGE: none yet
    unsigned int current;             // enum probe_whose: the task that runs now
} __attribute__((aligned(64)));

#define NO_PAGE 0xffffffffU

// What user space tells the programs.
struct timing_control {
    struct probe_job job;
    unsigned long long limit_ns[TIMING_EVENTS]; // `over` counts what is longer; 0: none
};

#define TIMING_SLEEPERS 4096 // tasks that sleep in a timed function at the same time
