// SPDX-License-Identifier: Apache-2.0
// Shifts, verdicts, and what dependence and drift cost: by hand, and on noise with fixed seeds.
#include "tests/unit/stats_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void test_shift_by_hand(void **state) {
    (void)state;
    // Differences: 4 5 6 7, 2 3 4 5, 1 2 3 4, 0 1 2 3, in order 0 1 1 2 2 2 3 3 3 4 4 4 5 5 6 7: median 3.
    // 4 against 4: the interval is all of them.
    double x[] = {7, 5, 4, 3};
    double y[] = {0, 3, 2, 1};
    struct stats_shift shift = compare_two(x, 4, y, 4);
    assert_close(shift.estimate, 3, 1e-12);
    assert_int_equal(shift.refusal, STATS_IDENTIFIED);
    // So few may be dependent and drift, which is paid for at both ends, in proportion to 3 and 4.
    double factor = (3 - shift.drift_allowance - shift.ci.low) / 3;
    assert_true(factor >= 1 && factor < 3);
    assert_close(shift.ci.high, 3 + 4 * factor + shift.drift_allowance, 1e-9);
}

static void test_shift_is_the_median_of_all_differences(void **state) {
    (void)state;
    struct dist_rng rng;
    dist_rng_seed(&rng, 5);
    enum { M = 31, N = 24 };
    double x[M];
    double y[N];
    double all[M * N];
    const size_t pairs = sizeof all / sizeof all[0];
    for (size_t i = 0; i < M; i++)
        x[i] = noise_gauss(&rng);
    for (size_t j = 0; j < N; j++)
        y[j] = noise_gauss(&rng);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++)
            all[i * N + j] = x[i] - y[j];
    qsort(all, pairs, sizeof *all, ascending);
    uint64_t cut = dist_mann_whitney_cut(M, N, 0.05, NULL);
    struct stats_shift shift = compare_two(x, M, y, N);
    assert_close(shift.estimate, 0.5 * (all[pairs / 2 - 1] + all[pairs / 2]), 1e-12);
    // At least the rank interval; more where correlation or drift is paid for.
    assert_true(shift.ci.low <= all[cut - 1] + 1e-12);
    assert_true(shift.ci.high >= all[pairs - cut] - 1e-12);
}

// Skewed noise: lower-half ranks, checked against the definition, by all differences as candidates.
static void test_skewed_noise_is_told_by_the_lower_ranks(void **state) {
    (void)state;
    static const struct noise_shape bursts = {"", noise_bursts, 0, 0, false};
    struct dist_rng rng;
    dist_rng_seed(&rng, 15);
    enum { N = 30 };
    double x[N];
    double y[N];
    noise_pair(&bursts, N, 0.004, &rng, x, y);
    struct stats_shift shift = compare_two(x, N, y, N);
    assert_int_equal(shift.method, STATS_LOWER_RANKS);
    double sums[2] = {0}; // just below and just above the estimate: 915 / 2 is what no shift has
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < N; i++) {
            double value = x[i] - shift.estimate - (side ? 1e-6 : -1e-6);
            size_t rank = 1;
            for (size_t j = 0; j < N; j++)
                rank += (x[j] < x[i]) + (y[j] < value);
            sums[side] += (double)(rank < N ? rank : N);
        }
    }
    double mean = N * ((N * (N + 1) / 2.0 + N * N) / (2.0 * N));
    assert_true(sums[0] >= mean && sums[1] <= mean);
    assert_true(shift.ci.low < 0.004 && shift.ci.high > 0.004);
}

// A guest that is slow most of the time, a baseline that never is: the typical sample is 3 % slower, though the fast
// samples of both are alike.
static void test_sides_of_different_shape_are_told_by_all_ranks(void **state) {
    (void)state;
    struct dist_rng rng;
    dist_rng_seed(&rng, 16);
    enum { N = 40 };
    double x[N];
    double y[N];
    for (size_t i = 0; i < N; i++) {
        x[i] = 0.1 * noise_bursts(&rng) + (i % 5 < 3 ? 0.03 : 0);
        y[i] = 0.1 * noise_bursts(&rng);
    }
    struct stats_shift shift = compare_two(x, N, y, N);
    assert_int_equal(shift.method, STATS_RANKS);
    assert_true(shift.estimate > 0.02);
}

