// SPDX-License-Identifier: Apache-2.0
// Machines and runs as units; planning: noise floor, samples needed, least detectable effect.
#include "tests/unit/stats_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

// Machines that differ by 2 % among each other, with very quiet samples: the samples' interval would be tiny and wrong.
static void test_machines_are_the_top_level(void **state) {
    (void)state;
    enum { MACHINES = 3, N = 30 };
    double values[2 * MACHINES][N];
    struct stats_run runs[2 * MACHINES];
    struct dist_rng rng;
    dist_rng_seed(&rng, 12);
    for (unsigned m = 0; m < 2 * MACHINES; m++) {
        double level = 0.02 * noise_normal(&rng);
        for (size_t i = 0; i < N; i++)
            values[m][i] = level + 0.1 * noise_gauss(&rng);
        runs[m] = (struct stats_run){values[m], N, m};
    }
    struct stats_side subject = {runs, MACHINES};
    struct stats_side baseline = {runs + MACHINES, MACHINES};
    struct stats_shift shift = stats_compare(&subject, &baseline, 7);
    assert_int_equal(shift.method, STATS_UNITS);
    assert_true(shift.units_are_machines);
    assert_int_equal(shift.subject_units, MACHINES);
    assert_true(shift.ci.low < 0 && shift.ci.high > 0);
    assert_true(shift.ci.high - shift.ci.low > 0.02);
    // The same seed gives the same interval, to the last bit.
    struct stats_shift again = stats_compare(&subject, &baseline, 7);
    assert_true(shift.ci.low == again.ci.low && shift.ci.high == again.ci.high);
    assert_true(stats_noise_floor(&subject, 1) > 0.01);
}

static void test_machine_intervals_cover(void **state) {
    (void)state;
    static const size_t machines[] = {2, 3, 5};
    for (size_t k = 0; k < ARRAY_LEN(machines); k++) {
        size_t covered = 0;
        enum { TRIALS = 300, N = 8, MOST = 10 };
        struct dist_rng rng;
        dist_rng_seed(&rng, 100 + k);
        for (size_t t = 0; t < TRIALS; t++) {
            double values[MOST][N];
            struct stats_run runs[MOST];
            for (unsigned m = 0; m < 2 * machines[k]; m++) {
                double level = noise_gauss(&rng);
                for (size_t i = 0; i < N; i++)
                    values[m][i] = level + 0.3 * noise_gauss(&rng);
                runs[m] = (struct stats_run){values[m], N, m};
            }
            struct stats_shift shift = stats_compare(&(struct stats_side){runs, machines[k]},
                                                     &(struct stats_side){runs + machines[k], machines[k]}, t);
            covered += shift.ci.low <= 0 && shift.ci.high >= 0;
        }
        assert_true((double)covered / TRIALS >= 0.92);
    }
}

static void test_noise_floor_is_what_equal_sets_show(void **state) {
    (void)state;
    enum { N = 40, TRIALS = 400 };
    static const struct noise_shape shape = {"", noise_bursts, 0, 0, false};
    struct dist_rng rng;
    dist_rng_seed(&rng, 31);
    size_t above = 0;
    for (size_t t = 0; t < TRIALS; t++) {
        double x[N];
        double y[N];
        noise_pair(&shape, N, 0, &rng, x, y);
        struct stats_run run = {x, N, 0};
        above += fabs(compare_two(x, N, y, N).estimate) > stats_noise_floor(&(struct stats_side){&run, 1}, 1);
    }
    // 5 % are expected above; the floor itself is an estimate.
    assert_true((double)above / TRIALS < 0.1);
    assert_true((double)above / TRIALS > 0.01);
}

static void test_samples_needed_are_enough(void **state) {
    (void)state;
    static const struct noise_shape shape = {"", noise_gauss, 0, 0, false};
    struct dist_rng rng;
    dist_rng_seed(&rng, 55);
    enum { N = 30, MOST = 20000, TRIALS = 40 };
    double *x = mem_alloc(MOST * sizeof *x);
    double *y = mem_alloc(MOST * sizeof *y);
    size_t asked = 0;
    size_t decided = 0;
    for (size_t t = 0; t < TRIALS; t++) {
        noise_pair(&shape, N, 0, &rng, x, y);
        struct stats_shift shift = compare_two(x, N, y, N);
        double more = stats_samples_needed(&shift, log1p(0.005));
        if (!(more > 0) || more > MOST - N)
            continue;
        asked++;
        size_t n = N + (size_t)more;
        noise_pair(&shape, n, 0, &rng, x, y);
        struct stats_shift next = compare_two(x, n, y, n);
        decided += stats_verdict(&next, log1p(0.005)) != STATS_CANNOT_TELL;
    }
    free(x);
    free(y);
    assert_true(asked >= 10);
    assert_true(decided * 10 >= asked * 6);
}

static void test_minimal_detectable_effect_is_found_with_its_power(void **state) {
    (void)state;
    static const struct noise_shape shape = {"", noise_gauss, 0, 0, false};
    struct dist_rng rng;
    dist_rng_seed(&rng, 56);
    enum { N = 50, TRIALS = 300 };
    double x[N];
    double y[N];
    noise_pair(&shape, N, 0, &rng, x, y);
    // From the true noise (1 %): 2.8 * 0.01 * sqrt(2 / 50 / 0.955) = 0.0057.
    struct stats_shift shift = compare_two(x, N, y, N);
    assert_close(shift.mde, 0.0057, 0.002);
    size_t found = 0;
    for (size_t t = 0; t < TRIALS; t++) {
        noise_pair(&shape, N, 0.0057, &rng, x, y);
        struct stats_shift one = compare_two(x, N, y, N);
        found += stats_verdict(&one, log1p(0.005)) == STATS_SLOWER;
    }
    assert_close((double)found / TRIALS, 0.8, 0.08);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines_are_the_top_level),
        cmocka_unit_test(test_machine_intervals_cover),
        cmocka_unit_test(test_noise_floor_is_what_equal_sets_show),
        cmocka_unit_test(test_samples_needed_are_enough),
        cmocka_unit_test(test_minimal_detectable_effect_is_found_with_its_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
