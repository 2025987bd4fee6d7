// SPDX-License-Identifier: Apache-2.0
// JSON: what is refused and where, typed reads, numbers and strings that survive writing.
#include "core/json_quick.h"
#include "core/memory.h"
#include "core/str.h"
#include "tests/fuzz/json_same.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN ((struct json_origin){"f.json", 1})

static cJSON *parse(const char *text, struct error *err) {
    memset(err, 0, sizeof *err);
    return json_parse(text, strlen(text), ORIGIN, err);
}

static void valid_texts_are_taken(void **state) {
    (void)state;
    static const char *const good[] = {
        "{}",   " [1, -0.5, 0, 1e5, 2E-3, 10.25]\n", "\"\\u00e9 \\ud83d\\ude00 \\n \xc3\xa9\"", "null",
        "true", "{\"a\":{\"k\":1},\"b\":{\"k\":1}}",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct error err;
        cJSON *tree = parse(good[i], &err);
        if (!tree)
            fail_msg("%s: %s: %s", good[i], err.where, err.why);
        cJSON_Delete(tree);
    }
}

static void malformed_texts_name_their_place(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *where;
    } bad[] = {
        {"", "f.json:1:1"},
        {"{\"a\":}", "f.json:1:6"},
        {"{\"a\":1,}", "f.json:1:8"},
        {"[1 2]", "f.json:1:4"},
        {"{} {}", "f.json:1:4"},
        {"{\n\"a\": 01}", "f.json:2:6"},
        {"[1.]", "f.json:1:2"},
        {"[.5]", "f.json:1:2"},
        {"[+1]", "f.json:1:2"},
        {"[-]", "f.json:1:2"},
        {"[1e]", "f.json:1:2"},
        {"[0x10]", "f.json:1:3"},
        {"[NaN]", "f.json:1:2"},
        {"[\"a\nb\"]", "f.json:1:4"},
        {"[\"\x1b[31m\"]", "f.json:1:3"},
        {"[\"\\q\"]", "f.json:1:4"},
        {"[\"\\u12g4\"]", "f.json:1:7"},
        {"[\"\\u0000\"]", "f.json:1:9"},
        {"[\"\\udc00\"]", "f.json:1:"},
        {"[\"\xff\"]", "f.json:1:3"},
        {"[\"\xc0\x80\"]", "f.json:1:3"},
        {"[\"\xed\xa0\x80\"]", "f.json:1:3"},
        {"[\"\xf4\x90\x80\x80\"]", "f.json:1:3"},
        {"[\"\xe2\x82\"]", "f.json:1:3"},
        {"\xef\xbb\xbf{}", "f.json:1:1"},
        {"{\"a\":1,\n \"b\":2,\n \"a\":3}", "f.json:3:6"},
        {"[{\"x\":{\"a\":1,\"a\":2}}]", "f.json:1:18"},
        {"\"open", "f.json:1:"},
        {"nullx", "f.json:1:5"},
        {"{\"a\":1\n\n", "f.json:1:6"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err;
        cJSON *tree = parse(bad[i].text, &err);
        if (tree)
            fail_msg("taken: %s", bad[i].text);
        assert_int_equal(err.code, EXIT_CODE_INPUT);
        if (strncmp(err.where, bad[i].where, strlen(bad[i].where)) != 0)
            fail_msg("%s: the place is %s, not %s (%s)", bad[i].text, err.where, bad[i].where, err.why);
    }
}

static void nul_bytes_are_refused(void **state) {
    (void)state;
    struct error err = {0};
    assert_null(json_parse("[1\0]", 4, ORIGIN, &err));
    assert_string_equal(err.where, "f.json:1:3");
    assert_null(json_parse("[\"a\0\"]", 6, ORIGIN, &err));
    assert_string_equal(err.where, "f.json:1:4");
    assert_null(json_parse("[1\0]", 4, ORIGIN, NULL));
}

static void deep_nesting_is_an_error_not_a_crash(void **state) {
    (void)state;
    struct str text = {0};
    for (int i = 0; i < 100000; i++)
        str_add(&text, "[");
    struct error err;
    assert_null(parse(str_text(&text), &err));
    str_free(&text);
}

