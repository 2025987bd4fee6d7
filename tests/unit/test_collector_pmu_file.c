// SPDX-License-Identifier: Apache-2.0
// Formulas, PMU metric files and the choice among them: the ones that come with the program, and broken ones.
#include "collectors/pmu_events.h"
#include "collectors/pmu_file.h"
#include "core/arch.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- formulas -----------------------------------------------------------------------------------------------------

static const char *const names[] = {"a", "b", "nothing", "longer_name"};
static const double values[] = {6, 4, NAN, 0.5};

static void formulas_calculate(void **state) {
    (void)state;
    const struct {
        const char *text;
        double value;
    } cases[] = {
        {"1", 1},
        {"a", 6},
        {" a + b ", 10},
        {"a - b - 1", 1},
        {"a / b / 2", 0.75},
        {"a + b * 2", 14},
        {"(a + b) * 2", 20},
        {"-a + b", -2},
        {"a - -b", 10},
        {"a * -b", -24},
        {"-(a - b) * 2", -4},
        {"((((a))))", 6},
        {"2e3 / .5 + longer_name", 4000.5},
        {"a - b * 2 + 3 / (b - 1)", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct formula f;
        struct error err;
        assert_int_equal(formula_compile(cases[i].text, names, ARRAY_LEN(names), &f, &err), 0);
        assert_true(fabs(formula_value(&f, values) - cases[i].value) < 1e-12);
    }
}

static void what_is_unknown_stays_unknown(void **state) {
    (void)state;
    static const char *const texts[] = {"nothing", "a + nothing * 0", "a / (b - 4)", "(a - 6) / (b - 4)"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct formula f;
        assert_int_equal(formula_compile(texts[i], names, ARRAY_LEN(names), &f, NULL), 0);
        assert_true(isnan(formula_value(&f, values)));
    }
}

static void bad_formulas_name_the_character(void **state) {
    (void)state;
    const struct {
        const char *text;
        int at;
    } cases[] = {
        {"", 1},           {"a +", 4},   {"a b", 3},   {"a + c", 5},   {"a ++ b", 4}, {"(a", 3},
        {"a)", 2},         {"a ^ b", 3}, {"f(a)", 1},  {"*a", 1},      {"a, b", 2},   {"()", 2},
        {"a + longer", 5}, {"a.b", 2},   {"1e999", 1}, {"a; exit", 2}, {"\"", 1},     {"longer_namex", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct formula f;
        struct error err;
        char place[32];
        snprintf(place, sizeof place, "character %d:", cases[i].at);
        assert_int_equal(formula_compile(cases[i].text, names, ARRAY_LEN(names), &f, &err), -1);
        assert_int_equal(err.code, EXIT_CODE_INPUT);
        if (!strstr(err.why, place))
            fail_msg("\"%s\": %s", cases[i].text, err.why);
    }
}

static void hostile_formulas_are_refused(void **state) {
    (void)state;
    static const char *const pieces[] = {"(", "-", "a+", "(a+", "1*(2-"};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct formula f;
        char text[2000] = "";
        for (int n = 0; n < 300; n++)
            strncat(text, pieces[i], sizeof text - strlen(text) - 1);
        assert_int_equal(formula_compile(text, names, ARRAY_LEN(names), &f, NULL), -1);
    }
}

// --- files --------------------------------------------------------------------------------------------------------

#define HEAD "{\"schema\":\"metalgap.pmu/1\",\"title\":\"t\",\"source\":\"s\",\"pmu\":\"perf\",\"cpus\":[\"*\"],\n"

static void bad_files_name_the_place(void **state) {
    (void)state;
    const struct {
        const char *text;
        const char *where;
        const char *why;
    } cases[] = {
        {"[]", ":1:1", "an object"},
        {HEAD "\"groups\":[]}", ":2:10", "no events"},
        {HEAD "\"groups\":[7]}", ":2:11", "an object"},
        {HEAD "\"groups\":[{\"a\":7}]}", ":2:16", "libpfm4's name"},
        {HEAD "\"groups\":[{\"A\":\"x\"}]}", ":2:16", "lower-case"},
        {HEAD "\"groups\":[{\"busy_s\":\"x\"}]}", ":2:21", "taken"},
        {HEAD "\"groups\":[{\"a\":\"x\"},{\"a\":\"y\"}]}", ":2:26", "two events"},
        {HEAD "\"groups\":[{\"a\":\"x\"}]}", "", "metrics"},
        {HEAD "\"groups\":[{\"a\":\"x\"}],\n\"metrics\":[{\"metric\":\"m\",\"unit\":\"1\",\"text\":\"t\",\n\"formula\":"
              "\"a /\"}]}",
         ":4:11", "character 4"},
        {HEAD "\"groups\":[{\"a\":\"x\"}],\n\"metrics\":[{\"metric\":\"m\",\"unit\":\"1\",\"text\":\"t\",\n\"formula\":"
              "\"a\","
              "\"cause\":\"exit.none\"}]}",
         ":4:23", "exit.none"},
        {HEAD "\"groups\":[{\"a\":\"x\"}],\n\"metrics\":[{\"metric\":\"m\",\"unit\":\"1\",\"text\":\"t\",\n\"formula\":"
              "\"a\","
              "\"as\":\"seconds\"}]}",
         ":3:12", "needs a cause"},
        {HEAD "\"groups\":[{\"a\":\"x\"}],\n\"metrics\":[{\"metric\":\"m\",\"unit\":\"1\",\"text\":\"t\","
              "\n\"formulas\":\"a\"}]}",
         ":4:12", "formulas"},
        {"{\"schema\":\"metalgap.pmu/2\",\"title\":\"t\",\"source\":\"s\",\"pmu\":\"perf\",\"cpus\":[\"*\"]}", ":1:11",
         "metalgap.pmu/2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pmu_file file;
        struct error err = {0};
        assert_int_equal(pmu_file_parse("x/bad.json", cases[i].text, strlen(cases[i].text), &file, &err), -1);
        assert_int_equal(err.code, EXIT_CODE_INPUT);
        if (!strstr(err.where, cases[i].where) || !(strstr(err.why, cases[i].why) || strstr(err.what, cases[i].why)))
            fail_msg("case %zu: %s: %s: %s", i, err.where, err.what, err.why);
        pmu_file_free(&file);
    }
}

// Every event of this architecture is known to libpfm4, every formula gives a number, and the metrics that become
// observations are those of the table.
static void check_file(const char *name, struct pmu_file *file, const char *why, void *to) {
    if (!file)
        fail_msg("%s: %s", name, why);
    const bool arm = strncmp(file->pmu, "arm_", 4) == 0;
    const bool known = arm == (strcmp(arch_name, "aarch64") == 0) || strcmp(file->pmu, "perf") == 0;
    for (size_t i = 0; known && i < file->event_count; i++) {
        if (!pmu_can_encode(file->events[i].full))
            fail_msg("%s: libpfm4 does not know %s", name, file->events[i].full);
    }
    double *numbers = mem_alloc((file->event_count + PMU_VALUE_COUNT) * sizeof *numbers);
    for (size_t i = 0; i < file->event_count + PMU_VALUE_COUNT; i++)
        numbers[i] = 1e6 + (double)i;
    for (size_t i = 0; i < file->metric_count; i++) {
        if (!isfinite(formula_value(&file->metrics[i].formula, numbers)))
            fail_msg("%s: %s is no number", name, file->metrics[i].name);
    }
    free(numbers);
    (*(size_t *)to)++;
}

static const char folder[] = "collectors/pmu_metrics"; // tests run in the root of the source tree

static void our_files_are_right(void **state) {
    (void)state;
    size_t count = 0;
    assert_int_equal(pmu_files_each(folder, check_file, &count, NULL), 0);
    assert_true(count >= 11);
    assert_int_equal(pmu_files_each("/nonexistent", check_file, &count, NULL), -1);
}

static void the_file_is_chosen_by_cpu(void **state) {
    (void)state;
    static const struct {
        const char *cpu, *file;
    } cases[] = {
        {"GenuineIntel-6-55", "skylake-sp"},
        {"GenuineIntel-6-6A", "icelake-sp"},
        {"GenuineIntel-6-8F", "sapphire-rapids"},
        {"GenuineIntel-6-CF", "sapphire-rapids"},
        {"AuthenticAMD-23-31", "zen2"},
        {"AuthenticAMD-23-1", "generic"},
        {"AuthenticAMD-25-1", "zen3"},
        {"AuthenticAMD-25-11", "zen4"},
        {"AuthenticAMD-25-A0", "zen4"},
        {"AuthenticAMD-26-2", "generic"},
        {"41-D0C", "neoverse-n1"},
        {"41-D40", "neoverse-v1"},
        {"41-D49", "neoverse-n2"},
        {"41-D4F", "neoverse-v2"},
        {"41-D08", "generic"},
        {"", "generic"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pmu_file file;
        assert_int_equal(pmu_file_find(folder, cases[i].cpu, &file, NULL), 0);
        if (strcmp(file.name, cases[i].file) != 0)
            fail_msg("%s: %s instead of %s", cases[i].cpu, file.name, cases[i].file);
        pmu_file_free(&file);
    }
}

// Skylake's data: 10^9 cycles, of which 1, 2, 3 and 4 % have a walk under way, at half the clock's rate.
static void a_metric_is_what_its_name_says(void **state) {
    (void)state;
    const struct {
        const char *name;
        double value;
    } expected[] = {{"ipc", 1.5},        {"frequency_ghz", 4}, {"not_running_s", 0.25},
                    {"walk_share", 0.1}, {"walk_s", 0.025},    {"llc_misses_per_1000", 2}};
    const double counts[] = {1e9, 1.5e9, 0.5e9, 1e7, 2e7, 3e7, 4e7, 3e6, 0.5, 2e9};
    struct pmu_file file;
    assert_int_equal(pmu_file_find(folder, "GenuineIntel-6-55", &file, NULL), 0);
    assert_int_equal(file.event_count + PMU_VALUE_COUNT, ARRAY_LEN(counts));
    assert_int_equal(file.metric_count, ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_string_equal(file.metrics[i].name, expected[i].name);
        assert_true(fabs(formula_value(&file.metrics[i].formula, counts) - expected[i].value) < 1e-9);
        bool observed = strcmp(expected[i].name, "walk_s") == 0;
        assert_int_equal(file.metrics[i].use, observed ? PMU_METRIC_SECONDS : PMU_METRIC_DESCRIPTION);
    }
    pmu_file_free(&file);
}

static void this_cpu_has_an_id(void **state) {
    (void)state;
    char id[64];
    pmu_cpu_id(id, sizeof id);
    if (strcmp(arch_name, "x86_64") == 0)
        assert_non_null(strchr(id, '-'));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formulas_calculate),
        cmocka_unit_test(what_is_unknown_stays_unknown),
        cmocka_unit_test(bad_formulas_name_the_character),
        cmocka_unit_test(hostile_formulas_are_refused),
        cmocka_unit_test(bad_files_name_the_place),
        cmocka_unit_test(our_files_are_right),
        cmocka_unit_test(the_file_is_chosen_by_cpu),
        cmocka_unit_test(a_metric_is_what_its_name_says),
        cmocka_unit_test(this_cpu_has_an_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
