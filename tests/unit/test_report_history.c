// SPDX-License-Identifier: Apache-2.0
// One subject over time: a step is found where it is, noise is not, and what comes from journals is harmless in every
// format.
#include "core/json.h"
#include "report/change_point.h"
#include "report/escape.h"
#include "report/history.h"
#include "report/render.h"
#include "report/report.h"
#include "tests/sim/noise.h"
#include "tests/unit/report_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

// --- the search ------------------------------------------------------------------------------------------------------

enum { RUNS = 40, PERMUTATIONS = 499 };

static size_t find(const double *value, size_t count, struct dist_rng *rng, struct change *out) {
    return change_points_find(value, count, change_point_block(value, count, rng), 0.05, PERMUTATIONS, rng, out);
}

static void steps_are_found_at_their_place(void **state) {
    (void)state;
    double value[RUNS];
    struct change change[RUNS];
    struct dist_rng rng;
    dist_rng_seed(&rng, 1);
    for (size_t i = 0; i < RUNS; i++)
        value[i] = 0.3 * noise_gauss(&rng) + (i >= 25 ? log1p(0.03) : 0);
    assert_int_equal(find(value, RUNS, &rng, change), 1);
    assert_int_equal(change[0].at, 25);
    assert_true(change[0].p < 0.01);
    // A level that comes and goes: two changes.
    for (size_t i = 0; i < RUNS; i++)
        value[i] = 0.3 * noise_gauss(&rng) + (i >= 12 && i < 30 ? log1p(0.03) : 0);
    assert_int_equal(find(value, RUNS, &rng, change), 2);
    assert_int_equal(change[0].at, 12);
    assert_int_equal(change[1].at, 30);
}

// 5 % are promised. Of 300 series of independent runs with 5 % each, more than 31 show a change with a chance below
// 1e-4.
static void noise_shows_changes_as_rarely_as_promised(void **state) {
    (void)state;
    enum { SERIES = 300, MOST = 31 };
    double (*const shapes[])(struct dist_rng *) = {noise_gauss, noise_bursts, noise_bimodal};
    struct dist_rng rng;
    dist_rng_seed(&rng, 2);
    size_t found = 0;
    for (size_t s = 0; s < SERIES; s++) {
        double value[RUNS];
        struct change change[RUNS];
        for (size_t i = 0; i < RUNS; i++)
            value[i] = shapes[s % ARRAY_LEN(shapes)](&rng);
        found += find(value, RUNS, &rng, change) > 0;
    }
    assert_true(found <= MOST);
}

static void one_run_that_stands_out_is_no_change(void **state) {
    (void)state;
    double value[RUNS];
    struct change change[RUNS];
    struct dist_rng rng;
    dist_rng_seed(&rng, 3);
    for (size_t i = 0; i < RUNS; i++)
        value[i] = noise_gauss(&rng) + (i == 30 ? 2 : 0);
    assert_int_equal(find(value, RUNS, &rng, change), 0);
}

static void few_or_equal_runs_change_nothing(void **state) {
    (void)state;
    const double value[RUNS] = {0, 0, 0, 0, 0, 1};
    struct change change[RUNS];
    struct dist_rng rng;
    dist_rng_seed(&rng, 4);
    for (size_t n = 0; n < 6; n++)
        assert_int_equal(find(value, n, &rng, change), 0);
    assert_int_equal(find(value + 6, RUNS - 6, &rng, change), 0); // all equal
}

// --- journals --------------------------------------------------------------------------------------------------------

struct runs {
    struct fixture journal[RUNS];
    const char *path[RUNS];
    size_t count;
};

static const char CASE_LINE[] =
    "{\"t\":\"case\",\"case\":\"%s\",\"params\":{\"n\":%d},\"fom\":{\"name\":\"rate\",\"unit\":\"GB/s\",\"better\":"
    "\"higher\"},\"cpus\":2}\n";

static void write_case(struct fixture *f, const char *name, int n, double level, struct dist_rng *rng) {
    str_printf(&f->text, CASE_LINE, name, n);
    for (int seq = 0; seq < 7; seq++)
        str_printf(&f->text,
                   "{\"t\":\"sample\",\"case\":\"%s\",\"seq\":%d,\"mode\":\"timing\",\"wall_s\":1,\"fom\":%.9g,"
                   "\"valid\":true}\n",
                   name, seq, 10 / exp(level + 0.3 * noise_gauss(rng)));
}

static void begin_run(struct fixture *f, const char *label, const char *host, const char *started, const char *kernel) {
    *f = (struct fixture){.path = "/tmp/metalgap-history-test-XXXXXX"};
    str_printf(&f->text,
               "{\"t\":\"header\",\"schema\":\"metalgap.run/1\",\"started\":\"%s\",\"label\":\"%s\",\"role\":\"guest\","
               "\"host\":\"%s\",\"kernel\":{\"release\":\"%s\"}}\n",
               started, label, host, kernel);
}

