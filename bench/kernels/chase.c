// SPDX-License-Identifier: Apache-2.0
// Memory latency: a chain of loads, each of which needs the one before, through all cache lines of a working set in
// random order (one cycle, so that each line is used once before any is used again, and no prefetcher can guess).
// Runs on the first CPU. With 4 KiB pages the figure includes the page walks, which in a guest go through two tables;
// the difference to the same case with huge pages is what nested paging can cost.
// After L. McVoy and C. Staelin, "lmbench: Portable tools for performance analysis" (USENIX 1996), lat_mem_rd.
#include "bench/kernels/kernels.h"

#include "core/clock.h"
#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 64, STEPS = 200 };

struct chase {
    struct kernel_memory memory;
    uint32_t *order; // the lines in the order of the chain
    size_t lines;
    uint64_t loads_per_step;
    uint64_t done; // loads so far
    void *at;
    enum kernel_pages pages;
};

static const struct bench_param params[] = {
    {"bytes", {"16M", "auto"}, "working set; auto: 4 x last-level caches, at most 25 % of memory and 128 MiB a CPU"},
    {"pages", {"system"}, "system | 4k | thp | huge"},
    {"seconds", {"0.15", "0.5", "2"}, "about how long to measure, seconds"},
    {"damage", {"0"}, "not 0: end elsewhere than the chain does: a test of the check"},
    {NULL, {NULL}, NULL},
};

static int read_params(const struct bench_context *context, struct chase *c, double *seconds, struct error *err) {
    size_t bytes = 0;
    const char *limit;
    if (kernel_pages_param(context, &c->pages, err) < 0 || kernel_bytes_param(context, 1, &bytes, &limit, err) < 0 ||
        bench_param_double(context, "seconds", seconds, err) < 0)
        return -1;
    c->lines = bytes / LINE;
    if (c->lines >= 2 && c->lines <= UINT32_MAX && *seconds > 0 && *seconds <= 3600)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "the parameters of chase cannot be used");
    return error_why(err, "bytes must be between 128 and 256G, seconds above 0 and at most 3600");
}

static int fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    struct chase c = {0};
    double seconds;
    if (read_params(context, &c, &seconds, err) < 0)
        return -1;
    *out = (struct bench_fom){"latency", "ns", FOM_LOWER};
    return 0;
}

static char *line_at(const struct chase *c, size_t position) {
    return (char *)c->memory.base + (size_t)c->order[position % c->lines] * LINE;
}

// Fisher-Yates over the lines; the generator is xorshift64 (G. Marsaglia, 2003), always from the same seed: the same
// chain each time.
static void shuffle(uint32_t *order, size_t count) {
    uint64_t random = 88172645463325252U;
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (size_t i = count - 1; i > 0; i--) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t j = (size_t)(((unsigned __int128)random * (i + 1)) >> 64);
        uint32_t swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
}

static void follow(struct chase *c, uint64_t loads) {
    void *at = c->at;
    for (uint64_t i = 0; i < loads; i++) {
        at = *(void **)at;
        __asm__ volatile("" : "+r"(at)); // each load is made
    }
    c->at = at;
    c->done += loads;
}

// Follows the chain until everything is mapped and cached as far as it fits, and finds out how fast it goes.
static void warm_up(struct chase *c, double seconds) {
    uint64_t loads = c->lines < 1000000 ? c->lines : 1000000;
    follow(c, loads);
    uint64_t begin = clock_raw_ns();
    follow(c, loads);
    double per_load = (double)(clock_raw_ns() - begin) * 1e-9 / (double)loads;
    double per_step = seconds / STEPS / per_load;
    c->loads_per_step = per_step > 1 ? (uint64_t)per_step : 1;
}

static int setup(struct bench_context *context, struct error *err) {
    struct chase *c = mem_alloc(sizeof *c);
    double seconds = 0;
    context->state = c;
    if (read_params(context, c, &seconds, err) < 0 || kernel_memory_map(c->lines * LINE, c->pages, &c->memory, err) < 0)
        return -1;
    kernel_bind(context->cpus, 0);
    c->order = malloc(c->lines * sizeof *c->order);
    if (!c->order) {
        error_set(err, EXIT_CODE_LACKS, "allocating the order of %zu cache lines", c->lines);
        return error_why(err, "the system refused the memory");
    }
    shuffle(c->order, c->lines);
    memset(c->memory.base, 0, c->lines * LINE); // maps the pages in order
    for (size_t i = 0; i < c->lines; i++)
        *(void **)line_at(c, i) = line_at(c, i + 1);
    c->at = line_at(c, 0);
    warm_up(c, seconds);
    return 0;
}

static int run(struct bench_context *context, struct bench_result *result, struct error *err) {
    struct chase *c = context->state;
    (void)err;
    uint64_t begin = clock_raw_ns();
    uint64_t last = begin;
    for (int i = 0; i < STEPS; i++) {
        follow(c, c->loads_per_step);
        uint64_t now = clock_raw_ns();
        result->steps_s[i] = (double)(now - last) * 1e-9;
        last = now;
    }
    result->step_count = STEPS;
    result->wall_s = (double)(last - begin) * 1e-9;
    result->fom = result->wall_s * 1e9 / (double)(c->loads_per_step * STEPS);
    return 0;
}

// The chain is known: after that many loads it must stand at one certain line.
static void verify(struct bench_context *context, struct bench_result *result) {
    const struct chase *c = context->state;
    uint64_t damage = 0;
    bench_param_u64(context, "damage", &damage, NULL);
    result->valid = c->at == line_at(c, (c->done + damage) % c->lines);
    if (!result->valid)
        snprintf(result->why, sizeof result->why, "after %llu loads the chain is not where it must be",
                 (unsigned long long)c->done);
    snprintf(result->info, sizeof result->info, "working set of %.3f MiB, %.0f %% of it in transparent huge pages",
             (double)(c->lines * LINE) / (1 << 20),
             100 * (double)kernel_memory_huge_bytes(&c->memory) / (double)c->memory.bytes);
}

static void teardown(struct bench_context *context) {
    struct chase *c = context->state;
    if (!c)
        return;
    kernel_memory_unmap(&c->memory);
    free(c->order);
    free(c);
    context->state = NULL;
}

const struct bench_ops bench_chase = {
    .abi = BENCH_ABI,
    .name = "chase",
    .summary = "memory latency: dependent loads over a working set",
    .params = params,
    .fom = fom,
    .unavailable = kernel_pages_unavailable,
    .setup = setup,
    .run = run,
    .repeatable = true,
    .verify = verify,
    .teardown = teardown,
};
