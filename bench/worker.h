// SPDX-License-Identifier: Apache-2.0
// Runs one sample of a bench in a process of its own: set-up, a stop in which collectors begin, the work, a signal at
// which collectors end, verification. The process may crash, hang or leak: the runner goes on.
#pragma once

#include "bench/bench.h"
#include "collectors/live_threads.h"

#include <sys/types.h>

struct worker;

// What came out. `result` stays valid until worker_end().
struct worker_outcome {
    const struct bench_result *result;
    bool done;                // the work came to its end (result holds wall_s and so on)
    bool interrupted;         // the user stopped it
    char why[512];            // why not done, or not valid
    double cpu_s;             // user + system CPU-seconds of the work (not of set-up)
    struct live_threads live; // of the work, of the worker's threads: CPU time and waiting for a CPU
    uint64_t start_ns;        // CLOCK_MONOTONIC around the work
    uint64_t end_ns;
    uint64_t start_tsc; // the cycle counter at the same moments; 0 where there is none
    uint64_t end_tsc;
};

// Something of the runner's that goes on beside the samples and can end one (nodes.h).
struct worker_peer {
    pid_t pid; // a child of ours that is not the job's
    int fd;    // readable when there is something to look at; -1: never

    // Looks at it. The reason why the sample cannot go on, or NULL.
    const char *(*look)(void *closure);
    void *closure;
};

// Starts the process, binds it to context->cpus, and waits until set-up is done. `stop` is a flag that a signal
// handler sets; it is looked at whenever the wait is interrupted. `peer` may be NULL and stays the caller's. NULL with
// `err` if set-up failed or took longer than timeout_s.
struct worker *worker_start(const struct bench_ops *ops, struct bench_context *context, double timeout_s,
                            const volatile int *stop, const struct worker_peer *peer, struct error *err);

// The process: the root of the job and the leader of its session, for collectors.
pid_t worker_pid(const struct worker *worker);

// Lets the work begin and waits until it is done, at most timeout_s.
void worker_go(struct worker *worker, double timeout_s, const volatile int *stop, struct worker_outcome *out);

// Kills what is left of the job; the outcome stays as it is.
void worker_kill(struct worker *worker);

// Waits for the verification (at most 60 s) and completes *out; kills what is left of the job, frees the worker.
void worker_finish(struct worker *worker, const volatile int *stop, struct worker_outcome *out);
void worker_end(struct worker *worker); // NULL is fine
