// SPDX-License-Identifier: Apache-2.0
// What counting costs a suite: the cost of each case (its figure of merit turned so that lower is better) with the
// collectors of timing samples over that without, in interleaved pairs of alternating order; and the share of the
// cases' CPU time that the counting programs take by the kernel's BPF statistics. Usage: suite_cost SUITE PAIRS
// MPI-FOLDER Prints a line for each case and one for the suite as a whole: the pairs' median shift with its 95 %
// interval, as reports have it. A case that exists to time what is counted (a timer, a first touch) shows the counter
// in its figure. May include: bench, collectors, detect, report's statistics, core.
#include "bench/suite.h"
#include "bench/worker.h"
#include "collectors/collector.h"
#include "core/clock.h"
#include "core/memory.h"
#include "detect/detect.h"
#include "report/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const volatile int stop;

// A case, and what was found of it.
struct measured {
    const struct suite_case *c;
    struct bench_context context;
    cpu_set_t cpus;
    struct bench_fom fom;
    double *difference; // of the log cost, by pair
    double counting_s;  // CPU-seconds of the counting programs in one sample
    double cpu_s;       // of that sample
};

static void fail(const struct error *err) {
    error_print(err);
    exit(err->code);
}

static double log_cost(const struct measured *m, const struct bench_result *r) {
    if (isnan(r->fom))
        return log(r->wall_s);
    return m->fom.better == FOM_HIGHER ? -log(r->fom) : log(r->fom);
}

// One sample under these collectors, each of which counts from its opening on. NaN if it was not valid.
static double sample(const struct measured *m, const char *selection, enum sample_mode mode,
                     const struct collect_options *options, struct observations *obs, double *cpu_s) {
    struct error err;
    struct bench_context context = m->context;
    struct collector_set *set = collector_set_open(selection, options, &err);
    if (!set)
        fail(&err);
    struct worker *worker = worker_start(m->c->ops, &context, m->c->timeout_s, &stop, NULL, &err);
    if (!worker)
        fail(&err);
    struct worker_outcome outcome;
    struct sample_window window = {.job = worker_pid(worker), .cpus = &m->cpus, .mode = mode};
    struct collector_output out = {obs, cJSON_CreateObject(), cJSON_CreateArray()};
    window.start_ns = clock_now_ns();
    collector_set_begin(set, &window);
    worker_go(worker, m->c->timeout_s, &stop, &outcome);
    window.end_ns = outcome.end_ns;
    window.cpu_s = outcome.cpu_s;
    window.live = outcome.live;
    collector_set_end(set, &window, &out);
    worker_finish(worker, &stop, &outcome);
    const double cost = outcome.done && outcome.result->valid ? log_cost(m, outcome.result) : NAN;
    *cpu_s = outcome.cpu_s;
    worker_end(worker);
    collector_set_close(set);
    cJSON_Delete(out.circumstances);
    cJSON_Delete(out.notes);
    return cost;
}

static double cost_with(const struct measured *m, const char *selection, const struct collect_options *options) {
    struct observations obs = {0};
    double cpu_s;
    const double cost = sample(m, selection, MODE_TIMING, options, &obs, &cpu_s);
    observations_free(&obs);
    return cost;
}

// The kernel's statistics are kept in attribution samples; the programs are those of timing samples.
static void by_statistics(struct measured *m, const struct collect_options *options) {
    struct observations obs = {0};
    sample(m, "guest_exits", MODE_ATTRIBUTION, options, &obs, &m->cpu_s);
    for (size_t i = 0; i < obs.count; i++) {
        const cJSON *told = cJSON_GetObjectItemCaseSensitive(obs.items[i].detail, "timing_s");
        if (obs.items[i].cause == CAUSE_OBSERVER && cJSON_IsNumber(told))
            m->counting_s = told->valuedouble;
    }
    observations_free(&obs);
}

