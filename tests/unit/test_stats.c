// SPDX-License-Identifier: Apache-2.0
// Statistics: reference values from tables, results computed by hand, and a small simulation with fixed seeds.
#include "core/memory.h"
#include "report/distribution.h"
#include "report/stats.h"
#include "tests/sim/noise.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define assert_close(got, expected, tolerance) assert_true(fabs((got) - (expected)) <= (tolerance))

static struct stats_shift compare_two(const double *x, size_t m, const double *y, size_t n) {
    return stats_compare(&(struct stats_side){&(struct stats_run){x, m, 0}, 1},
                         &(struct stats_side){&(struct stats_run){y, n, 1}, 1}, 1);
}

// --- distributions ---------------------------------------------------------------------------------------------------

static void test_normal_quantiles(void **state) {
    (void)state;
    assert_close(dist_normal_quantile(0.975), 1.959963984540054, 1e-12);
    assert_close(dist_normal_quantile(0.8), 0.8416212335729143, 1e-12);
    assert_close(dist_normal_quantile(0.025), -1.959963984540054, 1e-12);
    assert_close(dist_normal_quantile(1e-6), -4.753424308822899, 1e-9);
}

static void test_t_quantiles(void **state) {
    (void)state;
    assert_close(dist_t_quantile(0.975, 1), 12.706204736432, 1e-6);
    assert_close(dist_t_quantile(0.975, 2), 4.302652729911, 1e-8);
    assert_close(dist_t_quantile(0.975, 9), 2.262157162741, 1e-8);
    assert_close(dist_t_quantile(0.975, INFINITY), 1.959963984540, 1e-9);
    assert_close(dist_t_two_sided(2.262157162741, 9), 0.05, 1e-8);
}

static void test_rank_cuts_match_published_tables(void **state) {
    (void)state;
    int exact = 0;
    // Critical values of Mann and Whitney's U, two-sided 5 %: the cut is one more.
    assert_int_equal(dist_mann_whitney_cut(3, 3, 0.05, &exact), 0);
    assert_true(exact);
    assert_int_equal(dist_mann_whitney_cut(4, 4, 0.05, NULL), 0 + 1);
    assert_int_equal(dist_mann_whitney_cut(5, 5, 0.05, NULL), 2 + 1);
    assert_int_equal(dist_mann_whitney_cut(5, 8, 0.05, NULL), 6 + 1);
    assert_int_equal(dist_mann_whitney_cut(10, 10, 0.05, NULL), 23 + 1);
    assert_int_equal(dist_mann_whitney_cut(20, 20, 0.05, NULL), 127 + 1);
    dist_mann_whitney_cut(200, 300, 0.05, &exact);
    assert_false(exact);
    // Wilcoxon's signed ranks.
    assert_int_equal(dist_signed_rank_cut(5, 0.05, NULL), 0);
    assert_int_equal(dist_signed_rank_cut(6, 0.05, NULL), 0 + 1);
    assert_int_equal(dist_signed_rank_cut(10, 0.05, NULL), 8 + 1);
    assert_int_equal(dist_signed_rank_cut(20, 0.05, NULL), 52 + 1);
}

static void test_normal_cut_continues_the_exact_one(void **state) {
    (void)state;
    int exact = 0;
    double last = (double)dist_mann_whitney_cut(28, 28, 0.05, &exact) / (28 * 28.0);
    assert_true(exact);
    double next = (double)dist_mann_whitney_cut(29, 29, 0.05, &exact) / (29 * 29.0);
    assert_false(exact);
    assert_true(next > last && next < last + 0.01);
}

// --- shifts ----------------------------------------------------------------------------------------------------------

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

// --- machines and runs -----------------------------------------------------------------------------------------------

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

// --- planning --------------------------------------------------------------------------------------------------------

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

// --- means, summaries, many cases ------------------------------------------------------------------------------------

