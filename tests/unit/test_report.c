// SPDX-License-Identifier: Apache-2.0
// From journals to each format: what a report says, and that hostile journals give a harmless page or an error with a
// place.
#include "core/json.h"
#include "report/escape.h"
#include "report/render.h"
#include "report/report.h"
#include "tests/sim/noise.h"
#include "tests/unit/report_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

// --- journals --------------------------------------------------------------------------------------------------------

// One case per name; costs are 10 us with bursty noise, shifted.
static void add_samples(struct fixture *f, const char *name, size_t count, double shift, double scale, uint64_t seed) {
    struct dist_rng rng;
    dist_rng_seed(&rng, seed);
    str_printf(&f->text,
               "{\"t\":\"case\",\"case\":\"%s\",\"fom\":{\"name\":\"latency\",\"unit\":\"us\",\"better\":\"lower\"},"
               "\"cpus\":2}\n",
               name);
    for (size_t i = 0; i < count; i++)
        str_printf(&f->text,
                   "{\"t\":\"sample\",\"case\":\"%s\",\"seq\":%zu,\"mode\":\"timing\",\"wall_s\":1,\"fom\":%.9g,"
                   "\"valid\":true,\"steps_s\":[0.1,0.11,0.12],\"obs\":[{\"cause\":\"exit.timer\",\"count\":1000,"
                   "\"seconds\":0.002,\"se\":0.0001,\"basis\":\"calibrated\",\"hist_ns\":[[10,900],[12,100]]},"
                   "{\"cause\":\"exit.eoi\",\"count\":10,\"seconds\":0,\"basis\":\"counted\"}]}\n",
                   name, i, 10 * exp(scale * noise_bursts(&rng) + shift));
}

static void end_journal(struct fixture *f) {
    str_add(&f->text, "{\"t\":\"end\",\"status\":\"complete\",\"samples\":1,\"wall_s\":1}\n");
    fixture_end(f);
}

static char *report(const char *subject, const char *baseline, const char *format, struct error *err) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    const char *journals[] = {subject};
    const char *baselines[] = {baseline};
    struct report_options options = {.journals = journals,
                                     .journal_count = 1,
                                     .baselines = baselines,
                                     .baseline_count = baseline != NULL,
                                     .limit_pct = 0.5,
                                     .format = format,
                                     .command = "metalgap report </script><b>"};
    int result = report_make(&options, out, err);
    fclose(out);
    if (result == 0)
        return text;
    free(text);
    return NULL;
}

struct pair {
    struct fixture guest;
    struct fixture metal;
};

static void make_pair(struct pair *p, size_t count, double shift, double scale) {
    fixture_begin(&p->guest, "instance", "guest", "g");
    fixture_begin(&p->metal, "iron", "metal", "m");
    add_samples(&p->guest, "c", count, shift, scale, 1);
    add_samples(&p->metal, "c", count, 0, scale, 2);
    end_journal(&p->guest);
    end_journal(&p->metal);
}

static void remove_pair(struct pair *p) {
    fixture_remove(&p->guest);
    fixture_remove(&p->metal);
}

