// SPDX-License-Identifier: Apache-2.0
// Sustained memory bandwidth after STREAM (J. D. McCalpin, https://www.cs.virginia.edu/stream/): the same four kernels,
// its rule for sizes (each array at least four times the last-level caches), its byte counting (no write-allocate
// traffic) and its verification. Two things differ, because this is for comparing machines rather than for a record:
// one kernel is timed per case, by default without the others in between, and the figure is the mean rate over all
// timed passes, as only means add up to where the time went. STREAM's own figure, the best pass, is the smallest of
// steps_s and is named in info.
#include "bench/kernels/kernels.h"

#include "core/clock.h"
#include "core/memory.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCALAR    3.0
#define TURNS_MAX 200 // the four kernels in turn make the values 15 times larger each time: 15^200 is still a double

enum stream_kernel { COPY, SCALE, ADD, TRIAD, KERNEL_COUNT };

// The three numbers every element of a, b and c has.
struct values {
    double a, b, c;
};

struct stream {
    enum stream_kernel kernel;
    struct kernel_memory memory;
    double *a, *b, *c;
    size_t count; // elements of one array
    uint64_t passes;
    uint64_t warm_up;
    bool in_turn; // the other kernels run between the passes
    uint64_t damage;
    const char *limit; // why the arrays are smaller than STREAM's rule asks for; NULL: they are not
};

static const struct bench_param params[] = {
    {"kernel", {"triad"}, "copy (c=a) | scale (b=3c) | add (c=a+b) | triad (a=b+3c)"},
    {"bytes",
     {"16M", "auto"},
     "size of one of the three arrays; auto: 4 x last-level caches, at most 25 % of memory and 128 MiB a CPU"},
    {"passes", {"10", "20", "60"}, "timed passes over the arrays"},
    {"order", {"alone"}, "alone | turn: the other three kernels run between the passes, as in STREAM itself"},
    {"pages", {"system"}, "system | 4k | thp | huge"},
    {"damage", {"0"}, "elements to falsify before the result is checked: a test of the check"},
    {NULL, {NULL}, NULL},
};

static const struct {
    const char *name;
    unsigned words; // read and written per element
} kernels[KERNEL_COUNT] = {[COPY] = {"copy", 2}, [SCALE] = {"scale", 2}, [ADD] = {"add", 3}, [TRIAD] = {"triad", 3}};

static int kernel_param(const struct bench_context *context, enum stream_kernel *out, struct error *err) {
    const char *text = bench_param_text(context, "kernel");
    for (int i = 0; i < KERNEL_COUNT; i++) {
        if (strcmp(text, kernels[i].name) == 0) {
            *out = (enum stream_kernel)i;
            return 0;
        }
    }
    error_set(err, EXIT_CODE_INPUT, "the parameter \"kernel\" cannot be \"%s\"", text);
    bench_param_blame(context, "kernel", err);
    return error_why(err, "known are copy, scale, add and triad");
}

static int order_param(const struct bench_context *context, bool *in_turn, struct error *err) {
    const char *text = bench_param_text(context, "order");
    *in_turn = strcmp(text, "turn") == 0;
    if (*in_turn || strcmp(text, "alone") == 0)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "the parameter \"order\" cannot be \"%s\"", text);
    bench_param_blame(context, "order", err);
    return error_why(err, "known are alone and turn");
}

static int read_params(const struct bench_context *context, struct stream *s, enum kernel_pages *pages,
                       struct error *err) {
    size_t bytes = 0;
    if (kernel_param(context, &s->kernel, err) < 0 || kernel_pages_param(context, pages, err) < 0 ||
        kernel_bytes_param(context, 3, &bytes, &s->limit, err) < 0 ||
        bench_param_u64(context, "passes", &s->passes, err) < 0 || order_param(context, &s->in_turn, err) < 0 ||
        bench_param_u64(context, "damage", &s->damage, err) < 0)
        return -1;
    s->warm_up = 2; // the first pass takes page faults and cold caches, as in STREAM
    s->count = bytes / sizeof(double);
    int most = s->in_turn ? TURNS_MAX : BENCH_MAX_STEPS;
    if (s->count > 0 && s->passes > 0 && s->passes <= (uint64_t)most)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "the parameters of stream cannot be used");
    return error_why(err, "bytes must be at least 8, passes between 1 and %d", most);
}

static int fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    struct stream s = {0};
    enum kernel_pages pages;
    if (read_params(context, &s, &pages, err) < 0)
        return -1;
    *out = (struct bench_fom){"bandwidth", "GB/s", FOM_HIGHER};
    return 0;
}

static const struct values first = {.a = 1, .b = 2, .c = 0.5};

// One element after one kernel, by its arithmetic.
static struct values one_kernel(enum stream_kernel kernel, struct values v) {
    switch (kernel) {
    case COPY:
        return (struct values){v.a, v.b, v.a};
    case SCALE:
        return (struct values){v.a, SCALAR * v.c, v.c};
    case ADD:
        return (struct values){v.a, v.b, v.a + v.b};
    default:
        return (struct values){v.b + SCALAR * v.c, v.b, v.c};
    }
}

// First touch by the thread that will use the page.
static void initialise(struct stream *s) {
    double *a = s->a;
    double *b = s->b;
    double *c = s->c;
    size_t count = s->count;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++) {
        a[i] = first.a;
        b[i] = first.b;
        c[i] = first.c;
    }
}

