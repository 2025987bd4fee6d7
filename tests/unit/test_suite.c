// SPDX-License-Identifier: Apache-2.0
// Suite files: what is read, what is refused, and where.
#include "bench/suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/metalgap-test-suite-XXXXXX.json";

static int make_path(void **state) {
    (void)state;
    memcpy(strchr(path, '.') - 6, "XXXXXX", 6);
    int fd = mkstemps(path, 5);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state) {
    (void)state;
    return unlink(path);
}

static int load(const char *text, struct suite *suite, struct error *err) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return suite_load(path, "/nowhere", SIZE_SMALL, suite, err);
}

#define HEAD "{\"schema\":\"metalgap.suite/1\",\"name\":\"s\",\n"

static void reads_what_is_there(void **state) {
    (void)state;
    struct suite suite;
    struct error err;
    assert_int_equal(load(HEAD "\"reps\":7,\"order\":\"sequential\",\"cases\":["
                               "{\"case\":\"a\",\"bench\":\"null\",\"params\":{\"seconds\":0.5},\"cpus\":\"0\","
                               "\"threads\":1,\"reps\":3,\"timeout\":\"2m\"},{\"case\":\"b\",\"bench\":\"null\"}]}",
                          &suite, &err),
                     0);
    assert_string_equal(suite.name, "s");
    assert_int_equal(suite.reps, 7);
    assert_false(suite.interleaved);
    assert_int_equal(suite.count, 2);
    assert_int_equal(suite.cases[0].reps, 3);
    assert_int_equal(suite.cases[0].threads, 1);
    assert_true(suite.cases[0].timeout_s == 120);
    assert_true(suite.cases[1].timeout_s == 600);
    // what was given stays, what was not is completed from the bench's table
    assert_true(cJSON_GetObjectItem(suite.cases[0].params, "seconds")->valuedouble == 0.5);
    assert_non_null(cJSON_GetObjectItem(suite.cases[1].params, "seconds"));
    assert_int_equal(strlen(suite.sha256), 64);
    suite_free(&suite);
}

// sha256("abc") is in FIPS 180-2; here it pins which bytes are hashed: the file's, all of them.
static void hashes_the_file(void **state) {
    (void)state;
    struct suite one;
    struct suite two;
    struct error err;
    load(HEAD "\"cases\":[{\"case\":\"a\",\"bench\":\"null\"}]}", &one, &err);
    load(HEAD "\"cases\":[{\"case\":\"a\",\"bench\":\"null\"}]}\n", &two, &err);
    assert_string_not_equal(one.sha256, two.sha256);
    suite_free(&one);
    suite_free(&two);
}

static void refuses_with_a_place(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *place;
        const char *why;
    } bad[] = {
        {"[]", ":1:1", ""},
        {"{\"schema\":\"metalgap.suite/9\",\"name\":\"s\",\"cases\":[]}", ":1:11", "metalgap.suite/9"},
        {HEAD "\"cases\":[]}", ":2:9", ""},
        {HEAD "\"rep\":3,\"cases\":[]}", ":2:7", "\"rep\""},
        {HEAD "\"reps\":0,\"cases\":[]}", ":2:8", "0"},
        {HEAD "\"reps\":\"3\",\"cases\":[]}", ":2:8", "a string"},
        {HEAD "\"order\":\"random\",\"cases\":[]}", ":2:9", "random"},
        {HEAD "\"cases\":[{\"case\":\"a\",\"bench\":\"nosuch\"}]}", ":2:30", "nosuch"},
        {HEAD "\"cases\":[{\"case\":\"a\",\"bench\":\"null\"},\n{\"case\":\"a\",\"bench\":\"null\"}]}", ":3:9",
         "\"a\""},
        {HEAD "\"cases\":[{\"case\":\"a\",\"bench\":\"null\",\"cpus\":\"x\"}]}", ":2:44", "0-3"},
        {HEAD "\"cases\":[{\"case\":\"a\",\"bench\":\"null\",\"timeout\":\"1x\"}]}", ":2:47", "90s"},
        {HEAD "\"cases\":[{\"case\":\"a\",\"bench\":\"null\",\"params\":{\"nosuch\":1}}]}", ":2:", "nosuch"},
        {HEAD "\"cases\":[3]}", ":2:10", ""},
        {HEAD, ":1:40", ""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct suite suite;
        struct error err = {0};
        assert_int_equal(load(bad[i].text, &suite, &err), -1);
        assert_int_equal(err.code, EXIT_CODE_INPUT);
        if (!strstr(err.where, bad[i].place) || (!strstr(err.why, bad[i].why) && !strstr(err.what, bad[i].why)))
            fail_msg("%zu: at %s, wanted %s: %s: %s", i, err.where, bad[i].place, err.what, err.why);
        suite_free(&suite);
    }
}

static void a_missing_suite_names_its_path(void **state) {
    (void)state;
    struct suite suite;
    struct error err;
    assert_int_equal(suite_load("quick", "/nowhere", SIZE_SMALL, &suite, &err), -1);
    assert_non_null(strstr(err.what, "/nowhere/quick.json"));
    suite_free(&suite);
}

static void a_command_is_a_suite_of_one_case(void **state) {
    (void)state;
    struct suite suite;
    struct error err;
    char *argv[] = {"/bin/sleep", "1", NULL};
    assert_int_equal(suite_from_command(NULL, argv, &suite, &err), 0);
    assert_int_equal(suite.count, 1);
    assert_string_equal(suite.cases[0].name, "sleep");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(suite.cases[0].params, "argv")), 2);
    suite_free(&suite);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_path, remove_path)

int main(void) {
    const struct CMUnitTest tests[] = {
        FILE_TEST(reads_what_is_there),
        FILE_TEST(hashes_the_file),
        FILE_TEST(refuses_with_a_place),
        cmocka_unit_test(a_missing_suite_names_its_path),
        cmocka_unit_test(a_command_is_a_suite_of_one_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