static void duplicates_are_found_in_large_objects(void **state) {
    (void)state;
    struct str text = {0};
    struct error err;
    str_add(&text, "{");
    for (int i = 0; i < 100000; i++)
        str_printf(&text, "\"key%d\":%d,", i, i);
    size_t length = text.length;
    str_add(&text, "\"last\":0}");
    cJSON *tree = parse(str_text(&text), &err);
    assert_non_null(tree);
    cJSON_Delete(tree);
    text.length = length;
    str_add(&text, "\"key77\":0,\"key5\":0}");
    assert_null(parse(str_text(&text), &err));
    assert_non_null(strstr(err.why, "\"key77\""));
    str_free(&text);
}

static void typed_reads(void **state) {
    (void)state;
    struct error err;
    static const char text[] =
        "{\"s\":\"x\",\"d\":1.5,\"n\":7,\"neg\":-1,\"big\":9007199254740993,\"huge\":1e999,\"t\":true,"
        "\"null\":null,\"o\":{},\"a\":[]}";
    cJSON *o = parse(text, &err);
    assert_non_null(o);
    const char *s = "unchanged";
    double d = 0;
    uint64_t n = 0;
    bool t = false;
    const cJSON *c = NULL;
    assert_int_equal(json_get_string(o, "s", JSON_REQUIRED, &s, &err), 1);
    assert_string_equal(s, "x");
    assert_int_equal(json_get_double(o, "d", JSON_REQUIRED, &d, &err), 1);
    assert_true(d == 1.5);
    assert_int_equal(json_get_u64(o, "n", JSON_REQUIRED, &n, &err), 1);
    assert_int_equal(n, 7);
    assert_int_equal(json_get_bool(o, "t", JSON_REQUIRED, &t, &err), 1);
    assert_true(t);
    assert_int_equal(json_get_object(o, "o", JSON_REQUIRED, &c, &err), 1);
    assert_int_equal(json_get_array(o, "a", JSON_REQUIRED, &c, &err), 1);
    // missing and null
    assert_int_equal(json_get_string(o, "no", JSON_OPTIONAL, &s, &err), 0);
    assert_int_equal(json_get_string(o, "null", JSON_OPTIONAL, &s, &err), 0);
    assert_string_equal(s, "x");
    assert_int_equal(json_get_string(o, "no", JSON_REQUIRED, &s, &err), -1);
    assert_int_equal(json_get_string(o, "null", JSON_REQUIRED, &s, &err), -1);
    // no coercion
    assert_int_equal(json_get_string(o, "n", JSON_OPTIONAL, &s, &err), -1);
    assert_int_equal(json_get_double(o, "s", JSON_OPTIONAL, &d, &err), -1);
    assert_int_equal(json_get_bool(o, "n", JSON_OPTIONAL, &t, &err), -1);
    assert_int_equal(json_get_object(o, "a", JSON_OPTIONAL, &c, &err), -1);
    assert_int_equal(json_get_array(o, "o", JSON_OPTIONAL, &c, &err), -1);
    assert_int_equal(json_get_u64(o, "d", JSON_OPTIONAL, &n, &err), -1);
    assert_int_equal(json_get_u64(o, "neg", JSON_OPTIONAL, &n, &err), -1);
    assert_int_equal(json_get_double(o, "huge", JSON_OPTIONAL, &d, &err), -1);
    assert_int_equal(json_get_u64(o, "huge", JSON_OPTIONAL, &n, &err), -1);
    // 2^53 + 1 has lost its last digit: an error for a count, good enough for a time stamp
    assert_int_equal(json_get_u64(o, "big", JSON_REQUIRED, &n, &err), -1);
    assert_int_equal(json_get_ticks(o, "big", JSON_REQUIRED, &n, &err), 1);
    // the place is found afterwards
    assert_int_equal(json_get_string(o, "d", JSON_REQUIRED, &s, &err), -1);
    json_place(&err, o, text, strlen(text), (struct json_origin){"f.json", 4});
    assert_string_equal(err.where, "f.json:4:14");
    cJSON_Delete(o);
}

