// SPDX-License-Identifier: Apache-2.0
// The bench "traps": one trap of traps.h as a case of its own, so that runs can be compared trap by trap.
#include "bench/kernels/kernels.h"
#include "bench/kernels/traps.h"

#include "core/clock.h"
#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bench_param params[] = {
    {"trap",
     {"cpuid"},
     "syscall | cpuid | rdtsc | pause | timer_arm | timer_wake | ipi_peer | ipi_alone | "
     "touch_unbacked | touch_backed | disk_read"},
    {"seconds", {"0.2", "0.6", "2"}, "how long to measure, seconds"},
    {"steps", {"200", NULL, "1000"}, "how many of the single values to keep, evenly spread over the series"},
    {NULL, {NULL}, NULL},
};

static int read_params(const struct bench_context *context, enum trap *trap, double *seconds, uint64_t *steps,
                       struct error *err) {
    const char *name = bench_param_text(context, "trap");
    *trap = trap_named(name);
    if (*trap == TRAP_COUNT) {
        error_set(err, EXIT_CODE_INPUT, "the parameter \"trap\" cannot be \"%s\"", name);
        bench_param_blame(context, "trap", err);
        return error_why(err, "known are %s", params[0].help);
    }
    if (bench_param_double(context, "seconds", seconds, err) < 0 || bench_param_u64(context, "steps", steps, err) < 0)
        return -1;
    if (*seconds > 0 && *seconds <= 3600 && *steps <= BENCH_MAX_STEPS)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "the parameters of traps cannot be used");
    return error_why(err, "seconds must be above 0 and at most 3600, steps at most %d", BENCH_MAX_STEPS);
}

static int fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    enum trap trap;
    double seconds;
    uint64_t steps;
    if (read_params(context, &trap, &seconds, &steps, err) < 0)
        return -1;
    *out = (struct bench_fom){"mean cost", "us", FOM_LOWER};
    return 0;
}

static const char *unavailable(const struct bench_context *context) {
    static const enum trap instructions[] = {TRAP_CPUID, TRAP_RDTSC, TRAP_PAUSE};
    enum trap trap = trap_named(bench_param_text(context, "trap"));
    const char *why = NULL;
    for (size_t i = 0; i < ARRAY_LEN(instructions); i++)
        if (trap == instructions[i] && !traps_instruction(trap, &why))
            return why;
    return trap == TRAP_IPI_PEER && CPU_COUNT(context->cpus) < 2 ? "it needs two CPUs: --cpus" : NULL;
}

static void keep_steps(const struct trap_series *series, uint64_t wanted, struct bench_result *result) {
    uint64_t count = series->count < wanted ? series->count : wanted;
    for (uint64_t i = 0; i < count; i++)
        result->steps_s[i] = series->values[i * series->count / count];
    result->step_count = (unsigned)count;
}

static int run(struct bench_context *context, struct bench_result *result, struct error *err) {
    enum trap trap;
    double seconds;
    uint64_t steps;
    if (read_params(context, &trap, &seconds, &steps, err) < 0)
        return -1;
    struct trap_series series = {.capacity = 1 << 20};
    series.values = mem_alloc(series.capacity * sizeof *series.values);
    struct trap_cost cost;
    uint64_t begin = clock_raw_ns();
    trap_measure(trap, context->cpus, seconds, &cost, &series);
    result->wall_s = (double)(clock_raw_ns() - begin) * 1e-9;
    keep_steps(&series, steps, result);
    free(series.values);
    if (!cost.measured) {
        error_set(err, EXIT_CODE_LACKS, "measuring the trap %s", trap_name(trap));
        return error_why(err, "%s", cost.why);
    }
    result->fom = cost.mean_s * 1e6;
    result->valid = true;
    snprintf(
        result->info, sizeof result->info,
        "median %.4g us, 5 %% to 95 %% %.4g to %.4g us, mean's standard error %.2g us, %zu operations, %zu of them "
        "left out, %s",
        cost.median_s * 1e6, cost.p05_s * 1e6, cost.p95_s * 1e6, cost.se_s * 1e6, cost.n, cost.excluded,
        cost.exits ? "leaves the guest" : "not seen to leave the guest");
    return 0;
}

const struct bench_ops bench_traps = {
    .abi = BENCH_ABI,
    .name = "traps",
    .summary = "what one trap costs: cpuid, IPI, timer, first touch, disk read ...",
    .params = params,
    .fom = fom,
    .unavailable = unavailable,
    .run = run,
    .repeatable = true,
};