static cJSON *json_report(const struct pair *p, bool baseline) {
    struct error err;
    char *text = report(p->guest.path, baseline ? p->metal.path : NULL, "json", &err);
    assert_non_null(text);
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

// --- what it says ----------------------------------------------------------------------------------------------------

static void a_real_effect_is_slower(void **state) {
    (void)state;
    struct pair p;
    make_pair(&p, 60, log1p(0.02), 1);
    cJSON *root = json_report(&p, true);
    assert_string_equal(at(root, "schema")->valuestring, "metalgap.report/1");
    const cJSON *c = cJSON_GetArrayItem(at(root, "cases"), 0);
    const cJSON *overhead = at(c, "overhead");
    assert_string_equal(at(overhead, "verdict")->valuestring, "slower");
    assert_true(fabs(at(overhead, "pct")->valuedouble - 2) < 0.7);
    assert_true(cJSON_GetArrayItem(at(overhead, "ci"), 0)->valuedouble > 0);
    assert_string_equal(at(at(c, "baseline"), "label")->valuestring, "iron");
    assert_int_equal(at(at(c, "subject"), "n")->valueint, 60);
    // The balance that the contract promises.
    double sum = 0;
    const cJSON *line;
    cJSON_ArrayForEach(line, at(c, "ledger")) {
        assert_true(cJSON_IsNumber(at(line, "pct")));
        sum += at(line, "pct")->valuedouble;
    }
    double mean = at(overhead, "mean_pct")->valuedouble;
    assert_true(fabs(sum + at(at(c, "unexplained"), "pct")->valuedouble - mean) < 1e-9);
    assert_true(fabs(at(at(c, "tail"), "pct")->valuedouble - (mean - at(overhead, "pct")->valuedouble)) < 1e-9);
    assert_true(strstr(at(root, "scope")->valuestring, "these two machines") != NULL);
    cJSON_Delete(root);
    remove_pair(&p);
}

static void the_same_thing_twice_is_not_slower(void **state) {
    (void)state;
    struct pair p;
    make_pair(&p, 100, 0, 0.2);
    cJSON *root = json_report(&p, true);
    const cJSON *overhead = at(cJSON_GetArrayItem(at(root, "cases"), 0), "overhead");
    assert_string_equal(at(overhead, "verdict")->valuestring, "not-slower");
    cJSON_Delete(root);
    remove_pair(&p);
}

static void much_noise_cannot_tell_and_says_how_many_more(void **state) {
    (void)state;
    struct pair p;
    make_pair(&p, 12, log1p(0.002), 2);
    cJSON *root = json_report(&p, true);
    const cJSON *c = cJSON_GetArrayItem(at(root, "cases"), 0);
    assert_string_equal(at(at(c, "overhead"), "verdict")->valuestring, "cannot-tell");
    assert_true(strstr(at(c, "sentence")->valuestring, "cannot be told") != NULL);
    cJSON_Delete(root);
    remove_pair(&p);
}

static void one_journal_gives_a_direct_cost_estimate(void **state) {
    (void)state;
    struct pair p;
    make_pair(&p, 20, 0, 1);
    cJSON *root = json_report(&p, false);
    const cJSON *c = cJSON_GetArrayItem(at(root, "cases"), 0);
    assert_true(cJSON_IsNull(at(c, "overhead")));
    assert_true(cJSON_IsNull(at(c, "baseline")));
    assert_true(cJSON_IsNull(at(c, "unexplained")));
    assert_true(fabs(at(at(c, "direct_cost"), "pct")->valuedouble - 0.1) < 1e-9); // 0.002 of 2 CPU-seconds
    assert_true(strstr(at(root, "scope")->valuestring, "no baseline") != NULL);
    cJSON_Delete(root);
    remove_pair(&p);
}

static void text_fits_80_columns(void **state) {
    (void)state;
    struct pair p;
    struct error err;
    make_pair(&p, 30, 0.01, 1);
    for (int baseline = 0; baseline < 2; baseline++) {
        char *text = report(p.guest.path, baseline ? p.metal.path : NULL, "text", &err);
        assert_non_null(text);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
            size_t columns = 0;
            for (const char *c = line; *c; c++)
                columns += ((unsigned char)*c & 0xc0) != 0x80;
            if (columns > 80)
                print_message("too wide: %s\n", line);
            assert_true(columns <= 80);
        }
        free(text);
    }
    remove_pair(&p);
}

static void every_format_renders(void **state) {
    (void)state;
    struct pair p;
    struct error err;
    make_pair(&p, 30, 0.01, 1);
    const struct renderer *renderer;
    for (size_t i = 0; (renderer = renderer_by_index(i)) != NULL; i++) {
        char *with = report(p.guest.path, p.metal.path, renderer->name, &err);
        char *without = report(p.guest.path, NULL, renderer->name, &err);
        assert_non_null(with);
        assert_non_null(without);
        assert_true(strlen(with) > 100 && strlen(without) > 100);
        // The same journals give the same report, to the last byte.
        char *again = report(p.guest.path, p.metal.path, renderer->name, &err);
        assert_string_equal(with, again);
        free(with);
        free(without);
        free(again);
    }
    remove_pair(&p);
}

