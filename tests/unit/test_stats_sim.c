// SPDX-License-Identifier: Apache-2.0
// A small simulation with fixed seeds (docs/method.md has the large one), and very large samples.
#include "tests/unit/stats_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void simulate(const struct noise_shape *shape, size_t n, double *coverage, double *false_slower) {
    enum { TRIALS = 400, MOST = 40 };
    struct dist_rng rng;
    dist_rng_seed(&rng, 2000 + n);
    size_t intervals = 0;
    size_t covered = 0;
    size_t slower = 0;
    for (size_t t = 0; t < TRIALS; t++) {
        double x[MOST];
        double y[MOST];
        noise_pair(shape, n, 0, &rng, x, y);
        struct stats_shift shift = shape->paired ? stats_compare_blocks(x, y, n) : compare_two(x, n, y, n);
        if (shift.refusal == STATS_IDENTIFIED) {
            intervals++;
            covered += shift.ci.low <= 0 && shift.ci.high >= 0;
        }
        slower += stats_verdict(&shift, log1p(0.005)) == STATS_SLOWER;
    }
    *coverage = intervals ? (double)covered / (double)intervals : 1;
    *false_slower = (double)slower / TRIALS;
}

static void test_verdicts_hold_over_noise_shapes(void **state) {
    (void)state;
    static const size_t sizes[] = {5, 20, 40};
    for (size_t s = 0; s < NOISE_SHAPES; s++)
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            double coverage = 0;
            double false_slower = 0;
            simulate(&noise_shapes[s], sizes[k], &coverage, &false_slower);
            // 3 % and, with 400 trials, two standard errors of it.
            if (false_slower > 0.047)
                print_message("%s, n = %zu: %.1f %% false\n", noise_shapes[s].name, sizes[k], 100 * false_slower);
            assert_true(false_slower <= 0.047);
            bool independent = noise_shapes[s].autocorrelation == 0;
            if (independent && coverage < 0.93 - 0.02)
                print_message("%s, n = %zu: %.1f %% cover\n", noise_shapes[s].name, sizes[k], 100 * coverage);
            assert_true(!independent || coverage >= 0.93 - 0.02);
        }
}

// Dependence and drift that samples do not identify: what is told of 0 to 2 % has to be right, or hardly anything told.
static void test_what_is_told_is_right_or_nothing_is(void **state) {
    (void)state;
    enum { TRIALS = 400, MOST = 20 };
    static const double shifts[] = {0, 0.005, 0.01, 0.02};
    static const size_t sizes[] = {5, 10, 20};
    for (size_t s = 0; s < NOISE_SHAPES; s++)
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            const struct noise_shape *shape = &noise_shapes[s];
            if (shape->paired || (shape->autocorrelation < 0.5 && shape->drift == 0))
                continue;
            size_t told = 0;
            size_t wrong = 0;
            for (size_t i = 0; i < ARRAY_LEN(shifts); i++) {
                double truth = log1p(shifts[i]);
                struct dist_rng rng;
                dist_rng_seed(&rng, 4000 + sizes[k]);
                for (size_t t = 0; t < TRIALS; t++) {
                    double x[MOST];
                    double y[MOST];
                    noise_pair(shape, sizes[k], truth, &rng, x, y);
                    struct stats_shift shift = compare_two(x, sizes[k], y, sizes[k]);
                    bool firm = stats_verdict(&shift, log1p(0.005)) != STATS_CANNOT_TELL;
                    told += firm;
                    wrong += firm && (shift.ci.low > truth || shift.ci.high < truth);
                }
            }
            // 1 % of all, and 7 % of what is told, with room for 400 trials.
            if (told > 24 && wrong * 100 > told * 12)
                print_message("%s, n = %zu: %zu told, %zu wrong\n", shape->name, sizes[k], told, wrong);
            assert_true(told <= 24 || wrong * 100 <= told * 12);
        }
}

static void test_power_on_bursts(void **state) {
    (void)state;
    static const struct noise_shape bursts = {"", noise_bursts, 0, 0, false};
    enum { N = 40, TRIALS = 400 };
    struct dist_rng rng;
    dist_rng_seed(&rng, 66);
    size_t one = 0;
    size_t half = 0;
    for (size_t t = 0; t < TRIALS; t++) {
        double x[N];
        double y[N];
        noise_pair(&bursts, N, log1p(0.01), &rng, x, y);
        struct stats_shift shift = compare_two(x, N, y, N);
        one += stats_verdict(&shift, log1p(0.005)) == STATS_SLOWER;
        noise_pair(&bursts, N, log1p(0.005), &rng, x, y);
        shift = compare_two(x, N, y, N);
        half += stats_verdict(&shift, log1p(0.005)) == STATS_SLOWER;
    }
    assert_true((double)one / TRIALS >= 0.95);
    assert_true((double)half / TRIALS >= 0.88);
}

static void test_large_samples_are_quick_enough_to_finish(void **state) {
    (void)state;
    // 100,000 a side are 1e10 pairs: only the O(n log n) path ends.
    enum { N = 100000 };
    static const struct noise_shape bursts = {"", noise_bursts, 0, 0, false};
    double *x = mem_alloc(N * sizeof *x);
    double *y = mem_alloc(N * sizeof *y);
    struct dist_rng rng;
    dist_rng_seed(&rng, 67);
    noise_pair(&bursts, N, log1p(0.002), &rng, x, y);
    struct stats_shift shift = compare_two(x, N, y, N);
    assert_close(shift.estimate, log1p(0.002), 0.0002);
    assert_int_equal(stats_verdict(&shift, log1p(0.005)), STATS_SLOWER);
    free(x);
    free(y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts_hold_over_noise_shapes),
        cmocka_unit_test(test_what_is_told_is_right_or_nothing_is),
        cmocka_unit_test(test_power_on_bursts),
        cmocka_unit_test(test_large_samples_are_quick_enough_to_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
