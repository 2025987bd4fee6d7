// SPDX-License-Identifier: Apache-2.0
// Random updates of memory after HPC Challenge's RandomAccess (http://icl.cs.utk.edu/hpcc/): a table of a power of two
// of 64-bit words, table[x mod words] ^= x for x of the sequence in gups.h, 128 independent streams in turn per thread.
// Threads update without locks, so an update may be lost; as in HPCC the result is valid if at most 1 % of the words
// are wrong when the same updates are done once more.
#include "bench/kernels/gups.h"
#include "bench/kernels/kernels.h"

#include "core/clock.h"
#include "core/memory.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS 128U

struct gups {
    struct kernel_memory memory;
    uint64_t *table;
    uint64_t words;
    uint64_t rounds; // updates per stream
    uint64_t damage;
    const char *limit; // why the table is smaller than asked for by "auto"; NULL: it is not
};

static const struct bench_param params[] = {
    {"bytes",
     {"16M", "auto"},
     "size of the table, a power of two; auto: 4 x last-level caches, at most 25 % of memory and 128 MiB a CPU"},
    {"updates", {"0.5", "1", "4"}, "updates per word of the table (HPCC: 4)"},
    {"pages", {"system"}, "system | 4k | thp | huge"},
    {"damage", {"0"}, "words to falsify before the result is checked: a test of the check"},
    {NULL, {NULL}, NULL},
};

// The product of two elements as polynomials over GF(2): x^i times x^j is x^(i + j).
static uint64_t multiply(uint64_t x, uint64_t y) {
    uint64_t sum = 0;
    for (int bit = 0; bit < 64; bit++) {
        sum ^= (x >> bit) & 1 ? y : 0;
        y = gups_next(y);
    }
    return sum;
}

uint64_t gups_element(uint64_t n) {
    uint64_t x = 1;
    for (int bit = 63; bit >= 0; bit--) {
        x = multiply(x, x);
        if ((n >> bit) & 1)
            x = gups_next(x);
    }
    return x;
}

static bool is_power_of_two(uint64_t n) {
    return n && (n & (n - 1)) == 0;
}

static int read_params(const struct bench_context *context, struct gups *g, enum kernel_pages *pages,
                       struct error *err) {
    size_t bytes = 0;
    double per_word = 0;
    if (kernel_pages_param(context, pages, err) < 0 || kernel_bytes_param(context, 1, &bytes, &g->limit, err) < 0 ||
        bench_param_double(context, "updates", &per_word, err) < 0 ||
        bench_param_u64(context, "damage", &g->damage, err) < 0)
        return -1;
    uint64_t words = bytes / sizeof(uint64_t);
    bool automatic = strcmp(bench_param_text(context, "bytes"), "auto") == 0;
    for (g->words = 1; g->words < words; g->words *= 2)
        ;
    if (automatic && g->limit)
        g->words /= 2;
    g->rounds = (uint64_t)(per_word * (double)g->words / STREAMS / context->threads);
    if ((automatic || is_power_of_two(bytes)) && g->words >= 2 && per_word > 0 && per_word <= 1024 && g->rounds > 0)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "the parameters of gups cannot be used");
    return error_why(err,
                     "bytes must be a power of two and updates above 0 and at most 1024, with at least %u updates "
                     "a thread",
                     STREAMS);
}

static int fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    struct gups g = {0};
    enum kernel_pages pages;
    if (read_params(context, &g, &pages, err) < 0)
        return -1;
    *out = (struct bench_fom){"update rate", "GUP/s", FOM_HIGHER};
    return 0;
}

static int setup(struct bench_context *context, struct error *err) {
    struct gups *g = mem_alloc(sizeof *g);
    enum kernel_pages pages;
    context->state = g;
    if (read_params(context, g, &pages, err) < 0 || kernel_threads_start(context, err) < 0 ||
        kernel_memory_map(g->words * sizeof(uint64_t), pages, &g->memory, err) < 0)
        return -1;
    uint64_t *table = g->table = g->memory.base;
    uint64_t words = g->words;
#pragma omp parallel for schedule(static)
    for (uint64_t i = 0; i < words; i++)
        table[i] = i;
    return 0;
}