static void csv_has_every_sample_and_openmetrics_its_end(void **state) {
    (void)state;
    struct pair p;
    struct error err;
    make_pair(&p, 7, 0.01, 1);
    char *csv = report(p.guest.path, p.metal.path, "csv", &err);
    size_t samples = 0;
    for (const char *s = csv; (s = strstr(s, ",sample,")) != NULL; s++)
        samples++;
    assert_int_equal(samples, 14);
    free(csv);
    char *metrics = report(p.guest.path, p.metal.path, "openmetrics", &err);
    assert_string_equal(metrics + strlen(metrics) - 6, "# EOF\n");
    assert_non_null(strstr(metrics,
                           "metalgap_cause_ratio{case=\"c\",subject=\"instance\",baseline=\"iron\","
                           "cause=\"exit.timer\",scope=\"cpu\"}"));
    free(metrics);
    remove_pair(&p);
}

static void the_page_needs_nothing_from_outside(void **state) {
    (void)state;
    struct pair p;
    struct error err;
    make_pair(&p, 30, 0.02, 1);
    char *page = report(p.guest.path, p.metal.path, "html", &err);
    assert_non_null(page);
    assert_null(strstr(page, "http://"));
    assert_null(strstr(page, "https://"));
    assert_null(strstr(page, "<script>"));
    assert_null(strstr(page, "src="));
    assert_non_null(strstr(page, "prefers-color-scheme:dark"));
    assert_non_null(strstr(page, "@media print"));
    assert_non_null(strstr(page, "unexplained"));
    assert_non_null(strstr(page, "role=\"img\""));
    // The embedded data are JSON that holds all samples.
    const char *start = strstr(page, "id=\"report\">\n");
    assert_non_null(start);
    start += strlen("id=\"report\">\n");
    const char *end = strstr(start, "</script>");
    cJSON *root = json_parse(start, (size_t)(end - start), (struct json_origin){"page", 1}, &err);
    assert_non_null(root);
    const cJSON *samples = at(cJSON_GetArrayItem(at(root, "cases"), 0), "samples");
    assert_int_equal(cJSON_GetArraySize(at(samples, "subject")), 30);
    cJSON_Delete(root);
    free(page);
    remove_pair(&p);
}

// --- where the job ran
// ------------------------------------------------------------------------------------------------

static void the_page_draws_which_cpus_the_job_was_bound_to(void **state) {
    (void)state;
    struct error err;
    struct fixture f = {.path = "/tmp/metalgap-report-test-XXXXXX"};
    str_add(&f.text,
            "{\"t\":\"header\",\"schema\":\"metalgap.run/1\",\"label\":\"four\",\"topology\":{\"cpus\":4,\"cores\":2,"
            "\"packages\":1,\"cpu_numbers\":[0,2,1,3]},\"platform\":{\"kind\":\"vm\",\"paths\":[{\"resource\":\"cpu\","
            "\"path\":\"hardware\"}]}}\n"
            "{\"t\":\"case\",\"case\":\"a\",\"cpus\":2,\"cpu_list\":\"0,2\"}\n"
            "{\"t\":\"case\",\"case\":\"b<\",\"cpus\":1,\"cpu_list\":\"2\"}\n"
            "{\"t\":\"case\",\"case\":\"old\",\"cpus\":1}\n"
            "{\"t\":\"case\",\"case\":\"odd\",\"cpus\":1,\"cpu_list\":\"<s>\"}\n"
            "{\"t\":\"sample\",\"case\":\"a\",\"seq\":0,\"mode\":\"timing\",\"wall_s\":1,\"valid\":true}\n");
    fixture_end(&f);
    char *page = report(f.path, NULL, "html", &err);
    assert_non_null(page);
    assert_non_null(strstr(page, "The job was bound to CPUs 0,2: a<br>CPUs 2: b&lt;"));
    assert_non_null(strstr(page, "CPU 2: package 0, core 0 of it, thread 1; the job was bound to it"));
    assert_non_null(strstr(page, "CPU 3: package 0, core 1 of it, thread 1; not used by the job"));
    assert_null(strstr(page, "<s>"));
    free(page);
    char *json = report(f.path, NULL, "json", &err);
    assert_non_null(strstr(json, "\"cpu_list\":\t\"0,2\""));
    free(json);
    fixture_remove(&f);
}