// What compilers make of STREAM's own copy, whose arrays they can tell apart; here they cannot.
static void copy(double *restrict c, const double *restrict a, size_t count) {
#pragma omp parallel
    {
        size_t threads = (size_t)omp_get_num_threads();
        size_t thread = (size_t)omp_get_thread_num();
        size_t begin = count * thread / threads;
        size_t end = count * (thread + 1) / threads;
        memcpy(c + begin, a + begin, (end - begin) * sizeof *c);
    }
}

static void scale(double *restrict b, const double *restrict c, size_t count) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++)
        b[i] = SCALAR * c[i];
}

static void add(double *restrict c, const double *restrict a, const double *restrict b, size_t count) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++)
        c[i] = a[i] + b[i];
}

static void triad(double *restrict a, const double *restrict b, const double *restrict c, size_t count) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++)
        a[i] = b[i] + SCALAR * c[i];
}

static void run_kernel(struct stream *s, enum stream_kernel kernel) {
    switch (kernel) {
    case COPY:
        copy(s->c, s->a, s->count);
        break;
    case SCALE:
        scale(s->b, s->c, s->count);
        break;
    case ADD:
        add(s->c, s->a, s->b, s->count);
        break;
    default:
        triad(s->a, s->b, s->c, s->count);
        break;
    }
}

// Seconds of the timed kernel; the others' turns, if they have any, are not in it.
static double pass(struct stream *s) {
    uint64_t begin = clock_raw_ns();
    run_kernel(s, s->kernel);
    uint64_t end = clock_raw_ns();
    for (int other = 1; s->in_turn && other < KERNEL_COUNT; other++)
        run_kernel(s, (s->kernel + other) % KERNEL_COUNT);
    return (double)(end - begin) * 1e-9;
}

static void teardown(struct bench_context *context) {
    struct stream *s = context->state;
    if (!s)
        return;
    kernel_memory_unmap(&s->memory);
    free(s);
    context->state = NULL;
}

static int setup(struct bench_context *context, struct error *err) {
    struct stream *s = mem_alloc(sizeof *s);
    enum kernel_pages pages;
    context->state = s;
    if (read_params(context, s, &pages, err) < 0 || kernel_threads_start(context, err) < 0)
        return -1;
    // A page more than the array from one to the next, so that power-of-two arrays don't share their cache sets.
    size_t stride = (s->count * sizeof(double) + 4095) / 4096 * 4096 + 4096;
    if (kernel_memory_map(3 * stride, pages, &s->memory, err) < 0)
        return -1;
    s->a = s->memory.base;
    s->b = (double *)((char *)s->memory.base + stride);
    s->c = (double *)((char *)s->memory.base + 2 * stride);
    initialise(s);
    for (uint64_t i = 0; i < s->warm_up; i++)
        pass(s);
    return 0;
}

static int run(struct bench_context *context, struct bench_result *result, struct error *err) {
    struct stream *s = context->state;
    (void)err;
    double bytes = (double)kernels[s->kernel].words * sizeof(double) * (double)s->count;
    double best = INFINITY;
    double timed_s = 0;
    uint64_t begin = clock_raw_ns();
    for (uint64_t i = 0; i < s->passes; i++) {
        result->steps_s[i] = pass(s);
        best = fmin(best, result->steps_s[i]);
        timed_s += result->steps_s[i];
    }
    result->step_count = (unsigned)s->passes;
    result->wall_s = (double)(clock_raw_ns() - begin) * 1e-9;
    result->fom = bytes * (double)s->passes / timed_s * 1e-9;
    char limit[96];
    kernel_bytes_limit(s->limit, limit, sizeof limit);
    snprintf(result->info, sizeof result->info, "best pass %.2f GB/s, 3 arrays of %.1f MiB, %u threads%s",
             bytes / best * 1e-9, (double)(s->count * sizeof(double)) / (1 << 20), context->threads, limit);
    return 0;
}

// Mean absolute error of one array relative to what it must hold.
static double mean_error(const double *array, size_t count, double expected) {
    double sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
    for (size_t i = 0; i < count; i++)
        sum += fabs(array[i] - expected);
    return sum / (double)count / fabs(expected);
}

// As STREAM: replay the arithmetic on one element, then compare the mean error of each array with 1e-13.
static void verify(struct bench_context *context, struct bench_result *result) {
    const struct stream *s = context->state;
    struct values v = first;
    for (uint64_t i = 0; i < s->damage && i < s->count; i++)
        s->a[i] += 1;
    int turns = s->in_turn ? KERNEL_COUNT : 1;
    for (uint64_t i = 0; i < s->passes + s->warm_up; i++)
        for (int turn = 0; turn < turns; turn++)
            v = one_kernel((s->kernel + turn) % KERNEL_COUNT, v);
    double worst =
        fmax(mean_error(s->a, s->count, v.a), fmax(mean_error(s->b, s->count, v.b), mean_error(s->c, s->count, v.c)));
    result->valid = worst <= 1e-13;
    if (!result->valid)
        snprintf(result->why, sizeof result->why, "the arrays are off by %.3g on average (limit 1e-13)", worst);
}

const struct bench_ops bench_stream = {
    .abi = BENCH_ABI,
    .name = "stream",
    .summary = "memory bandwidth: STREAM's copy, scale, add, triad",
    .params = params,
    .fom = fom,
    .unavailable = kernel_pages_unavailable,
    .setup = setup,
    .run = run,
    .repeatable = true,
    .verify = verify,
    .teardown = teardown,
};
