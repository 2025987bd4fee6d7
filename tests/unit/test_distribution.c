// SPDX-License-Identifier: Apache-2.0
// Reference distributions against published tables.
#include "report/distribution.h"
#include "tests/unit/stats_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal_quantiles),
        cmocka_unit_test(test_t_quantiles),
        cmocka_unit_test(test_rank_cuts_match_published_tables),
        cmocka_unit_test(test_normal_cut_continues_the_exact_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