// --- hostile journals ------------------------------------------------------------------------------------------------

static void assert_valid_utf8(const char *text) {
    struct str clean = {0};
    escape_plain(&clean, text, ESCAPE_ALL);
    // What was valid and harmless stays as it is, but for line breaks.
    for (char *c = (char *)text; *c; c++)
        if (*c == '\n')
            *c = ' ';
    assert_string_equal(str_text(&clean), text);
    str_free(&clean);
}

static void hostile_strings_are_harmless(void **state) {
    (void)state;
    // Markup, an entity, a terminal escape, a direction override, a table separator, a formula, ten thousand
    // characters.
    static const char EVIL[] = "<script>alert(1)</script>\\\" onload=x &amp; \\u001b[31m \\u202e | `x` --> ]]> \\n";
    static const char OVERRIDE[] = {(char)0xe2, (char)0x80, (char)0xae, '\0'}; // U+202E
    struct fixture f;
    struct error err;
    char *label = mem_printf("%s%.*s", EVIL, 10000, "");
    struct str longest = {0};
    str_add(&longest, label);
    for (int i = 0; i < 10000; i++)
        str_add(&longest, "w");
    fixture_begin(&f, longest.text, "guest", EVIL);
    add_samples(&f, EVIL, 8, 0, 1, 3);
    str_printf(&f.text, "{\"t\":\"note\",\"level\":\"warn\",\"text\":\"%s\"}\n", longest.text);
    end_journal(&f);
    const struct renderer *renderer;
    for (size_t i = 0; (renderer = renderer_by_index(i)) != NULL; i++) {
        for (int baseline = 0; baseline < 2; baseline++) {
            char *text = report(f.path, baseline ? f.path : NULL, renderer->name, &err);
            assert_non_null(text);
            assert_null(strchr(text, '\033'));
            if (strcmp(renderer->name, "html") == 0 || strcmp(renderer->name, "md") == 0)
                assert_null(strstr(text, "<script>alert"));
            if (strcmp(renderer->name, "html") == 0)
                assert_true(strstr(text, "\" onload") > strstr(text, "<script type=")); // in JSON, behind a backslash
            if (strcmp(renderer->name, "json") != 0) {
                assert_null(strstr(text, OVERRIDE));
                assert_valid_utf8(text);
            }
            free(text);
        }
    }
    free(label);
    str_free(&longest);
    fixture_remove(&f);
}

static void a_cut_off_last_line_is_told_not_fatal(void **state) {
    (void)state;
    struct fixture f;
    struct error err;
    fixture_begin(&f, "g", "guest", "g");
    add_samples(&f, "c", 10, 0, 1, 3);
    str_add(&f.text, "{\"t\":\"sample\",\"case\":\"c\",\"se");
    fixture_end(&f);
    char *text = report(f.path, NULL, "json", &err);
    assert_non_null(text);
    assert_non_null(strstr(text, "cut off"));
    free(text);
    fixture_remove(&f);
}

static const char HUGE_LOSS[] =
    "\"wall_s\":0,\"fom\":1,\"obs\":[{\"cause\":\"exit.ipi\",\"count\":9007199254740991,"
    "\"seconds\":1e300,\"basis\":\"timed\",\"hist_ns\":[[63,1]]}]";

