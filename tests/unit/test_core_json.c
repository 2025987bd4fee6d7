// SPDX-License-Identifier: Apache-2.0
// JSON: what is refused and where, typed reads, numbers and strings that survive writing.
#include "core/json.h"
#include "core/str.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_texts_are_taken),
        cmocka_unit_test(malformed_texts_name_their_place),
        cmocka_unit_test(nul_bytes_are_refused),
        cmocka_unit_test(deep_nesting_is_an_error_not_a_crash),
        cmocka_unit_test(duplicates_are_found_in_large_objects),
        cmocka_unit_test(typed_reads),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