static void test_paired_shift_by_hand(void **state) {
    (void)state;
    // Walsh averages of 1..6 have median 3.5; with 6 pairs the interval is smallest to largest difference.
    double d[] = {3, 1, 6, 2, 5, 4};
    struct stats_shift shift = stats_compare_paired(d, 6);
    assert_close(shift.estimate, 3.5, 1e-12);
    assert_close(shift.ci.low, 1, 1e-9);
    assert_close(shift.ci.high, 6, 1e-9);
    assert_int_equal(shift.method, STATS_PAIRS);
    assert_int_equal(stats_compare_paired(d, 5).refusal, STATS_TOO_FEW);
}

static void test_three_samples_cannot_tell(void **state) {
    (void)state;
    double x[] = {2.0, 2.01, 2.02};
    double y[40];
    struct dist_rng rng;
    dist_rng_seed(&rng, 8);
    for (size_t i = 0; i < 40; i++)
        y[i] = noise_gauss(&rng);
    struct stats_shift few = compare_two(x, 3, y, 3);
    assert_int_equal(few.refusal, STATS_TOO_FEW);
    assert_int_equal(stats_verdict(&few, 0.005), STATS_CANNOT_TELL);
    // Not even against many, though ranks alone would allow it.
    struct stats_shift uneven = compare_two(x, 3, y, 40);
    assert_int_equal(stats_verdict(&uneven, 0.005), STATS_CANNOT_TELL);
    assert_true(stats_samples_needed(&uneven, 0.005) >= 1);
    assert_true(isnan(uneven.ci.low));
    struct stats_shift none = compare_two(x, 0, y, 3);
    assert_int_equal(none.refusal, STATS_TOO_FEW);
    assert_true(isnan(none.estimate));
}

static void test_verdicts(void **state) {
    (void)state;
    struct stats_shift shift = {.refusal = STATS_IDENTIFIED, .ci = {0.001, 0.003}};
    assert_int_equal(stats_verdict(&shift, 0.005), STATS_SLOWER); // both hold: slower wins
    shift.ci = (struct stats_interval){-0.001, 0.003};
    assert_int_equal(stats_verdict(&shift, 0.005), STATS_NOT_SLOWER);
    shift.ci = (struct stats_interval){-0.001, 0.006};
    assert_int_equal(stats_verdict(&shift, 0.005), STATS_CANNOT_TELL);
    shift.refusal = STATS_TOO_FEW;
    shift.ci = (struct stats_interval){0.001, 0.003};
    assert_int_equal(stats_verdict(&shift, 0.005), STATS_CANNOT_TELL);
    assert_string_equal(stats_verdict_name(STATS_NOT_SLOWER), "not-slower");
}

static void fill(double *value, size_t count, const struct noise_shape *shape, double shift, uint64_t seed) {
    struct dist_rng rng;
    dist_rng_seed(&rng, seed);
    double *other = mem_alloc(count * sizeof *other);
    noise_pair(shape, count, shift, &rng, value, other);
    free(other);
}

static void test_identical_constant_samples(void **state) {
    (void)state;
    double x[] = {1, 1, 1, 1, 1, 1, 1, 1};
    struct stats_shift shift = compare_two(x, 8, x, 8);
    assert_close(shift.estimate, 0, 0);
    assert_int_equal(stats_verdict(&shift, 0.005), STATS_NOT_SLOWER);
}

static void test_autocorrelation_is_paid_for(void **state) {
    (void)state;
    static const struct noise_shape free_noise = {"", noise_gauss, 0, 0, false};
    static const struct noise_shape strong = {"", noise_gauss, 0.9, 0, false};
    enum { N = 60 };
    double independent[N];
    double dependent[N];
    fill(independent, N, &free_noise, 0, 3);
    fill(dependent, N, &strong, 0, 3);
    struct series_check a = series_check(independent, N);
    struct series_check b = series_check(dependent, N);
    assert_close(series_thinned_time(3, 1), 3, 1e-12); // rho = 0.5
    assert_close(series_thinned_time(3, 2), (1 + 0.25) / (1 - 0.25), 1e-12);
    assert_close(series_thinned_time(1, 5), 1, 1e-12);
    assert_true(fabs(a.autocorrelation) < 0.3);
    assert_true(b.autocorrelation > 0.6);
    assert_true(b.time > 3);
    // Twenty such samples are a handful of independent ones: nothing can be told.
    struct stats_shift shift = compare_two(dependent, 20, dependent + 40, 20);
    assert_int_equal(stats_verdict(&shift, 0.005), STATS_CANNOT_TELL);
}