// `count` nights; "step" becomes 3 % slower, with another kernel, in night `at`; "same" stays.
static void write_runs(struct runs *runs, size_t count, size_t at) {
    struct dist_rng rng;
    dist_rng_seed(&rng, 11);
    runs->count = count;
    for (size_t i = 0; i < count; i++) {
        char started[64];
        snprintf(started, sizeof started, "2026-01-%02zuT03:00:00Z", i + 1);
        struct fixture *f = &runs->journal[i];
        begin_run(f, "vm", "h", started, i < at ? "6.1" : "6.12");
        double drawn = 0.4 * noise_gauss(&rng);
        write_case(f, "step", 1, drawn + (i >= at ? log1p(0.03) : 0), &rng);
        write_case(f, "same", 1, 0.4 * noise_gauss(&rng), &rng);
        str_add(&f->text, "{\"t\":\"end\",\"status\":\"complete\",\"samples\":14,\"wall_s\":1}\n");
        fixture_end(f);
        runs->path[i] = f->path;
    }
}

static void remove_runs(struct runs *runs) {
    for (size_t i = 0; i < runs->count; i++)
        fixture_remove(&runs->journal[i]);
}

static char *report(const struct runs *runs, const char *format) {
    char *text = NULL;
    size_t size = 0;
    struct error err;
    FILE *out = open_memstream(&text, &size);
    struct report_options options = {
        .journals = runs->path, .journal_count = runs->count, .history = true, .limit_pct = 0.5, .format = format};
    assert_int_equal(report_make(&options, out, &err), 0);
    fclose(out);
    return text;
}

static cJSON *json_report(const struct runs *runs) {
    struct error err;
    char *text = report(runs, "json");
    cJSON *root = json_parse(text, strlen(text), (struct json_origin){"report", 1}, &err);
    assert_non_null(root);
    free(text);
    return root;
}

static const cJSON *at(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    assert_non_null(item);
    return item;
}

static const cJSON *nth(const cJSON *object, const char *key, int n) {
    const cJSON *item = cJSON_GetArrayItem(at(object, key), n);
    assert_non_null(item);
    return item;
}

// The journals are given in any order; time decides.
static void a_history_tells_when_by_how_much_and_what_else_changed(void **state) {
    (void)state;
    struct runs runs;
    write_runs(&runs, 30, 19);
    for (size_t i = 0; i < runs.count / 2; i++) {
        const char *path = runs.path[i];
        runs.path[i] = runs.path[runs.count - 1 - i];
        runs.path[runs.count - 1 - i] = path;
    }
    cJSON *root = json_report(&runs);
    const cJSON *history = at(root, "history");
    assert_int_equal(cJSON_GetArraySize(at(history, "runs")), 30);
    const cJSON *step = nth(history, "cases", 0);
    assert_string_equal(at(step, "case")->valuestring, "step");
    assert_int_equal(cJSON_GetArraySize(at(step, "points")), 30);
    assert_int_equal(cJSON_GetArraySize(at(step, "changes")), 1);
    const cJSON *change = nth(step, "changes", 0);
    assert_int_equal(at(change, "run")->valueint, 19);
    assert_string_equal(at(change, "started")->valuestring, "2026-01-20T03:00:00Z");
    assert_true(fabs(at(change, "pct")->valuedouble - 3) < 0.7);
    assert_true(nth(change, "ci", 0)->valuedouble > 1.5);
    assert_string_equal(at(nth(change, "differences", 0), "after")->valuestring, "6.12");
    assert_int_equal(cJSON_GetArraySize(at(nth(history, "cases", 1), "changes")), 0);
    // The report itself is about the newest run.
    assert_int_equal(cJSON_GetArraySize(at(root, "subjects")), 1);
    assert_string_equal(at(nth(root, "subjects", 0), "started")->valuestring, "2026-01-30T03:00:00Z");
    cJSON_Delete(root);

    char *text = report(&runs, "text");
    assert_non_null(strstr(text, "1 of 2"));
    assert_non_null(strstr(text, "kernel.release 6.1 -> 6.12"));
    free(text);
    char *page = report(&runs, "html");
    assert_non_null(strstr(page, "id=\"history\""));
    assert_non_null(strstr(page, "run 20: "));
    free(page);
    remove_runs(&runs);
}

// Among many cases that only spread, none changes: the promise is for all of them together.
static void many_cases_of_noise(void **state) {
    (void)state;
    enum { CASES = 20, NIGHTS = 20 };
    struct runs runs = {.count = NIGHTS};
    struct dist_rng rng;
    dist_rng_seed(&rng, 12);
    for (size_t i = 0; i < NIGHTS; i++) {
        char started[64];
        snprintf(started, sizeof started, "2026-01-%02zuT03:00:00Z", i + 1);
        begin_run(&runs.journal[i], "vm", "h", started, "6.1");
        for (int c = 0; c < CASES; c++) {
            char name[32];
            snprintf(name, sizeof name, "case%d", c);
            write_case(&runs.journal[i], name, 1, noise_bursts(&rng), &rng);
        }
        fixture_end(&runs.journal[i]);
        runs.path[i] = runs.journal[i].path;
    }
    cJSON *root = json_report(&runs);
    for (int c = 0; c < CASES; c++)
        assert_int_equal(cJSON_GetArraySize(at(nth(at(root, "history"), "cases", c), "changes")), 0);
    cJSON_Delete(root);
    remove_runs(&runs);
}

