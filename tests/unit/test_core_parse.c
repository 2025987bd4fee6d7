// SPDX-License-Identifier: Apache-2.0
// Values that a user types: what is taken, what is refused, and that the refusal names the option.
#include "core/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

struct number_case {
    const char *text;
    double value; // negative: refused
};

typedef int (*parse_double)(const char *option, const char *text, double *out, struct error *err);

static void check_doubles(parse_double parse, const struct number_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct error err = {0};
        double value = -1;
        int got = parse("--opt", cases[i].text, &value, &err);
        if (got != (cases[i].value < 0 ? -1 : 0) || (got == 0 && value != cases[i].value))
            fail_msg("\"%s\" gave %d, %g", cases[i].text, got, value);
        if (got < 0) {
            assert_int_equal(err.code, EXIT_CODE_USAGE);
            assert_non_null(strstr(err.what, "--opt"));
        }
    }
}

static void durations(void **state) {
    (void)state;
    static const struct number_case cases[] = {
        {"90", 90},  {"90s", 90},  {"1.5m", 90},  {"2h", 7200},   {"0", 0},      {".5", 0.5}, {"1e2s", 100},
        {"", -1},    {"s", -1},    {"-1", -1},    {"1d", -1},     {"1 s", -1},   {" 1", -1},  {"inf", -1},
        {"nan", -1}, {"0x10", -1}, {"0X1p3", -1}, {"1e308h", -1}, {"1e999", -1}, {"1ss", -1}, {"+1", -1},
    };
    check_doubles(parse_duration_s, cases, sizeof cases / sizeof cases[0]);
}

static void percentages(void **state) {
    (void)state;
    static const struct number_case cases[] = {
        {"0.5", 0.5}, {"0.5%", 0.5}, {"100%", 100}, {"0", 0}, {"-1", -1}, {"%", -1}, {"1%%", -1}, {"1 %", -1}, {"", -1},
    };
    check_doubles(parse_percent, cases, sizeof cases / sizeof cases[0]);
}

static void counts(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int result;
        uint64_t value;
    } cases[] = {
        {"2", 0, 2},
        {"10", 0, 10},
        {"007", 0, 7},
        {"1", -1, 0},
        {"11", -1, 0},
        {"", -1, 0},
        {"-3", -1, 0},
        {"+3", -1, 0},
        {"3.0", -1, 0},
        {"0x3", -1, 0},
        {"3 ", -1, 0},
        {" 3", -1, 0},
        {"99999999999999999999999", -1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        uint64_t value = 0;
        if (parse_count("--reps", cases[i].text, 2, 10, &value, &err) != cases[i].result || value != cases[i].value)
            fail_msg("\"%s\" gave %llu", cases[i].text, (unsigned long long)value);
    }
    uint64_t value = 0;
    struct error err;
    assert_int_equal(parse_count("--n", "18446744073709551615", 0, UINT64_MAX, &value, &err), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(parse_count("--n", "x", 2, 10, &value, &err), -1);
    assert_non_null(strstr(err.why, "from 2 to 10"));
}

static void sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int result;
        uint64_t value;
    } cases[] = {
        {"4096", 0, 4096},     {"64K", 0, 65536}, {"64k", 0, 65536}, {"2M", 0, 2097152}, {"1G", 0, 1073741824},
        {"1T", 0, 1ULL << 40}, {"1.5K", 0, 1536}, {"0", 0, 0},       {"1.5", -1, 0},     {"1KB", -1, 0},
        {"1P", -1, 0},         {"K", -1, 0},      {"-1", -1, 0},     {"1e30", -1, 0},    {"8388608T", -1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = {0};
        uint64_t value = 0;
        if (parse_size("--bytes", cases[i].text, &value, &err) != cases[i].result || value != cases[i].value)
            fail_msg("\"%s\" gave %llu", cases[i].text, (unsigned long long)value);
    }
}

static void cpu_lists(void **state) {
    (void)state;
    struct error err = {0};
    cpu_set_t cpus;
    assert_int_equal(parse_cpus("--cpus", "0-2,5,7-7", &cpus, &err), 0);
    assert_int_equal(CPU_COUNT(&cpus), 5);
    assert_true(CPU_ISSET(0, &cpus) && CPU_ISSET(2, &cpus) && CPU_ISSET(5, &cpus) && CPU_ISSET(7, &cpus));
    char *text = parse_cpus_text(&cpus);
    assert_string_equal(text, "0-2,5,7");
    free(text);
    assert_int_equal(parse_cpus("--cpus", "1023", &cpus, &err), 0);
    text = parse_cpus_text(&cpus);
    assert_string_equal(text, "1023");
    free(text);
    static const char *const bad[] = {"",  ",",     "1,",   "1,,2",   "-1",  "2-1", "1-",
                                      "a", "1-2-3", "1024", "0-1024", "1 2", "0x1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse_cpus("--cpus", bad[i], &cpus, &err) == 0)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(err.code, EXIT_CODE_USAGE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations), cmocka_unit_test(percentages), cmocka_unit_test(counts),
        cmocka_unit_test(sizes),     cmocka_unit_test(cpu_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