// Six pairs that differ by a factor of nine, in every one of many noises: widened, never without an interval.
static void test_a_large_shift_is_found_in_dependent_samples(void **state) {
    (void)state;
    static const struct noise_shape noises[] = {
        {"independent", noise_bursts, 0, 0, true},
        {"dependent", noise_gauss, 0.9, 0, true},
        {"drifting 10 %", noise_gauss, 0, 0.1, false},
    };
    enum { TRIALS = 300, N = 6 };
    for (size_t k = 0; k < ARRAY_LEN(noises); k++) {
        struct dist_rng rng;
        dist_rng_seed(&rng, 90 + k);
        size_t found = 0;
        for (size_t t = 0; t < TRIALS; t++) {
            double x[N];
            double y[N];
            double difference[N];
            noise_pair(&noises[k], N, log(9), &rng, x, y);
            for (size_t i = 0; i < N; i++)
                difference[i] = x[i] - y[i];
            struct stats_shift paired = stats_compare_paired(difference, N);
            struct stats_shift apart = compare_two(x, N, y, N);
            assert_int_equal(paired.refusal, STATS_IDENTIFIED);
            assert_int_equal(apart.refusal, STATS_IDENTIFIED);
            found += stats_verdict(&paired, 0.005) == STATS_SLOWER && stats_verdict(&apart, 0.005) == STATS_SLOWER;
        }
        assert_true((double)found / TRIALS >= 0.98);
    }
}

static void test_drift_is_found_and_allowed_for(void **state) {
    (void)state;
    enum { N = 40 };
    double x[N];
    double y[N];
    struct dist_rng rng;
    dist_rng_seed(&rng, 4);
    static const struct noise_shape drifting = {"", noise_gauss, 0, 0.04, false};
    noise_pair(&drifting, N, 0, &rng, x, y);
    struct series_check check = series_check(x, N);
    assert_true(check.drift_p < 0.001);
    assert_close(check.drift, 0.04, 0.02);
    struct stats_shift shift = compare_two(x, N, y, N);
    assert_true(shift.drifts);
    assert_true(shift.drift_allowance > 0.04);
    assert_int_equal(stats_verdict(&shift, 0.005), STATS_CANNOT_TELL);
    assert_true(isnan(stats_samples_needed(&shift, 0.005))); // more of the same would drift too
}

// In bursts, the undisturbed samples tell a drift that all ranks miss half of the time, and where it is none.
static void test_skewed_noise_has_its_drift_told_by_the_lower_ranks(void **state) {
    (void)state;
    static const struct noise_shape drifting = {"", noise_bursts, 0, 0.01, false};
    static const struct noise_shape still = {"", noise_bursts, 0, 0, false};
    enum { TRIALS = 200, N = 40 };
    struct dist_rng rng;
    dist_rng_seed(&rng, 23);
    size_t by_all = 0;
    size_t by_lower = 0;
    size_t wrong = 0;
    double sum = 0;
    for (size_t t = 0; t < TRIALS; t++) {
        double x[N];
        double y[N];
        noise_pair(&drifting, N, 0, &rng, x, y);
        struct series_check check = series_check(x, N);
        by_all += check.drift_p < 0.01;
        assert_true(series_sharpen_drift(x, &check));
        by_lower += check.drift_p < 0.01;
        sum += check.drift / TRIALS;
        noise_pair(&still, N, 0, &rng, x, y);
        check = series_check(x, N);
        assert_true(series_sharpen_drift(x, &check));
        wrong += check.drift_p < 0.05;
    }
    assert_close(sum, 0.01, 0.001);
    assert_true(by_lower >= by_all + TRIALS / 5);
    assert_true(wrong <= TRIALS * 9 / 100);
}

// A constant side and one value that stands out: no slope comes out of nothing.
static void test_drift_of_constant_samples(void **state) {
    (void)state;
    double x[] = {1, 1, 1, 1, 1, 1, 1, 3};
    struct series_check check = series_check(x, 8);
    assert_true(series_sharpen_drift(x, &check));
    assert_true(isfinite(check.drift) && isfinite(check.drift_p));
    struct series_check few = series_check(x, 3);
    assert_false(series_sharpen_drift(x, &few));
}

static void test_a_drift_does_not_hide_a_larger_shift(void **state) {
    (void)state;
    enum { N = 40 };
    double x[N];
    double y[N];
    struct dist_rng rng;
    dist_rng_seed(&rng, 4);
    static const struct noise_shape drifting = {"", noise_gauss, 0, 0.04, false};
    noise_pair(&drifting, N, 0.5, &rng, x, y);
    struct stats_shift shift = compare_two(x, N, y, N);
    assert_int_equal(stats_verdict(&shift, 0.005), STATS_SLOWER);
}

