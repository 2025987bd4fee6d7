// SPDX-License-Identifier: Apache-2.0
// Means, summaries and many cases at once, by hand.
#include "tests/unit/stats_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_means_by_hand),
        cmocka_unit_test(test_summary_by_hand),
        cmocka_unit_test(test_false_discovery_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
