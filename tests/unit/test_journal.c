// SPDX-License-Identifier: Apache-2.0
// The journal: what is written is read back; malformed lines are refused with their place.
#include "core/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER "{\"t\":\"header\",\"schema\":\"metalgap.run/1\"}\n"
#define CASE   "{\"t\":\"case\",\"case\":\"a\",\"bench\":\"null\",\"cpus\":2}\n"

static char path[64];

static int make_path(void **state) {
    (void)state;
    snprintf(path, sizeof path, "/tmp/metalgap-test-journal-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state) {
    (void)state;
    return unlink(path);
}

static void put(const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

// Reads the whole file: the number of records, or -1 with the error.
static int read_all(struct error *err, bool *truncated) {
    struct journal_reader *r = journal_read(path, err);
    assert_non_null(r);
    struct journal_record record;
    int got;
    int count = 0;
    while ((got = journal_next(r, &record, err)) > 0)
        count++;
    if (truncated)
        *truncated = journal_was_truncated(r);
    journal_end_reading(r);
    return got < 0 ? -1 : count;
}

static void write_then_read(void **state) {
    (void)state;
    struct error err;
    struct journal_writer *w = journal_open(path, false, &err);
    assert_non_null(w);
    cJSON *header = cJSON_Parse(HEADER);
    assert_int_equal(journal_write(w, header, &err), 0);
    cJSON_Delete(header);
    struct journal_case c = {.name = "stream.triad",
                             .bench = "stream",
                             .fom_name = "bandwidth",
                             .fom_unit = "GB/s",
                             .better = FOM_HIGHER,
                             .cpus = 2,
                             .cpu_list = "0,4"};
    assert_int_equal(journal_write_case(w, &c, &err), 0);
    struct journal_sample s = {.case_name = "stream.triad",
                               .seq = 3,
                               .block = -1,
                               .mode = MODE_ATTRIBUTION,
                               .pass = "exit_profiler",
                               .rank = 7,
                               .start_ns = 12,
                               .start_tsc = 18000000000000000001U,
                               .end_tsc = 18000000000000000002U,
                               .wall_s = 1.5,
                               .fom = 12.25,
                               .roi_s = 1.25,
                               .valid = true};
    struct observation o = {.cause = CAUSE_EXIT_TIMER,
                            .basis = BASIS_CALIBRATED,
                            .count = 9,
                            .seconds = 0.5,
                            .se = 0.125,
                            .has_hist = true};
    hist_add(&o.hist, 1000);
    observations_add(&s.obs, o);
    const struct untold hidden = {CAUSE_HOST_HIDDEN, SCOPE_CPU, BASIS_SAMPLED, "ticks came late"};
    observations_untold(&s.obs, hidden);
    observations_untold(&s.obs, (struct untold){CAUSE_HOST_HIDDEN, SCOPE_CPU, BASIS_SAMPLED, "again"});
    observations_untold(&s.obs, (struct untold){CAUSE_HOP_VMM, SCOPE_BLOCKED, BASIS_COUNT, "no probe"});
    assert_int_equal(journal_write_sample(w, &s, &err), 0);
    assert_int_equal(journal_write_note(w, true, "markup <b> and \xff\xfe", &err), 0);
    assert_int_equal(journal_write_end(w, true, 1, 2.5, &err), 0);
    journal_close(w);
    observations_free(&s.obs);

    struct journal_reader *r = journal_read(path, &err);
    struct journal_record rec;
    assert_int_equal(journal_next(r, &rec, &err), 1);
    assert_int_equal(rec.type, JOURNAL_HEADER);
    assert_int_equal(journal_next(r, &rec, &err), 1);
    assert_int_equal(rec.type, JOURNAL_CASE);
    assert_string_equal(rec.c.fom_unit, "GB/s");
    assert_int_equal(rec.c.better, FOM_HIGHER);
    assert_string_equal(rec.c.cpu_list, "0,4");
    assert_int_equal(journal_next(r, &rec, &err), 1);
    assert_int_equal(rec.type, JOURNAL_SAMPLE);
    assert_int_equal(rec.sample.mode, MODE_ATTRIBUTION);
    assert_string_equal(rec.sample.pass, "exit_profiler");
    assert_int_equal(rec.sample.rank, 7);
    assert_int_equal(rec.sample.block, -1);
    assert_true(rec.sample.fom == 12.25 && rec.sample.roi_s == 1.25);
    assert_int_equal(rec.sample.obs.count, 1);
    assert_true(rec.sample.obs.items[0].seconds == 0.5 && rec.sample.obs.items[0].has_hist);
    assert_int_equal(rec.sample.obs.items[0].hist.count[9], 1);
    assert_int_equal(rec.sample.obs.untold_count, 2); // the first reason stands
    const struct untold *untold = rec.sample.obs.untold;
    assert_int_equal(untold[0].cause, CAUSE_HOST_HIDDEN);
    assert_int_equal(untold[0].basis, BASIS_SAMPLED);
    assert_string_equal(untold[0].why, "ticks came late");
    assert_int_equal(untold[1].scope, SCOPE_BLOCKED);
    assert_int_equal(untold[1].basis, BASIS_COUNT);
    assert_int_equal(journal_next(r, &rec, &err), 1);
    assert_int_equal(rec.type, JOURNAL_NOTE);
    assert_int_equal(journal_next(r, &rec, &err), 1);
    assert_int_equal(rec.type, JOURNAL_END);
    assert_int_equal(journal_next(r, &rec, &err), 0);
    journal_end_reading(r);
}

// What a source could not tell: defaults, causes of a newer version, and what is malformed.
static void the_unknown(void **state) {
    (void)state;
    struct error err;
    struct journal_record rec;
    put(HEADER CASE
        "{\"t\":\"sample\",\"case\":\"a\",\"seq\":0,\"mode\":\"timing\",\"wall_s\":2,\"valid\":true,"
        "\"unknown\":[{\"cause\":\"host.steal\"},{\"cause\":\"exit.warp\",\"why\":\"w\"}]}\n");
    struct journal_reader *r = journal_read(path, &err);
    for (int i = 0; i < 3; i++)
        assert_int_equal(journal_next(r, &rec, &err), 1);
    assert_int_equal(rec.sample.obs.untold_count, 1);
    assert_int_equal(rec.sample.obs.untold[0].basis, BASIS_COUNT);
    assert_string_equal(rec.sample.obs.untold[0].why, "");
    assert_int_equal(rec.unknown_causes, 1);
    journal_end_reading(r);
    static const char *const bad[] = {"7", "[7]", "[{}]", "[{\"cause\":\"host.steal\",\"basis\":\"guessed\"}]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[1000];
        snprintf(text, sizeof text,
                 HEADER CASE
                 "{\"t\":\"sample\",\"case\":\"a\",\"seq\":0,\"mode\":\"timing\",\"wall_s\":2,"
                 "\"valid\":true,\"unknown\":%s}\n",
                 bad[i]);
        put(text);
        r = journal_read(path, &err);
        for (int k = 0; k < 2; k++)
            assert_int_equal(journal_next(r, &rec, &err), 1);
        assert_int_equal(journal_next(r, &rec, &err), -1);
        assert_int_equal(err.code, EXIT_CODE_INPUT);
        assert_non_null(strstr(err.where, ":3:"));
        journal_end_reading(r);
    }
}

static void defaults_of_the_contract(void **state) {
    (void)state;
    struct error err;
    put(HEADER CASE
        "{\"t\":\"sample\",\"case\":\"a\",\"seq\":0,\"mode\":\"timing\",\"wall_s\":2,\"valid\":true,"
        "\"obs\":[{\"cause\":\"host.steal\",\"basis\":\"timed\",\"seconds\":1}]}\n");
    struct journal_reader *r = journal_read(path, &err);
    struct journal_record rec;
    for (int i = 0; i < 3; i++)
        assert_int_equal(journal_next(r, &rec, &err), 1);
    assert_true(rec.sample.roi_s == 2 && isnan(rec.sample.fom));
    assert_int_equal(rec.sample.obs.items[0].scope, SCOPE_CPU);
    assert_true(rec.sample.obs.items[0].se == 0);
    journal_end_reading(r);
}

static void malformed_lines_name_their_place(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *place; // ":line:column"
    } bad[] = {
        {"", ""},
        {"{}\n", ":1:1"},
        {"{\"t\":\"case\",\"case\":\"a\"}\n", ":1:1"},
        {"{\"t\":\"header\",\"schema\":\"metalgap.run/2\"}\n", ":1:24"},
        {HEADER "{\"t\":\"sample\"]\n", ":2:14"},
        {HEADER CASE "{\"t\":\"sample\",\"case\":\"a\",\"seq\":-1,\"mode\":\"timing\",\"wall_s\":1,\"valid\":true}\n",
         ":3:32"},
        {HEADER CASE "{\"t\":\"sample\",\"case\":\"a\",\"seq\":1,\"mode\":\"fast\",\"wall_s\":1,\"valid\":true}\n",
         ":3:41"},
        {HEADER CASE "{\"t\":\"sample\",\"case\":\"b\",\"seq\":1,\"mode\":\"timing\",\"wall_s\":1,\"valid\":true}\n",
         ":3:22"},
        {HEADER CASE
         "{\"t\":\"sample\",\"case\":\"a\",\"seq\":1,\"mode\":\"timing\",\"wall_s\":1e999,\"valid\":true}\n",
         ":3:59"},
        {HEADER CASE "{\"t\":\"note\",\"text\":\"a\",\"text\":\"b\"}\n", ":3:31"},
        {HEADER "{\"t\":\"note\",\"text\":\"\xff\"}\n", ":2:21"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err = {0};
        put(bad[i].text);
        assert_int_equal(read_all(&err, NULL), -1);
        assert_int_equal(err.code, EXIT_CODE_INPUT);
        if (!strstr(err.where, bad[i].place))
            fail_msg("line %zu: %s is not %s (%s: %s)", i, err.where, bad[i].place, err.what, err.why);
    }
}

static void cut_line_is_dropped_and_resume_continues(void **state) {
    (void)state;
    struct error err;
    bool truncated = false;
    put(HEADER CASE "{\"t\":\"note\",\"te");
    assert_int_equal(read_all(&err, &truncated), 2);
    assert_true(truncated);
    assert_null(journal_open(path, false, &err)); // it exists: nothing is overwritten
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    struct journal_writer *w = journal_open(path, true, &err);
    assert_non_null(w);
    assert_int_equal(journal_write_note(w, false, "resumed", &err), 0);
    journal_close(w);
    assert_int_equal(read_all(&err, &truncated), 3);
    assert_false(truncated);
}

static void an_empty_journal_is_not_left_behind(void **state) {
    (void)state;
    struct error err;
    unlink(path);
    journal_close(journal_open(path, false, &err));
    assert_int_equal(access(path, F_OK), -1);
    put(""); // this one was there before
    journal_close(journal_open(path, false, &err));
    assert_int_equal(access(path, F_OK), 0);
}

static void whole_last_line_without_newline_is_kept(void **state) {
    (void)state;
    struct error err;
    put(HEADER "{\"t\":\"note\",\"text\":\"x\"}");
    assert_int_equal(read_all(&err, NULL), 2);
    struct journal_writer *w = journal_open(path, true, &err);
    assert_non_null(w);
    assert_int_equal(journal_write_note(w, false, "resumed", &err), 0);
    journal_close(w);
    assert_int_equal(read_all(&err, NULL), 3);
}

static void a_header_cut_by_a_kill_is_written_again(void **state) {
    (void)state;
    static const char *const cut[] = {"{", "{\"t\":\"head", "{\"t\":\"header\",\"schema\":\"metal"};
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        struct error err = {0};
        put(cut[i]);
        assert_int_equal(read_all(&err, NULL), -1);
        assert_int_equal(err.code, EXIT_CODE_INPUT);
        struct journal_writer *w = journal_open(path, true, &err);
        assert_non_null(w);
        cJSON *header = cJSON_Parse(HEADER);
        assert_int_equal(journal_write(w, header, &err), 0);
        cJSON_Delete(header);
        journal_close(w);
        assert_int_equal(read_all(&err, NULL), 1);
    }
}

// A file without a newline, as /dev/zero is one, must not fill the memory.
static void endless_line_is_refused(void **state) {
    (void)state;
    struct error err = {0};
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(HEADER, f);
    assert_int_equal(ftruncate(fileno(f), (off_t)JOURNAL_LINE_MAX * 2), 0); // a sparse file of NUL bytes
    fclose(f);
    assert_int_equal(read_all(&err, NULL), -1);
    assert_non_null(strstr(err.why, "longer than 64 MiB"));
    assert_non_null(strstr(err.where, ":2"));
}

static void a_folder_is_no_journal(void **state) {
    (void)state;
    struct error err = {0};
    struct journal_record record;
    struct journal_reader *r = journal_read("/", &err);
    assert_non_null(r);
    assert_int_equal(journal_next(r, &record, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    journal_end_reading(r);
    assert_null(journal_read("/nonexistent/journal", &err));
}

static void resume_refuses_what_is_not_a_journal(void **state) {
    (void)state;
    struct error err;
    put("a letter to a friend\n");
    assert_null(journal_open(path, true, &err));
    assert_int_equal(err.code, EXIT_CODE_INPUT);
}

static void unknown_types_and_causes_are_passed_over(void **state) {
    (void)state;
    struct error err;
    put(HEADER CASE
        "{\"t\":\"future\"}\n{\"t\":\"sample\",\"case\":\"a\",\"seq\":0,\"mode\":\"timing\",\"wall_s\":2,"
        "\"valid\":true,\"obs\":[{\"cause\":\"exit.future\",\"basis\":\"timed\"}]}\n");
    struct journal_reader *r = journal_read(path, &err);
    struct journal_record rec;
    for (int i = 0; i < 3; i++)
        assert_int_equal(journal_next(r, &rec, &err), 1);
    assert_int_equal(journal_unknown_lines(r), 1);
    assert_int_equal(rec.unknown_causes, 1);
    assert_int_equal(rec.sample.obs.count, 0);
    journal_end_reading(r);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, make_path, remove_path)

int main(void) {
    const struct CMUnitTest tests[] = {
        FILE_TEST(write_then_read),
        FILE_TEST(the_unknown),
        FILE_TEST(defaults_of_the_contract),
        FILE_TEST(malformed_lines_name_their_place),
        FILE_TEST(cut_line_is_dropped_and_resume_continues),
        FILE_TEST(an_empty_journal_is_not_left_behind),
        FILE_TEST(whole_last_line_without_newline_is_kept),
        FILE_TEST(a_header_cut_by_a_kill_is_written_again),
        FILE_TEST(endless_line_is_refused),
        FILE_TEST(a_folder_is_no_journal),
        FILE_TEST(resume_refuses_what_is_not_a_journal),
        FILE_TEST(unknown_types_and_causes_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
