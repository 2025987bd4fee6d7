// SPDX-License-Identifier: Apache-2.0
// The runner, with the null bench: what a sample that fails, crashes, hangs or is not verified leaves in the journal,
// and that a resumed run makes exactly what is missing.
#include "bench/plan.h"
#include "bench/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/metalgap-test-runner-XXXXXX";
static char suite_path[sizeof folder + 16];
static char journal_path[sizeof folder + 16];

static int make_folder(void **state) {
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(suite_path, sizeof suite_path, "%s/s.json", folder);
    snprintf(journal_path, sizeof journal_path, "%s/j.jsonl", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(suite_path);
    unlink(journal_path);
    return rmdir(folder);
}

static struct run_options options_for(const struct suite *suite, const cJSON *header) {
    return (struct run_options){.suite = suite,
                                .journal = journal_path,
                                .header = header,
                                .collectors = "none",
                                .data_dir = "/nowhere",
                                .exec_dir = "/nowhere",
                                .budget_s = INFINITY,
                                .until_pct = NAN};
}

static void load(const char *cases, struct suite *suite) {
    struct error err;
    FILE *f = fopen(suite_path, "w");
    assert_non_null(f);
    fprintf(f, "{\"schema\":\"metalgap.suite/1\",\"name\":\"t\",\"reps\":3,\"cases\":[%s]}", cases);
    fclose(f);
    if (suite_load(suite_path, "", SIZE_SMALL, suite, &err)) {
        error_print(&err);
        fail();
    }
}

// Samples of one case in the journal; the last one's reason goes to `why`.
static size_t count_samples(const char *name, size_t *valid, char *why, size_t size) {
    struct error err;
    struct journal_record r;
    size_t count = 0;
    *valid = 0;
    struct journal_reader *reader = journal_read(journal_path, &err);
    assert_non_null(reader);
    int got;
    while ((got = journal_next(reader, &r, &err)) > 0) {
        if (r.type != JOURNAL_SAMPLE || strcmp(r.sample.case_name, name) != 0)
            continue;
        assert_int_equal(r.sample.seq, count); // each number once, in order
        count++;
        *valid += r.sample.valid;
        if (why)
            snprintf(why, size, "%s", r.sample.why ? r.sample.why : "");
    }
    assert_int_equal(got, 0);
    journal_end_reading(reader);
    return count;
}

static void run(struct run_options *o, struct run_summary *summary) {
    struct error err;
    if (run_suite(o, summary, &err)) {
        error_print(&err);
        fail();
    }
}

static void bad_samples_are_recorded_and_the_run_goes_on(void **state) {
    (void)state;
    struct suite suite;
    struct run_summary summary;
    size_t valid;
    char why[512];
    load(
        "{\"case\":\"good\",\"bench\":\"null\"},"
        "{\"case\":\"invalid\",\"bench\":\"null\",\"params\":{\"behave\":\"invalid\"}},"
        "{\"case\":\"fail\",\"bench\":\"null\",\"params\":{\"behave\":\"fail\"}},"
        "{\"case\":\"setup\",\"bench\":\"null\",\"params\":{\"behave\":\"fail-setup\"}},"
        "{\"case\":\"crash\",\"bench\":\"null\",\"params\":{\"behave\":\"crash\"}},"
        "{\"case\":\"exit\",\"bench\":\"null\",\"params\":{\"behave\":\"exit\"}},"
        "{\"case\":\"hang\",\"bench\":\"null\",\"params\":{\"behave\":\"hang\"},\"timeout\":\"0.2s\"},"
        "{\"case\":\"absent\",\"bench\":\"null\",\"params\":{\"behave\":\"unavailable\"}}",
        &suite);
    cJSON *header = cJSON_Parse("{\"label\":\"x\"}");
    struct run_options o = options_for(&suite, header);
    o.reps = 1;
    run(&o, &summary);
    assert_int_equal(summary.samples, 7);
    assert_int_equal(summary.invalid, 6);
    assert_int_equal(summary.skipped, 1);
    assert_int_equal(count_samples("good", &valid, why, sizeof why), 1);
    assert_int_equal(valid, 1);
    static const struct {
        const char *name;
        const char *why;
    } bad[] = {{"invalid", ""},     {"fail", ""},       {"setup", "told to fail"},
               {"crash", "signal"}, {"exit", "status"}, {"hang", "longer than"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(count_samples(bad[i].name, &valid, why, sizeof why), 1);
        assert_int_equal(valid, 0);
        assert_true(why[0]);
        if (!strstr(why, bad[i].why))
            fail_msg("%s: %s", bad[i].name, why);
    }
    assert_int_equal(count_samples("absent", &valid, NULL, 0), 0);
    cJSON_Delete(header);
    suite_free(&suite);
}

static void a_resumed_run_makes_what_is_missing(void **state) {
    (void)state;
    struct suite suite;
    struct run_summary summary;
    size_t valid;
    load("{\"case\":\"a\",\"bench\":\"null\"},{\"case\":\"b\",\"bench\":\"null\"}", &suite);
    cJSON *header = cJSON_Parse("{}");
    struct run_options o = options_for(&suite, header);
    o.reps = 2;
    run(&o, &summary);
    assert_int_equal(summary.samples, 4);
    o.reps = 3;
    o.resume = true;
    run(&o, &summary);
    assert_int_equal(summary.samples, 2);
    assert_int_equal(count_samples("a", &valid, NULL, 0), 3);
    assert_int_equal(count_samples("b", &valid, NULL, 0), 3);
    run(&o, &summary);
    assert_int_equal(summary.samples, 0);
    cJSON_Delete(header);
    suite_free(&suite);
}

static void another_suite_does_not_resume(void **state) {
    (void)state;
    struct suite suite;
    struct run_summary summary;
    struct error err;
    load("{\"case\":\"a\",\"bench\":\"null\"}", &suite);
    cJSON *header = cJSON_Parse("{}");
    struct run_options o = options_for(&suite, header);
    o.reps = 1;
    run(&o, &summary);
    suite_free(&suite);
    load("{\"case\":\"b\",\"bench\":\"null\"}", &suite);
    o.resume = true;
    assert_int_equal(run_suite(&o, &summary, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    o.resume = false;
    assert_int_equal(run_suite(&o, &summary, &err), -1); // and nothing is overwritten
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    cJSON_Delete(header);
    suite_free(&suite);
}

// Blocks of a pair are numbered alike on both sides, and a pair that was cut short is completed.
static void a_pair_runs_in_blocks(void **state) {
    (void)state;
    struct suite suite;
    struct run_summary summary[2];
    struct error err;
    char other_path[sizeof journal_path + 8];
    snprintf(other_path, sizeof other_path, "%s.other", journal_path);
    load("{\"case\":\"a\",\"bench\":\"null\",\"params\":{\"seconds\":0.001}}", &suite);
    cJSON *header = cJSON_Parse("{}");
    struct run_options o[2] = {options_for(&suite, header), options_for(&suite, header)};
    o[1].journal = other_path;
    o[0].reps = 3;
    o[1].reps = 2; // as if it had been cut short
    assert_int_equal(run_pair(o, summary, &err), 0);
    o[0].reps = o[1].reps = 4;
    o[0].resume = o[1].resume = true;
    assert_int_equal(run_pair(o, summary, &err), 0);
    assert_int_equal(summary[0].samples, 1);
    assert_int_equal(summary[1].samples, 2);
    for (int i = 0; i < 2; i++) {
        struct journal_record r;
        int64_t blocks = 0;
        struct journal_reader *reader = journal_read(o[i].journal, &err);
        assert_non_null(reader);
        while (journal_next(reader, &r, &err) > 0) {
            if (r.type == JOURNAL_SAMPLE)
                assert_int_equal(r.sample.block, blocks++);
        }
        assert_int_equal(blocks, 4);
        journal_end_reading(reader);
    }
    unlink(other_path);
    cJSON_Delete(header);
    suite_free(&suite);
}

static bool never(const double *costs, size_t count, double pct) {
    (void)costs;
    (void)pct;
    return count >= 9;
}

static void until_goes_on_as_long_as_the_interval_is_wide(void **state) {
    (void)state;
    struct suite suite;
    struct run_summary summary;
    load("{\"case\":\"a\",\"bench\":\"null\",\"params\":{\"seconds\":0.001}}", &suite);
    cJSON *header = cJSON_Parse("{}");
    struct run_options o = options_for(&suite, header);
    o.until_pct = 1;
    o.narrow_enough = never;
    run(&o, &summary);
    assert_int_equal(summary.samples, 9);
    cJSON_Delete(header);
    suite_free(&suite);
}

static void the_budget_ends_a_run(void **state) {
    (void)state;
    struct suite suite;
    struct run_summary summary;
    load("{\"case\":\"a\",\"bench\":\"null\"}", &suite);
    cJSON *header = cJSON_Parse("{}");
    struct run_options o = options_for(&suite, header);
    o.budget_s = 0;
    run(&o, &summary);
    assert_int_equal(summary.samples, 0);
    assert_true(summary.stopped);
    cJSON_Delete(header);
    suite_free(&suite);
}

static void only_takes_names_that_exist(void **state) {
    (void)state;
    struct suite suite;
    struct run_summary summary;
    struct error err;
    size_t valid;
    load("{\"case\":\"a\",\"bench\":\"null\"},{\"case\":\"ab\",\"bench\":\"null\"}", &suite);
    cJSON *header = cJSON_Parse("{}");
    struct run_options o = options_for(&suite, header);
    o.only = "a,nosuch";
    assert_int_equal(run_suite(&o, &summary, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_USAGE);
    o.only = "ab";
    run(&o, &summary);
    assert_int_equal(summary.samples, 3);
    assert_int_equal(count_samples("ab", &valid, NULL, 0), 3);
    cJSON_Delete(header);
    suite_free(&suite);
}

// With collectors on, prices are measured again when the last sample is there.
static void prices_are_measured_again(void **state) {
    (void)state;
    struct suite suite;
    struct run_summary summary;
    struct error err;
    struct journal_record r;
    size_t again = 0;
    load("{\"case\":\"a\",\"bench\":\"null\"}", &suite);
    cJSON *header = cJSON_Parse("{}");
    struct run_options o = options_for(&suite, header);
    o.collectors = "null";
    run(&o, &summary);
    struct journal_reader *reader = journal_read(journal_path, &err);
    assert_non_null(reader);
    while (journal_next(reader, &r, &err) > 0)
        again += r.type == JOURNAL_CALIBRATION;
    journal_end_reading(reader);
    assert_int_equal(again, 1);
    cJSON_Delete(header);
    suite_free(&suite);
}

// Timing and attribution samples alternate over the whole run, the passes in turn.
static void attribution_samples_take_turns(void **state) {
    (void)state;
    struct planned_case c = {.planned = {6, 0}};
    struct plan plan = {.cases = &c, .count = 1};
    char order[32] = "";
    plan_attribution(&plan, 2);
    while (plan_total(c.done) < plan_total(c.planned)) {
        enum sample_mode mode = plan_next_mode(&c);
        char pass = mode == MODE_TIMING ? 't' : (char)('0' + plan_next_pass(&plan, &c));
        strncat(order, &pass, 1);
        plan_count(&c, mode, true, NAN, 1);
    }
    assert_string_equal(order, "t0t1tt0t1t");
    free(c.costs);
    c = (struct planned_case){.planned = {20, 0}};
    plan_attribution(&plan, 0);
    assert_int_equal(c.planned[MODE_ATTRIBUTION], 0);
    plan_attribution(&plan, 3);
    assert_int_equal(c.planned[MODE_ATTRIBUTION], 12);
}

// Collectors read /proc of the job after its work.
static void the_process_lives_until_it_may_verify(void **state) {
    (void)state;
    struct error err;
    struct worker_outcome outcome;
    const struct bench_ops *ops = bench_find("null");
    cpu_set_t cpus;
    int stop = 0;
    sched_getaffinity(0, sizeof cpus, &cpus);
    cJSON *params = bench_params(ops, NULL, SIZE_SMALL, &err);
    struct bench_context context = {.params = params, .cpus = &cpus, .threads = 1};
    struct worker *worker = worker_start(ops, &context, 60, &stop, NULL, &err);
    assert_non_null(worker);
    worker_go(worker, 60, &stop, &outcome);
    assert_true(outcome.done);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)worker_pid(worker));
    usleep(20000); // enough to end by itself
    FILE *maps = fopen(path, "re");
    assert_non_null(maps);
    assert_int_not_equal(fgetc(maps), EOF); // a process that has ended has no mappings
    fclose(maps);
    worker_finish(worker, &stop, &outcome);
    assert_true(outcome.done);
    worker_end(worker);
    cJSON_Delete(params);
}

// The null bench tells 2 of a kind of which higher is better, and uses no CPU time: 16 repetitions are the most.
static void work_is_repeated_for_its_cpu_time(void **state) {
    (void)state;
    struct error err;
    struct worker_outcome outcome;
    const struct bench_ops *ops = bench_find("null");
    cpu_set_t cpus;
    int stop = 0;
    sched_getaffinity(0, sizeof cpus, &cpus);
    cJSON *given = cJSON_Parse("{\"seconds\":0.002,\"fom\":2}");
    cJSON *params = bench_params(ops, given, SIZE_SMALL, &err);
    struct bench_context context = {
        .params = params, .cpus = &cpus, .threads = 1, .least_cpu_s = 1, .better = FOM_HIGHER};
    struct worker *worker = worker_start(ops, &context, 60, &stop, NULL, &err);
    assert_non_null(worker);
    worker_go(worker, 60, &stop, &outcome);
    assert_true(outcome.done);
    assert_true(fabs(outcome.result->fom - 2) < 1e-12);
    assert_true(outcome.result->wall_s >= 16 * 0.002 && outcome.result->roi_s >= 16 * 0.002);
    worker_end(worker);
    cJSON_Delete(params);
    cJSON_Delete(given);
}

#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(bad_samples_are_recorded_and_the_run_goes_on),
        FOLDER_TEST(a_resumed_run_makes_what_is_missing),
        FOLDER_TEST(a_pair_runs_in_blocks),
        FOLDER_TEST(another_suite_does_not_resume),
        FOLDER_TEST(until_goes_on_as_long_as_the_interval_is_wide),
        FOLDER_TEST(the_budget_ends_a_run),
        FOLDER_TEST(only_takes_names_that_exist),
        FOLDER_TEST(prices_are_measured_again),
        cmocka_unit_test(attribution_samples_take_turns),
        cmocka_unit_test(work_is_repeated_for_its_cpu_time),
        cmocka_unit_test(the_process_lives_until_it_may_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