static void numbers_out_of_the_ordinary(void **state) {
    (void)state;
    static const char *const SAMPLES[] = {
        "\"wall_s\":0,\"fom\":0",
        "\"wall_s\":1e300,\"fom\":1e300",
        "\"wall_s\":1,\"fom\":-5",
        "\"wall_s\":1e-300,\"fom\":1e-300",
        "\"wall_s\":1",
        HUGE_LOSS,
    };
    static const char *const BETTER[] = {"higher", "lower"};
    struct error err;
    for (size_t b = 0; b < ARRAY_LEN(BETTER); b++)
        for (size_t k = 0; k < ARRAY_LEN(SAMPLES); k++) {
            struct fixture f;
            fixture_begin(&f, "g", "guest", "g");
            str_printf(&f.text, "{\"t\":\"case\",\"case\":\"c\",\"fom\":{\"name\":\"x\",\"better\":\"%s\"}}\n",
                       BETTER[b]);
            for (int i = 0; i < 8; i++)
                str_printf(&f.text, "{\"t\":\"sample\",\"case\":\"c\",\"seq\":%d,\"mode\":\"%s\",\"valid\":true,%s}\n",
                           i, i == 7 ? "attribution" : "timing",
                           SAMPLES[(k + (size_t)(i % 3 == 0)) % ARRAY_LEN(SAMPLES)]);
            fixture_end(&f);
            const struct renderer *renderer;
            for (size_t i = 0; (renderer = renderer_by_index(i)) != NULL; i++) {
                char *text = report(f.path, f.path, renderer->name, &err);
                assert_non_null(text);
                assert_null(strstr(text, "nan"));
                free(text);
            }
            fixture_remove(&f);
        }
}

static void journals_without_samples(void **state) {
    (void)state;
    static const char *const BODIES[] = {
        "",
        "{\"t\":\"case\",\"case\":\"c\"}\n",
        "{\"t\":\"case\",\"case\":\"c\"}\n{\"t\":\"sample\",\"case\":\"c\",\"seq\":0,\"mode\":\"timing\",\"wall_s\":1,"
        "\"valid\":false,\"why\":\"killed\"}\n",
        "{\"t\":\"case\",\"case\":\"c\"}\n{\"t\":\"sample\",\"case\":\"c\",\"seq\":0,\"mode\":\"attribution\",\"wall_"
        "s\":1,"
        "\"valid\":true}\n",
    };
    struct error err;
    for (size_t k = 0; k < ARRAY_LEN(BODIES); k++) {
        struct fixture f;
        fixture_begin(&f, "g", "guest", "g");
        str_add(&f.text, BODIES[k]);
        fixture_end(&f);
        const struct renderer *renderer;
        for (size_t i = 0; (renderer = renderer_by_index(i)) != NULL; i++)
            for (int baseline = 0; baseline < 2; baseline++) {
                char *text = report(f.path, baseline ? f.path : NULL, renderer->name, &err);
                assert_non_null(text);
                free(text);
            }
        fixture_remove(&f);
    }
}

static void bad_journals_are_errors_with_a_place(void **state) {
    (void)state;
    static const char *const LINES[] = {
        "not json\n",
        "{\"t\":\"sample\",\"case\":\"never\",\"seq\":0,\"mode\":\"timing\",\"wall_s\":1,\"valid\":true}\n",
        "{\"t\":\"case\"}\n",
        "[1,2]\n",
    };
    for (size_t k = 0; k < ARRAY_LEN(LINES); k++) {
        struct fixture f;
        struct error err;
        fixture_begin(&f, "g", "guest", "g");
        str_add(&f.text, LINES[k]);
        str_add(&f.text, "{\"t\":\"end\",\"status\":\"complete\"}\n");
        fixture_end(&f);
        assert_null(report(f.path, NULL, "json", &err));
        assert_int_equal(err.code, EXIT_CODE_INPUT);
        char place[80];
        snprintf(place, sizeof place, "%s:2", f.path);
        assert_non_null(strstr(err.where, place));
        fixture_remove(&f);
    }
}

