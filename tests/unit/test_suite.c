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

static char path[64];

static int make_path(void **state) {
    (void)state;
    snprintf(path, sizeof path, "/tmp/metalgap-test-suite-XXXXXX.json");
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

// --- sweeps and includes ------------------------------------------------------------------------------------------

static const char *param(const struct suite_case *c, const char *name) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(c->params, name));
    return text ? text : "";
}

static void a_sweep_is_a_case_for_each_combination(void **state) {
    (void)state;
    static const char *const names[] = {"c[bytes=64K][pages=4k]", "c[bytes=64K][pages=thp]", "c[bytes=4096][pages=4k]",
                                        "c[bytes=4096][pages=thp]"};
    struct suite suite;
    struct error err;
    assert_int_equal(load(HEAD "\"cases\":[{\"case\":\"c\",\"bench\":\"chase\",\"reps\":3,\"sweep\":{"
                               "\"bytes\":[\"64K\",4096],\"pages\":[\"4k\",\"thp\"]}}]}",
                          &suite, &err),
                     0);
    assert_int_equal(suite.count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(suite.cases[i].name, names[i]);
        assert_string_equal(param(&suite.cases[i], "pages"), i % 2 ? "thp" : "4k");
        assert_int_equal(suite.cases[i].reps, 3);
    }
    assert_string_equal(param(&suite.cases[1], "bytes"), "64K");
    assert_true(cJSON_GetObjectItem(suite.cases[2].params, "bytes")->valuedouble == 4096);
    suite_free(&suite);
}

static void a_sweep_reaches_threads_and_cpus_of_the_case(void **state) {
    (void)state;
    struct suite suite;
    struct error err;
    assert_int_equal(load(HEAD "\"cases\":[{\"case\":\"c\",\"bench\":\"null\","
                               "\"sweep\":{\"threads\":[1,2],\"cpus\":[\"0,2\"]}}]}",
                          &suite, &err),
                     0);
    assert_int_equal(suite.count, 2);
    assert_int_equal(suite.cases[1].threads, 2);
    assert_string_equal(suite.cases[1].cpus, "0,2");
    assert_string_equal(suite.cases[1].name, "c[threads=2][cpus=0+2]"); // no comma: it separates names in --only
    suite_free(&suite);
}

static void a_sweep_reaches_into_a_parameter(void **state) {
    (void)state;
    struct suite suite;
    struct error err;
    assert_int_equal(load(HEAD "\"cases\":[{\"case\":\"c\",\"bench\":\"application\",\"params\":{\"app\":\"x\","
                               "\"set\":{\"n\":5}},\"sweep\":{\"set.depth\":[1,32]}}]}",
                          &suite, &err),
                     0);
    assert_int_equal(suite.count, 2);
    assert_string_equal(suite.cases[1].name, "c[depth=32]");
    const cJSON *set = cJSON_GetObjectItem(suite.cases[1].params, "set");
    assert_true(cJSON_GetObjectItem(set, "depth")->valuedouble == 32);
    assert_true(cJSON_GetObjectItem(set, "n")->valuedouble == 5);
    suite_free(&suite);
}

static void values_by_size_hold_for_larger_sizes_too(void **state) {
    (void)state;
    static const size_t counts[SIZE_COUNT] = {1, 2, 2};
    struct suite suite;
    struct error err;
    assert_int_equal(load(HEAD "\"cases\":[{\"case\":\"c\",\"bench\":\"null\","
                               "\"sweep\":{\"seconds\":{\"small\":[1],\"default\":[1,2]}}}]}",
                          &suite, &err),
                     0);
    suite_free(&suite);
    for (int size = 0; size < SIZE_COUNT; size++) {
        assert_int_equal(suite_load(path, "/nowhere", (enum bench_size)size, &suite, &err), 0);
        assert_int_equal(suite.count, counts[size]);
        suite_free(&suite);
    }
}

#define SWEEP(text) HEAD "\"cases\":[{\"case\":\"c\",\"bench\":\"null\",\n\"sweep\":" text "}]}"
#define TEN         "[1,2,3,4,5,6,7,8,9,10]"