static void what_cannot_be_compared_is_told(void **state) {
    (void)state;
    struct runs runs = {.count = 3};
    struct dist_rng rng;
    dist_rng_seed(&rng, 13);
    for (size_t i = 0; i < runs.count; i++) {
        begin_run(&runs.journal[i], "vm", i ? "h" : "other", i ? "2026-01-01T00:00:00Z" : "", "6.1");
        write_case(&runs.journal[i], "c", i == 1 ? 5 : 1, 0, &rng);
        fixture_end(&runs.journal[i]);
        runs.path[i] = runs.journal[i].path;
    }
    cJSON *root = json_report(&runs);
    const cJSON *history = at(root, "history");
    assert_non_null(strstr(at(history, "sentence")->valuestring, "too few"));
    assert_non_null(strstr(at(history, "warning")->valuestring, "several machines"));
    assert_non_null(strstr(at(history, "warning")->valuestring, "order in which they were given"));
    assert_non_null(strstr(at(history, "warning")->valuestring, "other parameters"));
    assert_int_equal(cJSON_GetArraySize(at(nth(history, "cases", 0), "points")), 2);
    cJSON_Delete(root);
    remove_runs(&runs);
}

static void hostile_strings_are_harmless(void **state) {
    (void)state;
    static const char EVIL[] = "</script><img src=x onerror=y>\\\" onload=z \\u001b[31m \\u202e | `x` ]]> \\n=1";
    static const char OVERRIDE[] = {(char)0xe2, (char)0x80, (char)0xae, '\0'}; // U+202E
    struct runs runs = {.count = 12};
    struct dist_rng rng;
    dist_rng_seed(&rng, 14);
    struct str evil = {0};
    str_add(&evil, EVIL);
    for (int i = 0; i < 10000; i++)
        str_add(&evil, "w");
    for (size_t i = 0; i < runs.count; i++) {
        begin_run(&runs.journal[i], evil.text, evil.text, evil.text, i < 6 ? EVIL : evil.text);
        write_case(&runs.journal[i], evil.text, 1, (i < 6 ? 0 : 1) + noise_gauss(&rng), &rng);
        fixture_end(&runs.journal[i]);
        runs.path[i] = runs.journal[i].path;
    }
    const struct renderer *renderer;
    for (size_t i = 0; (renderer = renderer_by_index(i)) != NULL; i++) {
        char *text = report(&runs, renderer->name);
        bool json = strcmp(renderer->name, "json") == 0;
        assert_null(strchr(text, '\033'));
        assert_true(json || !strstr(text, OVERRIDE));
        if (strcmp(renderer->name, "html") == 0 || strcmp(renderer->name, "md") == 0)
            assert_null(strstr(text, "<img src"));
        assert_true(!json || strstr(text, "\"changes\":\t[{"));
        free(text);
    }
    str_free(&evil);
    remove_runs(&runs);
}

static void assert_metric(const char *text, const char *name, const char *of, double low, double high) {
    char line[200];
    snprintf(line, sizeof line, "\n%s{case=\"%s\",subject=\"vm\"} ", name, of);
    const char *found = strstr(text, line);
    assert_non_null(found);
    double value = strtod(found + strlen(line), NULL);
    assert_true(value >= low && value <= high);
}

static void a_history_can_be_watched(void **state) {
    (void)state;
    struct runs runs;
    write_runs(&runs, 30, 19);
    char *text = report(&runs, "openmetrics");
    assert_metric(text, "metalgap_history_runs", "step", 30, 30);
    assert_metric(text, "metalgap_history_changes", "step", 1, 1);
    assert_metric(text, "metalgap_history_changes", "same", 0, 0);
    assert_metric(text, "metalgap_history_change_ratio", "step", 0.023, 0.037);
    assert_metric(text, "metalgap_history_change_timestamp_seconds", "step", 1768878000, 1768878000); // the 20th, 3:00
    assert_null(strstr(text, "metalgap_history_change_ratio{case=\"same\""));
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    free(text);
    remove_runs(&runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_found_at_their_place),
        cmocka_unit_test(noise_shows_changes_as_rarely_as_promised),
        cmocka_unit_test(one_run_that_stands_out_is_no_change),
        cmocka_unit_test(few_or_equal_runs_change_nothing),
        cmocka_unit_test(a_history_tells_when_by_how_much_and_what_else_changed),
        cmocka_unit_test(a_history_can_be_watched),
        cmocka_unit_test(many_cases_of_noise),
        cmocka_unit_test(what_cannot_be_compared_is_told),
        cmocka_unit_test(hostile_strings_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