// Flips, cuts and doubles bytes of a good journal: never a crash, and either a report or an error with a place.
static void mutated_journals_never_crash(void **state) {
    (void)state;
    struct fixture good;
    fixture_begin(&good, "g", "guest", "g");
    add_samples(&good, "c", 6, 0, 1, 3);
    struct dist_rng rng;
    dist_rng_seed(&rng, 99);
    size_t reports = 0;
    enum { MUTATIONS = 400 };
    for (size_t k = 0; k < MUTATIONS; k++) {
        struct fixture bad = {.path = "/tmp/metalgap-report-test-XXXXXX"};
        struct error err;
        str_add(&bad.text, good.text.text);
        for (size_t i = 1 + dist_rng_below(&rng, 3); i > 0; i--)
            bad.text.text[dist_rng_below(&rng, bad.text.length)] = (char)(1 + dist_rng_below(&rng, 255));
        if (k % 4 == 0)
            bad.text.length = 1 + dist_rng_below(&rng, bad.text.length);
        fixture_end(&bad);
        char *text = report(bad.path, bad.path, k % 2 ? "html" : "text", &err);
        reports += text != NULL;
        if (!text) {
            assert_int_equal(err.code, EXIT_CODE_INPUT);
            assert_true(err.where[0] || err.why[0]);
        }
        free(text);
        fixture_remove(&bad);
    }
    assert_true(reports > 20);
    assert_true(reports < MUTATIONS);
    str_free(&good.text);
}

static void unknown_formats_are_refused(void **state) {
    (void)state;
    struct error err;
    assert_null(report("/nowhere", NULL, "pdf", &err));
    assert_int_equal(err.code, EXIT_CODE_USAGE);
    assert_non_null(strstr(err.remedy, "html"));
    assert_null(report("/nowhere", NULL, "json", &err));
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    assert_string_equal(report_format_of_file("a/b.html"), "html");
    assert_null(report_format_of_file("a.b/c"));
}

static void escaping(void **state) {
    (void)state;
    struct str s = {0};
    escape_html(&s, "a<b>&\"'\x1b\xff\xc3\xa4", ESCAPE_ALL);
    assert_string_equal(s.text, "a&lt;b&gt;&amp;&quot;&#39;\xef\xbf\xbd\xef\xbf\xbd\xc3\xa4");
    str_free(&s);
    escape_plain(&s, "overlong \xc0\xaf surrogate \xed\xa0\x80 cut \xe2\x82", ESCAPE_ALL);
    assert_null(strchr(s.text, '\xc0'));
    str_free(&s);
    assert_int_equal(escape_plain(&s, "0123456789", 8), 8);
    assert_string_equal(s.text, "01234...");
    str_free(&s);
    assert_int_equal(escape_plain(&s, "01234567", 8), 8);
    assert_string_equal(s.text, "01234567");
    str_free(&s);
    escape_csv(&s, "=1+\"a\",b");
    assert_string_equal(s.text, "\"'=1+\"\"a\"\",b\"");
    str_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_effect_is_slower),
        cmocka_unit_test(the_same_thing_twice_is_not_slower),
        cmocka_unit_test(much_noise_cannot_tell_and_says_how_many_more),
        cmocka_unit_test(one_journal_gives_a_direct_cost_estimate),
        cmocka_unit_test(text_fits_80_columns),
        cmocka_unit_test(every_format_renders),
        cmocka_unit_test(csv_has_every_sample_and_openmetrics_its_end),
        cmocka_unit_test(the_page_needs_nothing_from_outside),
        cmocka_unit_test(the_page_draws_which_cpus_the_job_was_bound_to),
        cmocka_unit_test(hostile_strings_are_harmless),
        cmocka_unit_test(a_cut_off_last_line_is_told_not_fatal),
        cmocka_unit_test(numbers_out_of_the_ordinary),
        cmocka_unit_test(journals_without_samples),
        cmocka_unit_test(bad_journals_are_errors_with_a_place),
        cmocka_unit_test(mutated_journals_never_crash),
        cmocka_unit_test(unknown_formats_are_refused),
        cmocka_unit_test(escaping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