static void bad_sweeps_have_a_place(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *place;
        const char *why;
    } bad[] = {
        {SWEEP("3"), ":3:9", "a number"},
        {SWEEP("{}"), ":3:9", "no parameter"},
        {SWEEP("{\"seconds\":[]}"), ":3:20", "at least one"},
        {SWEEP("{\"seconds\":[1,[2]]}"), ":3:23", "neither"},
        {SWEEP("{\"seconds\":{\"tiny\":[1],\"small\":[1]}}"), ":3:28", "small"},
        {SWEEP("{\"seconds\":{\"full\":[1]}}"), ":3:20", "this size"},
        {SWEEP("{\"nosuch\":[1,2]}"), ":3:20", "nosuch"},
        {SWEEP("{\"threads\":[1,0]}"), ":3:23", "expected 1"},
        {SWEEP("{\"seconds\":[1,1]}"), ":2:", "c[seconds=1]"},
        {SWEEP("{\"seconds\":[1]},\"params\":{\"seconds\":1}"), ":3:20", "fixed"},
        {SWEEP("{\"a\":" TEN ",\"b\":" TEN ",\"c\":" TEN ",\"d\":[1,2]}"), ":3:9", "1000"},
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

static char other_path[] = "/tmp/metalgap-test-other-XXXXXX.json";

static int make_both(void **state) {
    memset(strchr(other_path, '.') - 6, 'X', 6);
    int fd = mkstemps(other_path, 5);
    return fd < 0 || close(fd) ? -1 : make_path(state);
}

static int remove_both(void **state) {
    return remove_path(state) | unlink(other_path);
}

// Loads a suite that includes the other file, whose text is `other`.
static int load_including(const char *other, struct suite *suite, struct error *err) {
    char text[512];
    FILE *f = fopen(other_path, "w");
    assert_non_null(f);
    fputs(other, f);
    fclose(f);
    snprintf(text, sizeof text,
             HEAD "\"reps\":2,\"include\":[\"%s\"],\"cases\":[{\"case\":\"own\",\"bench\":\"null\"}]}", other_path);
    return load(text, suite, err);
}

static void includes_bring_their_cases(void **state) {
    (void)state;
    struct suite suite;
    struct error err;
    char sha256[65];
    assert_int_equal(load_including(HEAD "\"reps\":9,\"cases\":[{\"case\":\"a\",\"bench\":\"null\"}]}", &suite, &err),
                     0);
    assert_int_equal(suite.count, 2);
    assert_string_equal(suite.cases[0].name, "a");
    assert_string_equal(suite.cases[1].name, "own");
    assert_int_equal(suite.reps, 2);
    assert_int_equal(cJSON_GetArraySize(suite.included), 1);
    memcpy(sha256, suite.sha256, sizeof sha256);
    suite_free(&suite);
    assert_int_equal(load_including(HEAD "\"reps\":8,\"cases\":[{\"case\":\"a\",\"bench\":\"null\"}]}", &suite, &err),
                     0);
    assert_string_not_equal(suite.sha256, sha256); // it is another suite if an included one is another
    suite_free(&suite);
}

static void an_error_in_an_included_suite_is_placed_there(void **state) {
    (void)state;
    struct suite suite;
    struct error err = {0};
    assert_int_equal(load_including(HEAD "\"cases\":[{\"case\":\"a\",\"bench\":\"nosuch\"}]}", &suite, &err), -1);
    assert_non_null(strstr(err.where, other_path));
    assert_non_null(strstr(err.where, ":2:30"));
    suite_free(&suite);
    assert_int_equal(load(HEAD "\"include\":[\"/nowhere/x.json\"]}", &suite, &err), -1);
    assert_non_null(strstr(err.where, ":2:12"));
    assert_non_null(strstr(err.what, "/nowhere/x.json"));
    suite_free(&suite);
}

static void a_suite_that_includes_itself_is_refused(void **state) {
    (void)state;
    struct suite suite;
    struct error err = {0};
    char text[512];
    snprintf(text, sizeof text, HEAD "\"include\":[\"%s\"]}", other_path);
    assert_int_equal(load_including(text, &suite, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    assert_non_null(strstr(err.why, "itself"));
    suite_free(&suite);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILE_TEST(reads_what_is_there),
        FILE_TEST(hashes_the_file),
        FILE_TEST(refuses_with_a_place),
        cmocka_unit_test(a_missing_suite_names_its_path),
        cmocka_unit_test(a_command_is_a_suite_of_one_case),
        cmocka_unit_test_setup_teardown(a_sweep_is_a_case_for_each_combination, make_path, remove_path),
        cmocka_unit_test_setup_teardown(a_sweep_reaches_threads_and_cpus_of_the_case, make_path, remove_path),
        cmocka_unit_test_setup_teardown(a_sweep_reaches_into_a_parameter, make_path, remove_path),
        cmocka_unit_test_setup_teardown(values_by_size_hold_for_larger_sizes_too, make_path, remove_path),
        cmocka_unit_test_setup_teardown(bad_sweeps_have_a_place, make_path, remove_path),
        cmocka_unit_test_setup_teardown(includes_bring_their_cases, make_both, remove_both),
        cmocka_unit_test_setup_teardown(an_error_in_an_included_suite_is_placed_there, make_both, remove_both),
        cmocka_unit_test_setup_teardown(a_suite_that_includes_itself_is_refused, make_both, remove_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