static void test_means_by_hand(void **state) {
    (void)state;
    double g[] = {11, 12, 13};
    double m[] = {9, 10, 11};
    struct stats_mean a = stats_mean(g, 3, 1);
    struct stats_mean b = stats_mean(m, 3, 1);
    assert_close(a.mean, 12, 1e-12);
    assert_close(a.se, 1 / sqrt(3), 1e-12);
    struct stats_mean ratio = stats_mean_ratio_pct(&a, &b);
    assert_close(ratio.mean, 20, 1e-12);
    // sqrt((1/sqrt3 / 10)^2 + (1.2 * 1/sqrt3 / 10)^2) * 100
    assert_close(ratio.se, 100 * sqrt(1.0 / 300 + 1.44 / 300), 1e-9);
    struct stats_mean difference = stats_mean_difference(&a, &b);
    assert_close(difference.mean, 2, 1e-12);
    assert_close(difference.se, sqrt(2.0 / 3), 1e-12);
    assert_close(difference.df, 4, 1e-9);
    struct stats_interval ci = stats_mean_interval(&difference);
    assert_close(ci.high, 2 + 2.776445105 * sqrt(2.0 / 3), 1e-6);
    // One sample: a mean, no error.
    assert_true(isnan(stats_mean(g, 1, 1).se));
    struct stats_mean one = stats_mean(g, 1, 1);
    assert_true(isnan(stats_mean_interval(&one).low));
}

static void test_summary_by_hand(void **state) {
    (void)state;
    // The median's interval by ranks: 6 samples, smallest to largest (2 * (1/2)^6 = 0.031).
    double x[] = {5, 1, 6, 2, 4, 3};
    struct stats_summary s = stats_summarise(x, 6);
    assert_close(s.median, 3.5, 1e-12);
    assert_close(s.median_ci.low, 1, 1e-12);
    assert_close(s.median_ci.high, 6, 1e-12);
    assert_close(s.cv_pct, 100 * sqrt(3.5) / 3.5, 1e-9);
    assert_true(isnan(stats_summarise(x, 5).median_ci.low));
    assert_int_equal(stats_summarise(x, 0).count, 0);
    double sorted[] = {1, 2, 3, 4, 5};
    assert_close(stats_quantile_sorted(sorted, 5, 0.9), 4.6, 1e-12);
}

static void test_false_discovery_by_hand(void **state) {
    (void)state;
    double p[] = {0.04, 0.01, NAN, 0.03, 0.5};
    double q[5];
    stats_false_discovery(p, 5, q);
    assert_close(q[1], 0.04, 1e-12);         // 0.01 * 4 / 1
    assert_close(q[3], 0.04 * 4 / 3, 1e-12); // min(0.03 * 4 / 2, 0.04 * 4 / 3)
    assert_close(q[0], 0.04 * 4 / 3, 1e-12);
    assert_close(q[4], 0.5, 1e-12);
    assert_true(isnan(q[2]));
}

// --- the simulation, small: docs/method.md has the large one --------------------------------------------------------

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
        if (shape->paired)
            for (size_t i = 0; i < n; i++)
                x[i] -= y[i];
        struct stats_shift shift = shape->paired ? stats_compare_paired(x, n) : compare_two(x, n, y, n);
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
        cmocka_unit_test(test_normal_quantiles),
        cmocka_unit_test(test_t_quantiles),
        cmocka_unit_test(test_rank_cuts_match_published_tables),
        cmocka_unit_test(test_normal_cut_continues_the_exact_one),
        cmocka_unit_test(test_shift_by_hand),
        cmocka_unit_test(test_shift_is_the_median_of_all_differences),
        cmocka_unit_test(test_skewed_noise_is_told_by_the_lower_ranks),
        cmocka_unit_test(test_sides_of_different_shape_are_told_by_all_ranks),
        cmocka_unit_test(test_paired_shift_by_hand),
        cmocka_unit_test(test_three_samples_cannot_tell),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_identical_constant_samples),
        cmocka_unit_test(test_autocorrelation_is_paid_for),
        cmocka_unit_test(test_a_large_shift_is_found_in_dependent_samples),
        cmocka_unit_test(test_drift_is_found_and_allowed_for),
        cmocka_unit_test(test_a_drift_does_not_hide_a_larger_shift),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_machines_are_the_top_level),
        cmocka_unit_test(test_machine_intervals_cover),
        cmocka_unit_test(test_noise_floor_is_what_equal_sets_show),
        cmocka_unit_test(test_samples_needed_are_enough),
        cmocka_unit_test(test_minimal_detectable_effect_is_found_with_its_power),
        cmocka_unit_test(test_means_by_hand),
        cmocka_unit_test(test_summary_by_hand),
        cmocka_unit_test(test_false_discovery_by_hand),
        cmocka_unit_test(test_verdicts_hold_over_noise_shapes),
        cmocka_unit_test(test_power_on_bursts),
        cmocka_unit_test(test_large_samples_are_quick_enough_to_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