static void measure_pair(struct measured *m, size_t pair, const struct collect_options *options) {
    double cost[2]; // without, with
    for (size_t half = 0; half < 2; half++) {
        const size_t with = (half + pair) % 2;
        cost[with] = cost_with(m, with ? "all" : "none", options);
    }
    m->difference[pair] = cost[1] - cost[0];
}

static void print_row(const char *name, const double *difference, size_t pairs, double counting_s, double cpu_s) {
    const struct stats_shift shift = stats_compare_paired(difference, pairs);
    printf("%-14s %+6.2f %% [%+.2f, %+.2f]   by statistics %.3f %% of %.2f CPU-seconds\n", name,
           100 * expm1(shift.estimate), 100 * expm1(shift.ci.low), 100 * expm1(shift.ci.high), 100 * counting_s / cpu_s,
           cpu_s);
}

// The suite's pair is the mean of its cases' pairs.
static void print_all(const struct measured *cases, size_t count, size_t pairs) {
    double *mean = mem_alloc(pairs * sizeof *mean);
    double counting_s = 0;
    double cpu_s = 0;
    for (size_t i = 0; i < count; i++) {
        print_row(cases[i].c->name, cases[i].difference, pairs, cases[i].counting_s, cases[i].cpu_s);
        for (size_t pair = 0; pair < pairs; pair++)
            mean[pair] += cases[i].difference[pair] / (double)count;
        counting_s += cases[i].counting_s;
        cpu_s += cases[i].cpu_s;
    }
    print_row("all of them", mean, pairs, counting_s, cpu_s);
    free(mean);
}

// Cases that cannot run here are left out, and told.
static size_t prepare(const struct suite *suite, const char *exec_dir, size_t pairs, struct measured *cases) {
    size_t count = 0;
    for (size_t i = 0; i < suite->count; i++) {
        struct measured *m = &cases[count];
        struct error err;
        *m = (struct measured){.c = &suite->cases[i], .fom = {"wall time", "s", FOM_LOWER}};
        sched_getaffinity(0, sizeof m->cpus, &m->cpus);
        m->context = (struct bench_context){.params = m->c->params,
                                            .size = suite->size,
                                            .cpus = &m->cpus,
                                            .threads = m->c->threads ? m->c->threads : (unsigned)CPU_COUNT(&m->cpus),
                                            .exec_dir = exec_dir,
                                            .environment = m->c->environment};
        const char *lacks = m->c->ops->unavailable ? m->c->ops->unavailable(&m->context) : NULL;
        if (lacks) {
            printf("%-14s left out: %s\n", m->c->name, lacks);
            continue;
        }
        if (m->c->ops->fom(&m->context, &m->fom, &err) < 0)
            fail(&err);
        m->difference = mem_alloc(pairs * sizeof *m->difference);
        count++;
    }
    return count;
}

int main(int argc, char **argv) {
    struct error err;
    struct suite suite;
    const long pairs = argc == 4 ? strtol(argv[2], NULL, 10) : 0;
    if (pairs < 6) {
        fprintf(stderr, "usage: suite_cost SUITE PAIRS MPI-FOLDER    (6 pairs at least)\n");
        return EXIT_CODE_USAGE;
    }
    if (suite_load(argv[1], "suites", SIZE_SMALL, &suite, &err) < 0)
        fail(&err);
    cJSON *platform = detect_live_json(false);
    const struct collect_options options = {.platform = platform};
    struct measured *cases = mem_alloc(suite.count * sizeof *cases);
    const size_t count = prepare(&suite, argv[3], (size_t)pairs, cases);
    for (size_t pair = 0; pair < (size_t)pairs; pair++) {
        fprintf(stderr, "pair %zu of %ld\r", pair + 1, pairs);
        for (size_t i = 0; i < count; i++)
            measure_pair(&cases[i], pair, &options);
    }
    fputc('\n', stderr);
    for (size_t i = 0; i < count; i++)
        by_statistics(&cases[i], &options);
    print_all(cases, count, (size_t)pairs);
    for (size_t i = 0; i < count; i++)
        free(cases[i].difference);
    free(cases);
    cJSON_Delete(platform);
    suite_free(&suite);
    return 0;
}