static void unknown_keys(void **state) {
    static const char *const known[] = {"a", "b", NULL};
    (void)state;
    cJSON *object = cJSON_Parse("{\"b\": 1, \"bb\": 2, \"c\": 3}");
    assert_string_equal(json_unknown_key(object, known)->string, "bb");
    cJSON_DeleteItemFromObjectCaseSensitive(object, "bb");
    cJSON_DeleteItemFromObjectCaseSensitive(object, "c");
    assert_null(json_unknown_key(object, known));
    cJSON_Delete(object);
}

static void what_is_shown_needs_no_error(void **state) {
    (void)state;
    cJSON *o = cJSON_Parse("{\"n\": -2.5, \"s\": \"x\", \"huge\": 1e999, \"some\": 3}");
    assert_string_equal(json_text(o, "s"), "x");
    assert_string_equal(json_text(o, "n"), "");
    assert_string_equal(json_text(o, "none"), "");
    assert_true(json_number(o, "n") == -2.5);
    assert_true(isnan(json_number(o, "s")));
    assert_true(isnan(json_number(o, "none")));
    assert_true(json_amount(o, "some") == 3);
    assert_true(json_amount(o, "n") == 0);
    assert_true(json_amount(o, "huge") == 0);
    assert_true(json_amount(o, "s") == 0);
    cJSON_Delete(o);
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    struct error err;
    cJSON *o = cJSON_CreateObject();
    json_add_u64(o, "ticks", UINT64_MAX);
    json_add_string(o, "bad", "a\xff\xe2\x82z\x1b");
    json_add_string(o, "none", NULL);
    json_add_double(o, "nan", NAN);
    json_add_double(o, "inf", -INFINITY);
    json_add_double(o, "third", 1.0 / 3);
    char *line = json_print_line(o);
    assert_non_null(strstr(line, "\"ticks\":18446744073709551615"));
    assert_null(strchr(line, '\n'));
    cJSON *back = parse(line, &err);
    assert_non_null(back);
    const char *s = NULL;
    double d = 0;
    assert_int_equal(json_get_string(back, "bad", JSON_REQUIRED, &s, &err), 1);
    assert_string_equal(s, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\x1b");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(back, "none")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(back, "nan")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(back, "inf")));
    assert_int_equal(json_get_double(back, "third", JSON_REQUIRED, &d, &err), 1);
    assert_true(fabs(d - 1.0 / 3) <= 1e-15);
    cJSON_Delete(back);
    cJSON_Delete(o);
    free(line);
}

static void files(void **state) {
    (void)state;
    struct error err;
    size_t length = 1;
    char *text = json_read_file("/dev/null", 10, &length, &err);
    assert_non_null(text);
    assert_string_equal(text, "");
    assert_int_equal(length, 0);
    free(text);
    assert_null(json_read_file("/nonexistent/file", 10, &length, &err));
    assert_non_null(strstr(err.what, "/nonexistent/file"));
    assert_null(json_read_file("/", 10, &length, &err));
    assert_null(json_read_file("/dev/zero", 100, &length, &err));
    assert_non_null(strstr(err.why, "larger than 100 bytes"));
}

// --- the quick parser ----------------------------------------------------------------------------------------------

static const char SAMPLE[] =
    "{\"t\":\"sample\",\"case\":\"stream.copy\",\"seq\":17,\"mode\":\"timing\",\"start_ns\":3816716592694,"
    "\"wall_s\":0.982077191,\"fom\":5.46668751621582,\"valid\":true,\"why\":null,\"steps_s\":[0.036913031,1e-05,-0],"
    "\"circumstances\":{\"cpu_s\":0.508434,\"info\":\"3 arrays of 128.0 MiB \xc2\xb5\"},\"obs\":[{\"cause\":"
    "\"exit.timer\",\"count\":807,\"seconds\":0.0086326756570707566,\"hist_ns\":[[9,800],[10,7]],\"detail\":{}},[]]}\n";

static void the_quick_parser_makes_the_same_tree(void **state) {
    (void)state;
    static const char *const texts[] = {
        SAMPLE,
        " { \"a\" : [ 1 , 2 ] , \"b\" : { } } \r\n",
        "[]",
        "-0.0",
        "[2147483648,-2147483649,9007199254740993,1e22,1e23,123456789012345678,1e-22,4.9e-324,1e308,0.1e1,5E+3]",
        "\"\"",
        "{\"\":1,\"ab\":2,\"ba\":3,\"b\":4,\"a\":5}",
        "[[[[[[[[1]]]]]]]]",
        "true",
    };
    struct json_quick *quick = json_quick_new();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error err;
        cJSON *tree = parse(texts[i], &err);
        const cJSON *same = json_quick_parse(quick, texts[i], strlen(texts[i]));
        if (!tree || !same || !json_same(tree, same))
            fail_msg("not so: %s", texts[i]);
        cJSON_Delete(tree);
    }
    json_quick_free(quick);
}