static void start_streams(const struct gups *g, uint64_t *x) {
    uint64_t stride = gups_element(g->rounds);
    x[0] = gups_element((uint64_t)omp_get_thread_num() * STREAMS * g->rounds);
    for (unsigned i = 1; i < STREAMS; i++)
        x[i] = multiply(x[i - 1], stride);
}

// One loop, in which the numbers of the next updates are made while earlier ones wait for memory: a loop of its own for
// the numbers, though vectorised, leaves memory idle meanwhile and costs a fifth of the rate on processors with deep
// buffers. Threads race for words with plain updates, as HPCC's ranks do; verify() counts what got lost.
static void update(const struct gups *g, uint64_t *x) {
    uint64_t *table = g->table;
    uint64_t mask = g->words - 1;
    for (uint64_t round = 0; round < g->rounds; round++) {
#pragma GCC unroll 8
        for (unsigned i = 0; i < STREAMS; i++) {
            x[i] = gups_next(x[i]);
            table[x[i] & mask] ^= x[i];
        }
    }
}

static int run(struct bench_context *context, struct bench_result *result, struct error *err) {
    struct gups *g = context->state;
    uint64_t begin = 0;
    (void)err;
#pragma omp parallel
    {
        uint64_t x[STREAMS];
        start_streams(g, x);
#pragma omp barrier
#pragma omp master
        begin = clock_raw_ns();
        update(g, x);
    }
    result->wall_s = (double)(clock_raw_ns() - begin) * 1e-9;
    result->fom = (double)g->rounds * STREAMS * context->threads / result->wall_s * 1e-9;
    return 0;
}

// The same updates once more, without losing any: undoes those that were not lost.
static void undo(const struct gups *g) {
#pragma omp parallel
    {
        uint64_t x[STREAMS];
        start_streams(g, x);
        for (uint64_t round = 0; round < g->rounds; round++) {
            for (unsigned i = 0; i < STREAMS; i++) {
                x[i] = gups_next(x[i]);
                __atomic_fetch_xor(&g->table[x[i] & (g->words - 1)], x[i], __ATOMIC_RELAXED);
            }
        }
    }
}

static void verify(struct bench_context *context, struct bench_result *result) {
    const struct gups *g = context->state;
    const uint64_t *table = g->table;
    uint64_t words = g->words;
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < g->damage && i < words; i++)
        g->table[i] ^= 1;
    undo(g);
#pragma omp parallel for schedule(static) reduction(+ : wrong)
    for (uint64_t i = 0; i < words; i++)
        wrong += table[i] != i;
    double share = (double)wrong / (double)words;
    result->valid = share <= 0.01;
    if (!result->valid)
        snprintf(result->why, sizeof result->why, "%.3g %% of the table is wrong (limit 1 %%)", share * 100);
    char limit[96];
    kernel_bytes_limit(g->limit, limit, sizeof limit);
    snprintf(result->info, sizeof result->info, "table of %.0f MiB, %u threads, %.2g %% of the words lost an update%s",
             (double)(words * sizeof(uint64_t)) / (1 << 20), context->threads, share * 100, limit);
}

static void teardown(struct bench_context *context) {
    struct gups *g = context->state;
    if (!g)
        return;
    kernel_memory_unmap(&g->memory);
    free(g);
    context->state = NULL;
}

const struct bench_ops bench_gups = {
    .abi = BENCH_ABI,
    .name = "gups",
    .summary = "random memory updates: HPC Challenge's RandomAccess",
    .params = params,
    .fom = fom,
    .unavailable = kernel_pages_unavailable,
    .setup = setup,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
