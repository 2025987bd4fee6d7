// SPDX-License-Identifier: Apache-2.0
// The null bench: does nothing for a stated time, or misbehaves on request. It tests the runner.
#include "bench/kernels/kernels.h"

#include "core/clock.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct bench_param params[] = {
    {"seconds", {"0.01"}, "how long to sleep, seconds"},
    {"behave", {"well"}, "well | invalid | fail | fail-setup | crash | exit | hang | unavailable"},
    {"fom", {""}, "a figure of merit to report (higher is better); empty: none"},
    {"steps", {"0"}, "how many steps of equal length to report"},
    {NULL, {NULL}, NULL},
};

static bool behaves(const struct bench_context *context, const char *how) {
    return strcmp(bench_param_text(context, "behave"), how) == 0;
}

static int fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    static const char *const known[] = {"well",  "invalid", "fail", "fail-setup",
                                        "crash", "exit",    "hang", "unavailable"};
    bool good = false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        good = good || behaves(context, known[i]);
    if (!good) {
        error_set(err, EXIT_CODE_INPUT, "the parameter \"behave\" cannot be \"%s\"",
                  bench_param_text(context, "behave"));
        bench_param_blame(context, "behave", err);
        return error_why(err, "known are %s", params[1].help);
    }
    double seconds;
    double value;
    uint64_t steps;
    if (bench_param_double(context, "seconds", &seconds, err) < 0 || bench_param_u64(context, "steps", &steps, err) < 0)
        return -1;
    if (!(seconds >= 0 && seconds <= 86400)) {
        error_set(err, EXIT_CODE_INPUT, "the parameter \"seconds\" cannot be %g", seconds);
        bench_param_blame(context, "seconds", err);
        return error_why(err, "it must be between 0 and 86400");
    }
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(context->params, "fom");
    if (cJSON_IsString(item) && item->valuestring[0] == '\0')
        return 1;
    if (bench_param_double(context, "fom", &value, err) < 0)
        return -1;
    *out = (struct bench_fom){"nothing", "nothing/s", FOM_HIGHER};
    return 0;
}

static const char *unavailable(const struct bench_context *context) {
    return behaves(context, "unavailable") ? "it was told to be unavailable: choose another \"behave\"" : NULL;
}

static int setup(struct bench_context *context, struct error *err) {
    if (!behaves(context, "fail-setup"))
        return 0;
    error_set(err, EXIT_CODE_LACKS, "setting up the null bench");
    return error_why(err, "it was told to fail");
}

static int misbehave(const struct bench_context *context, struct error *err) {
    if (behaves(context, "crash")) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (behaves(context, "exit"))
        _exit(7);
    while (behaves(context, "hang"))
        pause();
    if (!behaves(context, "fail"))
        return 0;
    error_set(err, EXIT_CODE_INTERNAL, "running the null bench");
    return error_why(err, "it was told to fail");
}

static int run(struct bench_context *context, struct bench_result *result, struct error *err) {
    double seconds = 0;
    uint64_t steps = 0;
    if (bench_param_double(context, "seconds", &seconds, err) < 0 ||
        bench_param_u64(context, "steps", &steps, err) < 0 || misbehave(context, err) < 0)
        return -1;
    struct timespec left = {.tv_sec = (time_t)seconds, .tv_nsec = (long)(fmod(seconds, 1) * 1e9)};
    uint64_t begin = clock_raw_ns();
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
    result->wall_s = (double)(clock_raw_ns() - begin) * 1e-9;
    result->fom = NAN;
    if (*bench_param_text(context, "fom") || cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(context->params, "fom")))
        bench_param_double(context, "fom", &result->fom, NULL);
    result->step_count = steps < BENCH_MAX_STEPS ? (unsigned)steps : BENCH_MAX_STEPS;
    for (unsigned i = 0; i < result->step_count; i++)
        result->steps_s[i] = result->wall_s / (double)steps;
    return 0;
}

static void verify(struct bench_context *context, struct bench_result *result) {
    result->valid = !behaves(context, "invalid");
    if (!result->valid)
        snprintf(result->why, sizeof result->why, "it was told to be invalid");
}

const struct bench_ops bench_null = {
    .abi = BENCH_ABI,
    .name = "null",
    .summary = "does nothing for a stated time, or misbehaves as told: tests the runner",
    .params = params,
    .fom = fom,
    .unavailable = unavailable,
    .setup = setup,
    .run = run,
    .repeatable = true,
    .verify = verify,
};
