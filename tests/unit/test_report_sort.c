// SPDX-License-Identifier: Apache-2.0
// Sorting by bytes gives what sorting by comparing gives.
#include "core/memory.h"
#include "report/distribution.h"
#include "report/sort.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

// Numbers of all sizes and both signs, many of them twice.
static double draw(struct dist_rng *rng) {
    double value = ldexp(dist_rng_uniform(rng) - 0.5, (int)dist_rng_below(rng, 200) - 100);
    return dist_rng_below(rng, 3) ? value : round(8 * dist_rng_uniform(rng)) - 4;
}

static void numbers_are_sorted(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 499, 500, 501, 20000};
    struct dist_rng rng;
    dist_rng_seed(&rng, 5);
    for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
        size_t n = counts[k];
        double *value = mem_alloc((n + 1) * sizeof *value);
        double *expected = mem_alloc((n + 1) * sizeof *expected);
        size_t *place = mem_alloc((n + 1) * sizeof *place);
        for (size_t i = 0; i < n; i++)
            expected[i] = value[i] = draw(&rng);
        sort_places(value, n, place);
        for (size_t i = 1; i < n; i++) {
            double before = value[place[i - 1]];
            assert_true(before < value[place[i]] || (!(before > value[place[i]]) && place[i - 1] < place[i]));
        }
        qsort(expected, n, sizeof *expected, compare);
        sort_doubles(value, n);
        for (size_t i = 0; i < n; i++)
            assert_true(value[i] >= expected[i] && value[i] <= expected[i]);
        free(value);
        free(expected);
        free(place);
    }
}

static void extremes_and_nan(void **state) {
    (void)state;
    double value[] = {INFINITY, 1, NAN, -INFINITY, 5e-324, -1, 0};
    sort_doubles(value, ARRAY_LEN(value));
    assert_true(value[0] < -1e308);
    assert_true(value[1] >= -1 && value[1] <= -1);
    assert_true(value[3] > 0 && value[3] < 1e-300);
    assert_true(value[5] > 1e308);
    assert_true(isnan(value[6]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_sorted),
        cmocka_unit_test(extremes_and_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
