// SPDX-License-Identifier: Apache-2.0
// The set of names: numbers in the order of addition, found again however many there are.
#include "core/memory.h"
#include "core/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_an_empty_set_has_no_names(void **state) {
    (void)state;
    struct names names = {0};
    assert_true(names_find(&names, "") == NAMES_NONE);
    names_free(&names);
}

static void test_names_keep_their_numbers(void **state) {
    (void)state;
    enum { MANY = 20000 };
    struct names names = {0};
    for (size_t i = 0; i < MANY; i++) {
        char *name = mem_printf("case.%zu", i);
        assert_int_equal(names_add(&names, name), i);
        assert_int_equal(names_add(&names, name), i); // twice is once
        free(name);
    }
    assert_int_equal(names_add(&names, ""), MANY);
    for (size_t i = 0; i < MANY; i++) {
        char *name = mem_printf("case.%zu", i);
        assert_int_equal(names_find(&names, name), i);
        free(name);
    }
    assert_true(names_find(&names, "case") == NAMES_NONE);
    assert_int_equal(names.count, MANY + 1);
    names_free(&names);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_set_has_no_names),
        cmocka_unit_test(test_names_keep_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
