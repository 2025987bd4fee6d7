// SPDX-License-Identifier: Apache-2.0
// The bucket that a time falls into.
#include "probes/log2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_every_power_of_two_begins_a_bucket(void **state) {
    (void)state;
    assert_true(log2_bucket(0, 32) == 0 && log2_bucket(1, 32) == 0);
    for (unsigned n = 1; n < 32; n++) {
        assert_int_equal(log2_bucket(1ULL << n, 32), n);
        assert_int_equal(log2_bucket((1ULL << n) - 1, 32), n - 1);
    }
}

static void test_all_numbers_of_two_bytes(void **state) {
    (void)state;
    for (uint32_t ns = 1; ns < 70000; ns++)
        assert_int_equal(log2_bucket(ns, 32), 31 - __builtin_clz(ns));
}

static void test_the_last_bucket_holds_all_above(void **state) {
    (void)state;
    assert_int_equal(log2_bucket(1ULL << 32, 32), 31);
    assert_int_equal(log2_bucket(UINT64_MAX, 32), 31);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_power_of_two_begins_a_bucket),
        cmocka_unit_test(test_all_numbers_of_two_bytes),
        cmocka_unit_test(test_the_last_bucket_holds_all_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
