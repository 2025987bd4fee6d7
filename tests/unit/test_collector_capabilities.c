// SPDX-License-Identifier: Apache-2.0
// Every capability can be tried, twice, and what does not work says why.
#include "collectors/capabilities.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <string.h>

static int open_files(void) {
    int count = 0;
    DIR *files = opendir("/proc/self/fd");
    assert_non_null(files);
    while (readdir(files))
        count++;
    closedir(files);
    return count;
}

static void each_row_answers(void **state) {
    (void)state;
    assert_true(capability_count > 0);
    for (size_t i = 0; i < capability_count; i++) {
        struct capability c;
        capability_try(i, &c);
        assert_true(c.name[0] && c.enables[0]);
        assert_true(strlen(c.name) <= 15); // doctor's column
        if (c.works) {
            assert_string_equal(c.remedy, "");
        } else {
            assert_true(c.reason[0]);
        }
    }
}

static void nothing_stays_open(void **state) {
    (void)state;
    struct capability c;
    for (size_t i = 0; i < capability_count; i++)
        capability_try(i, &c); // the first time libraries may keep something
    int before = open_files();
    for (size_t i = 0; i < capability_count; i++)
        capability_try(i, &c);
    assert_int_equal(open_files(), before);
}

static void json_form(void **state) {
    (void)state;
    const struct capability c = {.name = "a", .enables = "b", .works = false, .reason = "c"};
    cJSON *json = capability_to_json(&c);
    char *line = json_print_line(json);
    assert_string_equal(line, "{\"name\":\"a\",\"works\":false,\"reason\":\"c\",\"remedy\":null,\"enables\":\"b\"}");
    cJSON_free(line);
    cJSON_Delete(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_answers),
        cmocka_unit_test(nothing_stays_open),
        cmocka_unit_test(json_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
