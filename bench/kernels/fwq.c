// SPDX-License-Identifier: Apache-2.0
// Fixed work quantum: each CPU does the same small piece of arithmetic over and over and times each one. Work that
// touches no memory takes the same time each time unless something takes the CPU away, so what the quanta take beyond
// the fastest one is noise: interrupts, other threads, exits, a host that runs something else. After M. Sottile and
// R. Minnich, "Analysis of microbenchmarks for performance tuning of clusters" (Cluster 2004), and LLNL's FWQ.
//
// The figure is stretch = mean quantum / fastest quantum, over all CPUs: 1.004 means that 0.4 % of the time went
// elsewhere. It is a ratio near 1 and not the share itself, so that two machines differ by what a job would feel
// (1.004 : 1.001 is 0.3 % slower, while the shares differ by a factor of four).
#include "bench/kernels/kernels.h"

#include "core/clock.h"
#include "core/memory.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fwq {
    uint64_t rounds; // of work() in a quantum
    uint64_t count;  // quanta per CPU
    double *seconds; // [thread * count + quantum]
};

static const struct bench_param params[] = {
    {"quantum_us", {"1000"}, "length of a quantum of work on this CPU, microseconds (found during setup)"},
    {"count", {"200", "1000", "5000"}, "quanta on each CPU"},
    {NULL, {NULL}, NULL},
};

static int read_params(const struct bench_context *context, double *quantum_us, uint64_t *count, struct error *err) {
    if (bench_param_double(context, "quantum_us", quantum_us, err) < 0 ||
        bench_param_u64(context, "count", count, err) < 0)
        return -1;
    if (*quantum_us >= 1 && *quantum_us <= 1e6 && *count >= 2 && *count <= BENCH_MAX_STEPS)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "the parameters of fwq cannot be used");
    return error_why(err, "quantum_us must be between 1 and 1000000, count between 2 and %d", BENCH_MAX_STEPS);
}

static int fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    double quantum_us;
    uint64_t count;
    if (read_params(context, &quantum_us, &count, err) < 0)
        return -1;
    *out = (struct bench_fom){"stretch", "x", FOM_LOWER};
    return 0;
}

// A chain of dependent multiplications and additions in registers (constants: D. Knuth's MMIX generator).
static uint64_t work(uint64_t rounds, uint64_t x) {
    for (uint64_t i = 0; i < rounds; i++) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        __asm__ volatile("" : "+r"(x)); // the compiler must not find a shorter way to the last value
    }
    return x;
}

// Rounds that take `seconds` when nothing disturbs: from the fastest of several trials.
static uint64_t rounds_for(double seconds) {
    enum { TRIALS = 50, ROUNDS = 50000 };
    double fastest = INFINITY;
    uint64_t x = 1;
    for (int i = 0; i < TRIALS; i++) {
        uint64_t begin = clock_raw_ns();
        x = work(ROUNDS, x);
        fastest = fmin(fastest, (double)(clock_raw_ns() - begin) * 1e-9);
    }
    double rounds = seconds * ROUNDS / fastest;
    return rounds > 1 ? (uint64_t)rounds : 1;
}

static int setup(struct bench_context *context, struct error *err) {
    struct fwq *f = mem_alloc(sizeof *f);
    double quantum_us = 0;
    context->state = f;
    if (read_params(context, &quantum_us, &f->count, err) < 0 || kernel_threads_start(context, err) < 0)
        return -1;
    f->rounds = rounds_for(quantum_us * 1e-6);
    size_t all = (size_t)f->count * context->threads;
    f->seconds = mem_alloc(all * sizeof *f->seconds);
    for (size_t i = 0; i < all; i++)
        f->seconds[i] = NAN; // touches the pages
    return 0;
}

static void quanta(const struct fwq *f, double *seconds) {
    uint64_t x = 1;
    uint64_t last = clock_raw_ns();
    for (uint64_t i = 0; i < f->count; i++) {
        x = work(f->rounds, x);
        uint64_t now = clock_raw_ns();
        seconds[i] = (double)(now - last) * 1e-9;
        last = now; // the end of one is the begin of the next: no time falls between them
    }
}

struct noise {
    double stretch; // mean / fastest
    double longest; // seconds
};

static struct noise noise_of(const double *seconds, uint64_t count) {
    double sum = 0;
    double fastest = INFINITY;
    double longest = 0;
    for (uint64_t i = 0; i < count; i++) {
        sum += seconds[i];
        fastest = fmin(fastest, seconds[i]);
        longest = fmax(longest, seconds[i]);
    }
    return (struct noise){sum / (double)count / fastest, longest};
}

// Step i is the slowest CPU's i-th quantum: what a job that waits for all CPUs would see.
static void fill_steps(const struct fwq *f, unsigned threads, struct bench_result *result) {
    result->step_count = (unsigned)f->count;
    for (uint64_t i = 0; i < f->count; i++) {
        result->steps_s[i] = 0;
        for (unsigned t = 0; t < threads; t++)
            result->steps_s[i] = fmax(result->steps_s[i], f->seconds[t * f->count + i]);
    }
}

static int run(struct bench_context *context, struct bench_result *result, struct error *err) {
    struct fwq *f = context->state;
    (void)err;
    uint64_t begin = clock_raw_ns();
#pragma omp parallel
    quanta(f, f->seconds + (size_t)omp_get_thread_num() * f->count);
    result->wall_s = (double)(clock_raw_ns() - begin) * 1e-9;

    double sum = 0;
    struct noise worst = {0};
    unsigned worst_thread = 0;
    for (unsigned t = 0; t < context->threads; t++) {
        struct noise n = noise_of(f->seconds + t * f->count, f->count);
        sum += n.stretch;
        worst_thread = n.stretch > worst.stretch ? t : worst_thread;
        worst.stretch = fmax(worst.stretch, n.stretch);
        worst.longest = fmax(worst.longest, n.longest);
    }
    result->fom = sum / context->threads;
    result->valid = true;
    fill_steps(f, context->threads, result);
    snprintf(result->info, sizeof result->info,
             "noise %.3f %% of the time, %.3f %% on the noisiest CPU (%d), longest quantum %.0f us",
             (result->fom - 1) * 100, (worst.stretch - 1) * 100, kernel_cpu(context->cpus, worst_thread),
             worst.longest * 1e6);
    return 0;
}

static void teardown(struct bench_context *context) {
    struct fwq *f = context->state;
    if (f)
        free(f->seconds);
    free(f);
    context->state = NULL;
}

const struct bench_ops bench_fwq = {
    .abi = BENCH_ABI,
    .name = "fwq",
    .summary = "fixed work quantum: how much of the CPU's time goes elsewhere",
    .params = params,
    .fom = fom,
    .setup = setup,
    .run = run,
    .repeatable = true,
    .teardown = teardown,
};
