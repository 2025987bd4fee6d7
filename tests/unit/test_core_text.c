// SPDX-License-Identifier: Apache-2.0
// Errors, growable strings and allocation: what they print, and that nothing overflows.
#include "core/error.h"
#include "core/memory.h"
#include "core/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void an_error_says_what_where_why_and_remedy(void **state) {
    (void)state;
    struct error err;
    assert_int_equal(error_set(&err, EXIT_CODE_INPUT, "reading %s", "a.json"), -1);
    assert_int_equal(error_why(&err, "it is %d bytes", 3), -1);
    assert_int_equal(error_remedy(&err, "write it again"), -1);
    assert_int_equal(error_at(&err, "a.json", 2, 7), -1);
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    char line[200];
    error_line(&err, line, sizeof line);
    assert_string_equal(line, "a.json:2:7: reading a.json: it is 3 bytes; write it again");
    error_at(&err, "a.json", 2, 0);
    assert_string_equal(err.where, "a.json:2");
    error_at(&err, "a.json", 0, 0);
    assert_string_equal(err.where, "a.json");
    // a new error forgets the old one
    error_set(&err, EXIT_CODE_USAGE, "again");
    error_line(&err, line, sizeof line);
    assert_string_equal(line, "again");
}

static void nobody_has_to_listen(void **state) {
    (void)state;
    assert_int_equal(error_set(NULL, EXIT_CODE_INPUT, "x"), -1);
    assert_int_equal(error_why(NULL, "x"), -1);
    assert_int_equal(error_remedy(NULL, "x"), -1);
    assert_int_equal(error_at(NULL, "x", 1, 1), -1);
}

static void long_texts_are_cut(void **state) {
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct error err;
    error_set(&err, EXIT_CODE_INPUT, "%s", text);
    error_why(&err, "%s", text);
    error_remedy(&err, "%s", text);
    error_at(&err, text, 1, 1);
    assert_int_equal(strlen(err.what), sizeof err.what - 1);
    assert_int_equal(strlen(err.where), sizeof err.where - 1);
    char line[10];
    error_line(&err, line, sizeof line);
    assert_int_equal(strlen(line), 9);
}

// What error_print() writes to standard error.
static void printed(const struct error *err, char *out, size_t size) {
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_true(file && saved >= 0);
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    error_print(err);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void printing_lets_no_escape_sequence_through(void **state) {
    (void)state;
    struct error err;
    error_set(&err, EXIT_CODE_INPUT, "reading the key \"%s\"", "\x1b]0;owned\x07");
    error_why(&err, "\xc3\xa9 is fine");
    error_remedy(&err, "look\nagain");
    char text[500];
    printed(&err, text, sizeof text);
    assert_string_equal(text, "metalgap: reading the key \"?]0;owned?\": \xc3\xa9 is fine\n  try: look?again\n");
}

static void strings_grow(void **state) {
    (void)state;
    struct str s = {0};
    assert_string_equal(str_text(&s), "");
    for (int i = 0; i < 10000; i++)
        str_printf(&s, "%d,", i % 10);
    assert_int_equal(s.length, 20000);
    str_add(&s, "end");
    assert_string_equal(str_text(&s) + 19996, "8,9,end");
    str_add_bytes(&s, "a\0b", 3);
    assert_int_equal(s.length, 20006);
    str_printf(&s, "%s", "");
    assert_int_equal(s.length, 20006);
    str_free(&s);
    assert_string_equal(str_text(&s), "");
}

static void arrays_grow_and_memory_is_zeroed(void **state) {
    (void)state;
    int *items = NULL;
    size_t count = 0;
    size_t capacity = 0;
    for (int i = 0; i < 1000; i++)
        ARRAY_PUSH(items, count, capacity, i);
    assert_int_equal(count, 1000);
    assert_true(capacity >= count);
    assert_int_equal(items[999], 999);
    free(items);
    char *zero = mem_alloc(64);
    for (int i = 0; i < 64; i++)
        assert_int_equal(zero[i], 0);
    free(zero);
    assert_null(mem_strdup(NULL));
    char *text = mem_printf("%s-%d", "a", 7);
    assert_string_equal(text, "a-7");
    free(text);
}

static void out_of_memory_is_exit_code_5(void **state) {
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        fclose(stderr);
        volatile size_t too_much = (size_t)1 << 62;
        free(mem_resize(NULL, too_much));
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
#ifndef __SANITIZE_ADDRESS__ // its allocator stops the program itself
    assert_int_equal(WEXITSTATUS(status), EXIT_CODE_INTERNAL);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_says_what_where_why_and_remedy),
        cmocka_unit_test(nobody_has_to_listen),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(printing_lets_no_escape_sequence_through),
        cmocka_unit_test(strings_grow),
        cmocka_unit_test(arrays_grow_and_memory_is_zeroed),
        cmocka_unit_test(out_of_memory_is_exit_code_5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