static void test_modes(void **state) {
    (void)state;
    enum { N = 60 };
    double x[N];
    static const struct noise_shape two = {"", noise_bimodal, 0, 0, false};
    static const struct noise_shape one = {"", noise_gauss, 0, 0, false};
    static const struct noise_shape bursts = {"", noise_bursts, 0, 0, false};
    fill(x, N, &two, 0, 9);
    struct series_check check = series_check(x, N);
    assert_true(check.bimodal);
    assert_close(check.mode_high - check.mode_low, 0.03, 0.005);
    fill(x, N, &one, 0, 9);
    assert_false(series_check(x, N).bimodal);
    fill(x, N, &bursts, 0, 9);
    assert_false(series_check(x, N).bimodal);
}

// Blocks on a drift, with the bursts of a guest: their undisturbed halves tell more than their differences do, and tell
// nothing where nothing differs.
static void test_skewed_blocks_are_told_by_the_lower_ranks(void **state) {
    (void)state;
    static const struct noise_shape shape = {"", noise_bursts, 0, 0.04, true};
    enum { TRIALS = 200, N = 40 };
    struct dist_rng rng;
    dist_rng_seed(&rng, 71);
    size_t by_blocks = 0;
    size_t by_differences = 0;
    size_t wrong = 0;
    for (size_t t = 0; t < TRIALS; t++) {
        double x[N];
        double y[N];
        double difference[N];
        noise_pair(&shape, N, 0, &rng, x, y);
        struct stats_shift same = stats_compare_blocks(x, y, N);
        wrong += same.ci.low > 0 || same.ci.high < 0;
        for (size_t i = 0; i < N; i++) {
            x[i] += 0.005;
            difference[i] = x[i] - y[i];
        }
        struct stats_shift blocks = stats_compare_blocks(x, y, N);
        struct stats_shift differences = stats_compare_paired(difference, N);
        by_blocks += blocks.ci.low > 0;
        by_differences += differences.ci.low > 0;
    }
    assert_true(wrong <= TRIALS * 8 / 100);
    assert_true(by_blocks >= by_differences + TRIALS / 10);
}

// Of blocks whose baseline stands still: how often their differences have to allow for a drift, and the drift told.
static size_t drifts_allowed_for(double drift, size_t trials, double *told) {
    static const struct noise_shape bursts = {"", noise_bursts, 0, 0, true};
    enum { N = 40 };
    struct dist_rng rng;
    dist_rng_seed(&rng, 77);
    size_t allowed = 0;
    *told = 0;
    for (size_t t = 0; t < trials; t++) {
        double x[N];
        double y[N];
        noise_pair(&bursts, N, 0.01, &rng, x, y);
        for (size_t i = 0; i < N; i++)
            x[i] += drift * (double)i / (N - 1);
        struct stats_shift shift = stats_compare_blocks(x, y, N);
        allowed += shift.drift_allowance > 0;
        *told += shift.subject.drift / (double)trials;
    }
    return allowed;
}

// Bursts that happen to lie at one end of a side are no drift; one that the undisturbed samples have is seen.
static void test_skewed_blocks_have_their_drift_told_by_the_lower_ranks(void **state) {
    (void)state;
    double told = 0;
    assert_int_equal(drifts_allowed_for(0, 2000, &told), 0);
    assert_close(told, 0, 0.001);
    assert_true(drifts_allowed_for(0.04, 300, &told) >= 285);
    assert_close(told, 0.04, 0.004);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shift_by_hand),
        cmocka_unit_test(test_shift_is_the_median_of_all_differences),
        cmocka_unit_test(test_skewed_noise_is_told_by_the_lower_ranks),
        cmocka_unit_test(test_sides_of_different_shape_are_told_by_all_ranks),
        cmocka_unit_test(test_paired_shift_by_hand),
        cmocka_unit_test(test_skewed_blocks_are_told_by_the_lower_ranks),
        cmocka_unit_test(test_skewed_blocks_have_their_drift_told_by_the_lower_ranks),
        cmocka_unit_test(test_three_samples_cannot_tell),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_identical_constant_samples),
        cmocka_unit_test(test_autocorrelation_is_paid_for),
        cmocka_unit_test(test_a_large_shift_is_found_in_dependent_samples),
        cmocka_unit_test(test_drift_is_found_and_allowed_for),
        cmocka_unit_test(test_skewed_noise_has_its_drift_told_by_the_lower_ranks),
        cmocka_unit_test(test_drift_of_constant_samples),
        cmocka_unit_test(test_a_drift_does_not_hide_a_larger_shift),
        cmocka_unit_test(test_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
