// SPDX-License-Identifier: Apache-2.0
// Runs one bench once in this process and prints what it found as key=value words: for scripts that compare a kernel
// with another program's, without the runner's samples, collectors and waits around it. user_s is the CPU time in user
// mode of the timed part, without setup and verification. With WARM_UP=1 in the environment it is done twice and the
// first not told, as the runner's warm-up isn't: a program that has computed for seconds is compared with one that has
// computed at all.
// Usage: [WARM_UP=1] bench_once BENCH PARAMS-AS-JSON [THREADS [MPI-FOLDER]]
#include "bench/bench.h"

#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static double user_cpu_s(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6;
}

// Setup to teardown; *user_s: seconds in user mode of run.
static int run_once(const struct bench_ops *ops, struct bench_context *context, struct bench_result *r, double *user_s,
                    struct error *err) {
    if (ops->setup && ops->setup(context, err) < 0)
        return -1;
    double before = user_cpu_s();
    if (ops->run(context, r, err) < 0)
        return -1;
    *user_s = user_cpu_s() - before;
    if (ops->verify)
        ops->verify(context, r);
    if (ops->teardown)
        ops->teardown(context);
    if (r->valid)
        return 0;
    error_set(err, EXIT_CODE_INTERNAL, "the result of %s is not valid", ops->name);
    return error_why(err, "%s", r->why);
}

static int run(const struct bench_ops *ops, struct bench_context *context, struct bench_result *r, struct error *err) {
    struct bench_fom fom = {"wall time", "s", FOM_LOWER};
    double user_s = 0;
    if (ops->fom(context, &fom, err) < 0)
        return -1;
    if (getenv("WARM_UP") && run_once(ops, context, r, &user_s, err) < 0)
        return -1;
    memset(r, 0, sizeof *r);
    if (run_once(ops, context, r, &user_s, err) < 0)
        return -1;
    printf("fom=%.9g unit=%s wall_s=%.9g user_s=%.9g steps_s=", r->fom, fom.unit, r->wall_s, user_s);
    for (unsigned i = 0; i < r->step_count; i++)
        printf("%s%.9g", i ? "," : "", r->steps_s[i]);
    putchar('\n');
    return 0;
}

int main(int argc, char **argv) {
    struct error err = {0};
    cpu_set_t cpus;
    const struct bench_ops *ops = argc >= 3 ? bench_find(argv[1]) : NULL;
    if (!ops) {
        fprintf(stderr, "usage: bench_once BENCH PARAMS-AS-JSON [THREADS [MPI-FOLDER]]\n");
        return EXIT_CODE_USAGE;
    }
    cJSON *given = json_parse(argv[2], strlen(argv[2]), (struct json_origin){"PARAMS", 1}, &err);
    cJSON *params = given ? bench_params(ops, given, SIZE_DEFAULT, &err) : NULL;
    sched_getaffinity(0, sizeof cpus, &cpus);
    struct bench_context context = {.params = params,
                                    .size = SIZE_DEFAULT,
                                    .cpus = &cpus,
                                    .threads = argc > 3 ? (unsigned)atoi(argv[3]) : (unsigned)CPU_COUNT(&cpus),
                                    .exec_dir = argc > 4 ? argv[4] : "build/mpi"};
    struct bench_result *result = mem_alloc(sizeof *result);
    int failed = !params || run(ops, &context, result, &err) < 0;
    if (failed)
        error_print(&err);
    free(result);
    cJSON_Delete(params);
    cJSON_Delete(given);
    return failed ? (int)err.code : 0;
}