// What it may leave to json_parse() it has to leave to it.
static void the_quick_parser_declines(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",           " ",
        "[1,]",       "{\"a\":1,\"a\":2}",
        "[\"\\n\"]",  "[01]",
        "[1.]",       "[.5]",
        "[-]",        "[1e]",
        "nul",        "[1 2]",
        "{} {}",      "{\"a\" 1}",
        "{1:2}",      "[\"\t\"]",
        "[\"\xff\"]", "[\"\xe2\x82\"]",
        "\"open",     "[1e99999]",
    };
    struct json_quick *quick = json_quick_new();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (json_quick_parse(quick, texts[i], strlen(texts[i])))
            fail_msg("taken: %s", texts[i]);
    assert_null(json_quick_parse(quick, "[1]\0", 4));
    struct str long_one = {0};
    for (int i = 0; i < 300; i++)
        str_printf(&long_one, "%c\"key%d\":1", i ? ',' : '{', i);
    str_add(&long_one, "}");
    assert_null(json_quick_parse(quick, long_one.text, long_one.length)); // too many members to look for equal ones
    long_one.length = 0;
    for (int i = 0; i < 2 << 20; i++)
        str_add_bytes(&long_one, "[", 1);
    assert_null(json_quick_parse(quick, long_one.text, 1000));
    assert_null(json_quick_parse(quick, long_one.text, long_one.length));
    str_free(&long_one);
    json_quick_free(quick);
}

static uint64_t random_below(uint64_t *state, uint64_t bound) { // Knuth's linear congruential generator
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (*state >> 33) % bound;
}

// A line with bytes changed, left out or doubled: taken only if the strict parser takes it, and read alike.
static void the_quick_parser_takes_nothing_that_is_wrong(void **state) {
    (void)state;
    enum { MUTATIONS = 30000 };
    struct json_quick *quick = json_quick_new();
    uint64_t random = 7;
    size_t taken = 0;
    char text[2 * sizeof SAMPLE];
    for (int i = 0; i < MUTATIONS; i++) {
        size_t length = sizeof SAMPLE - 1;
        memcpy(text, SAMPLE, sizeof SAMPLE);
        for (uint64_t k = 1 + random_below(&random, 2); k > 0; k--) {
            size_t at = random_below(&random, length);
            size_t from = random_below(&random, length);
            size_t count = 1 + random_below(&random, 8);
            count = from + count > length ? length - from : count;
            count = at + count > length ? length - at : count;
            memmove(text + at, SAMPLE + from, count);
            if (random_below(&random, 4) == 0)
                text[at] = (char)random_below(&random, 256);
        }
        struct error err;
        cJSON *tree = json_parse(text, length, ORIGIN, &err);
        const cJSON *same = json_quick_parse(quick, text, length);
        if (same && (!tree || !json_same(same, tree)))
            fail_msg("not alike: %s", text);
        taken += same != NULL;
        cJSON_Delete(tree);
    }
    assert_true(taken > MUTATIONS / 100 && taken < MUTATIONS / 2);
    json_quick_free(quick);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_taken),
        cmocka_unit_test(malformed_texts_name_their_place),
        cmocka_unit_test(nul_bytes_are_refused),
        cmocka_unit_test(deep_nesting_is_an_error_not_a_crash),
        cmocka_unit_test(duplicates_are_found_in_large_objects),
        cmocka_unit_test(typed_reads),
        cmocka_unit_test(unknown_keys),
        cmocka_unit_test(what_is_shown_needs_no_error),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(files),
        cmocka_unit_test(the_quick_parser_makes_the_same_tree),
        cmocka_unit_test(the_quick_parser_declines),
        cmocka_unit_test(the_quick_parser_takes_nothing_that_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
