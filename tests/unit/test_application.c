// SPDX-License-Identifier: Apache-2.0
// Applications: what a description may say, and what is made of it; with shell scripts in the programs' place.
#include "bench/command.h"

#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/metalgap-test-app-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    return mkdtemp(folder) && setenv("XDG_CACHE_HOME", folder, 1) == 0 ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    const char *const argv[] = {"rm", "-rf", folder, NULL};
    struct command command = {.argv = argv};
    struct command_outcome out;
    return command_run(&command, &out, NULL);
}

#define HEAD "{\"schema\":\"metalgap.app/1\",\"name\":\"stand-in\",\n"

// What came of one sample. The bench runs in a process of its own, as it does for the runner.
struct ran {
    int fom; // as fom() returned
    int lacking;
    bool failed;
    char fom_name[48];
    struct error err;
    struct bench_result result;
};

static struct ran *ran; // shared memory

static void sample(struct bench_context *context) {
    const struct bench_ops *ops = &bench_application;
    struct bench_fom fom;
    ran->fom = ops->fom(context, &fom, &ran->err);
    ran->failed = ran->fom < 0;
    if (ran->failed)
        return;
    snprintf(ran->fom_name, sizeof ran->fom_name, "%s", ran->fom == 0 ? fom.name : "");
    ran->lacking = ops->lacking(context, &ran->err);
    ran->failed = ran->lacking || ops->setup(context, &ran->err) || ops->run(context, &ran->result, &ran->err);
    if (ran->failed)
        return;
    ops->verify(context, &ran->result);
    ops->teardown(context);
}

static const struct ran *run_app(const char *description, const char *params) {
    char *path = mem_printf("%s/app.json", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(description, f);
    fclose(f);
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    cJSON *given = cJSON_Parse(params);
    assert_non_null(given);
    cJSON_AddStringToObject(given, "app", path);
    struct error err;
    cJSON *full = bench_params(&bench_application, given, SIZE_DEFAULT, &err);
    assert_non_null(full);
    struct bench_context context = {
        .params = full, .size = SIZE_DEFAULT, .cpus = &cpus, .threads = 1, .data_dir = folder};
    ran = mmap(NULL, sizeof *ran, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(ran != MAP_FAILED);
    ran->result.valid = true;
    pid_t child = fork();
    if (child == 0) {
        sample(&context);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    cJSON_Delete(full);
    cJSON_Delete(given);
    free(path);
    return ran;
}

static void done(void) {
    munmap(ran, sizeof *ran);
}

#define SH(script) "\"run\":[\"sh\",\"-c\",\"" script "\"]"

static void takes_the_number_that_is_asked_for(void **state) {
    (void)state;
    static const struct {
        const char *take;
        double fom;
    } takes[] = {{"last", 5}, {"first", 7}, {"max", 9}, {"min", 5}, {"mean", 7}};
    for (size_t i = 0; i < ARRAY_LEN(takes); i++) {
        char *text = mem_printf(HEAD SH("for v in 100 7 9 5; do echo speed $v; done") ",\"foms\":{\"speed\":{"
                                "\"pattern\":\"^speed ([0-9]+)\",\"unit\":\"x\",\"better\":\"higher\",\"skip\":1,"
                                "\"take\":\"%s\"}}}",
                                takes[i].take);
        const struct ran *r = run_app(text, "{}");
        assert_false(r->failed);
        assert_true(r->result.valid);
        assert_string_equal(r->fom_name, "speed");
        assert_true(r->result.fom == takes[i].fom);
        done();
        free(text);
    }
}

static void one_run_has_several_figures(void **state) {
    (void)state;
    static const char text[] = HEAD SH("echo a=1; echo b=2") ",\"foms\":{"
                               "\"a\":{\"pattern\":\"a=(.*)\",\"unit\":\"x\",\"better\":\"lower\"},"
                               "\"b\":{\"pattern\":\"b=(.*)\",\"unit\":\"x\",\"better\":\"lower\"}}}";
    assert_true(run_app(text, "{}")->result.fom == 1);
    done();
    assert_true(run_app(text, "{\"fom\":\"b\"}")->result.fom == 2);
    done();
    assert_int_equal(run_app(text, "{\"fom\":\"c\"}")->fom, -1);
    assert_non_null(strstr(ran->err.what, "\"c\""));
    done();
}

static void a_run_without_a_figure_compares_wall_time(void **state) {
    (void)state;
    const struct ran *r = run_app(HEAD SH("sleep 0.05") "}", "{}");
    assert_int_equal(r->fom, 1);
    assert_true(r->result.valid && r->result.wall_s >= 0.05 && isnan(r->result.fom));
    done();
}

// Lines that come late must give long steps: a program's own clock is not asked. A busy machine may read a line late,
// which shortens the step behind it. So the program sleeps only when its line was read, which it knows by the log (the
// long line is what the log's buffer does not hold).
static void steps_are_stamped_as_they_come(void **state) {
    (void)state;
    const struct ran *r =
        run_app(HEAD SH("for i in 1 2 3 4; do echo Time = $i; printf %05000d 0; echo; "
                        "until grep -q Time.=.$i output.log; do sleep 0.01; done; sleep 0.05; done") ",\"steps\":{"
                "\"pattern\":\"^Time = \",\"skip\":1},\"foms\":{\"step\":{\"unit\":\"s\",\"better\":\"lower\"}}}",
                "{}");
    assert_false(r->failed);
    assert_int_equal(r->result.step_count, 2); // 4 lines, 3 steps, the first skipped
    assert_true(r->result.steps_s[0] >= 0.05 && r->result.steps_s[1] >= 0.05);
    assert_true(fabs(r->result.fom - (r->result.steps_s[0] + r->result.steps_s[1]) / 2) < 1e-12);
    done();
}

static void steps_may_be_printed_and_lie_in_a_file(void **state) {
    (void)state;
    const struct ran *r =
        run_app(HEAD SH("for i in 3 1 2; do echo main: $i elapsed; done >rsl.out") ",\"output\":[\"rsl.out\"],"
                "\"steps\":{\"pattern\":\"main: ([0-9]+) elapsed\",\"skip\":1}}",
                "{}");
    assert_int_equal(r->result.step_count, 2);
    assert_true(r->result.steps_s[0] == 1 && r->result.steps_s[1] == 2);
    done();
}

static void broken_rules_make_a_sample_invalid(void **state) {
    (void)state;
    static const struct {
        const char *rule;
        const char *why; // NULL: valid
    } rules[] = {
        {"{\"pattern\":\"PASSED\",\"why\":\"no result\"}", NULL},
        {"{\"pattern\":\"SUCCESS\",\"why\":\"it is not complete\"}", "it is not complete"},
        {"{\"pattern\":\"PASSED\",\"count\":2,\"why\":\"w\"}", NULL},
        {"{\"pattern\":\"PASSED\",\"count\":\"${n}\",\"why\":\"w\"}", "instead of 3"},
        {"{\"pattern\":\"FATAL\",\"count\":0,\"why\":\"w\"}", NULL},
        {"{\"pattern\":\"PASSED\",\"count\":0,\"why\":\"it says so\"}", "it says so"},
        {"{\"pattern\":\"drift (.*)\",\"below\":0.1,\"why\":\"w\"}", NULL},
        {"{\"pattern\":\"drift (.*)\",\"below\":0.01,\"why\":\"the energy drifts\"}", "the energy drifts"},
        {"{\"pattern\":\"PASSED\",\"below\":1,\"why\":\"w\"}", "no number"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        char *text =
            mem_printf(HEAD SH("echo PASSED; echo PASSED; echo drift -0.05") ",\"params\":{\"n\":3},\"valid\":[%s]}",
                       rules[i].rule);
        const struct ran *r = run_app(text, "{}");
        assert_false(r->failed);
        if (r->result.valid != !rules[i].why || (rules[i].why && !strstr(r->result.why, rules[i].why)))
            fail_msg("%zu: %s: %s", i, rules[i].rule, r->result.why);
        done();
        free(text);
    }
}

static void a_failed_run_keeps_its_files(void **state) {
    (void)state;
    const struct ran *r = run_app(HEAD SH("echo the last words; echo x >left; exit 3") "}", "{}");
    assert_false(r->result.valid);
    assert_non_null(strstr(r->result.why, "exit status 3: the last words"));
    char *at = strstr(r->result.info, "its files: ");
    assert_non_null(at);
    char *path = mem_printf("%s/left", at + strlen("its files: "));
    assert_int_equal(access(path, R_OK), 0);
    free(path);
    path = mem_printf("%s/output.log", at + strlen("its files: "));
    assert_int_equal(access(path, R_OK), 0);
    free(path);
    done();
}

static void facts_and_the_inputs_hash_are_recorded(void **state) {
    (void)state;
    const struct ran *r = run_app(HEAD SH("echo SIMD: AVX2_256; echo SIMD: again") ",\"facts\":[{\"name\":\"SIMD\","
                                  "\"pattern\":\"SIMD: *(.*)\"},{\"name\":\"other\",\"pattern\":\"nosuch\"}]}",
                                  "{}");
    assert_int_equal(strncmp(r->result.info, "input ", 6), 0);
    assert_non_null(strstr(r->result.info, "; SIMD: AVX2_256"));
    assert_null(strstr(r->result.info, "other"));
    done();
}

// The file that a preparation appends to tells how often it ran.
static void preparation_is_done_once_for_each_input(void **state) {
    (void)state;
    char *text = mem_printf(HEAD "\"params\":{\"n\":{\"small\":1,\"default\":4},\"extra\":0},\"files\":{\"in/deck.txt\":[\"n ${n}\"]},"
                                 "\"prepare\":[[\"sh\",\"-c\",\"echo x >>%s/prepared; echo y >>made\"]],"
                                 "\"environment\":{\"WHERE\":\"${dir}\"}," SH(
                                     "test $WHERE = $PWD && cat in/deck.txt made && echo z >>made")
                                 ",\"foms\":{\"n\":{\"pattern\":\"^n (.*)\",\"unit\":\"x\",\"better\":\"lower\"}},"
                                 "\"valid\":[{\"pattern\":\"^y\",\"count\":1,\"why\":\"w\"},{\"pattern\":\"^z\",\"count\":0,"
                                 "\"why\":\"the folder is not fresh\"}]}",
                            folder);
    static const struct {
        const char *params;
        double n;
        off_t prepared; // bytes
    } runs[] = {{"{}", 4, 2}, {"{}", 4, 2}, {"{\"set\":{\"n\":7}}", 7, 4}, {"{\"set\":{\"n\":\"7\"}}", 7, 4}};
    char *path = mem_printf("%s/prepared", folder);
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        const struct ran *r = run_app(text, runs[i].params);
        struct stat st;
        if (r->failed || !r->result.valid)
            fail_msg("%zu: %s: %s: %s", i, r->err.what, r->err.why, r->result.why);
        assert_true(r->result.fom == runs[i].n);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, runs[i].prepared);
        done();
    }
    free(path);
    free(text);
}

static void a_failed_preparation_says_which_command(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) { // it must not be taken for prepared the second time
        const struct ran *r =
            run_app(HEAD "\"prepare\":[[\"true\"],[\"sh\",\"-c\",\"echo no mesh; exit 2\"]]," SH("true") "}", "{}");
        assert_true(r->failed);
        assert_non_null(strstr(r->err.what, "echo no mesh"));
        assert_non_null(strstr(r->err.why, "exit status 2: no mesh"));
        done();
    }
}

static void what_is_missing_is_named_with_its_package(void **state) {
    (void)state;
    const struct ran *r =
        run_app(HEAD "\"prerequisites\":{\"sh\":\"dash\",\"no-such-gmx\":\"gromacs\"}," SH("true") "}", "{}");
    assert_int_equal(r->lacking, -1);
    assert_non_null(strstr(r->err.what, "no-such-gmx"));
    assert_non_null(strstr(r->err.remedy, "apt-get install gromacs"));
    done();
    unsetenv("METALGAP_TEST_TREE");
    static const char by_path[] = HEAD
        "\"params\":{\"tree\":{\"environment\":\"METALGAP_TEST_TREE\"}},\"prerequisites\":{\"${tree}/"
        "solver\":\"\"}," SH("true") "}";
    assert_int_equal(run_app(by_path, "{}")->lacking, -1);
    assert_non_null(strstr(ran->err.what, "METALGAP_TEST_TREE"));
    done();
    setenv("METALGAP_TEST_TREE", "/nonexistent", 1);
    assert_int_equal(run_app(by_path, "{}")->lacking, -1);
    done();
    unsetenv("METALGAP_TEST_TREE");
}

static void ranks_and_the_launcher_are_filled_in(void **state) {
    (void)state;
    const struct ran *r = run_app(HEAD SH("echo ${ranks} ${threads} ${cpus}") ",\"foms\":{\"n\":{\"pattern\":\"^([0-9]+) 1 1\","
                                  "\"unit\":\"x\",\"better\":\"lower\"}}}",
                                  "{\"ranks\":3}");
    assert_true(r->result.fom == 3);
    done();
    if (!command_exists("mpirun"))
        skip();
    assert_int_equal(run_app(HEAD "\"run\":[\"${launcher}\",\"true\"]}", "{\"ranks\":100000}")->lacking, -1);
    assert_non_null(strstr(ran->err.what, "cores"));
    done();
}

static void bad_descriptions_have_a_place(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *place;
        const char *why;
    } bad[] = {
        {"{\"schema\":\"metalgap.app/9\"}", ":1:11", "metalgap.app/1"},
        {HEAD "\"run\":[]}", ":2:7", "at least one"},
        {HEAD "\"run\":[\"a\",3]}", ":2:12", "not a text"},
        {HEAD "\"run\":[\"a\",\"${nosuch}\"]}", ":2:12", "nosuch"},
        {HEAD "\"oops\":1}", ":2:8", "oops"},
        {HEAD "\"run\":[\"a\"],\"files\":{\"../x\":[]}}", ":2:29", "outside"},
        {HEAD "\"run\":[\"a\"],\"files\":{\"/x\":[]}}", ":2:27", "outside"},
        {HEAD "\"run\":[\"a\"],\"files\":{\"x\":3}}", ":2:26", "array of lines"},
        {HEAD "\"run\":[\"a\"],\"params\":{\"ranks\":3}}", ":2:31", "of its own"},
        {HEAD "\"run\":[\"a\"],\"params\":{\"n\":{\"full\":3}}}", ":2:27", "small"},
        {HEAD "\"run\":[\"a\"],\"foms\":{\"x\":{\"pattern\":\"(\",\"unit\":\"\",\"better\":\"lower\"}}}", ":2:36", ""},
        {HEAD "\"run\":[\"a\"],\"foms\":{\"x\":{\"pattern\":\"x\",\"unit\":\"\",\"better\":\"up\"}}}", ":2:59",
         "lower"},
        {HEAD "\"run\":[\"a\"],\"foms\":{\"x\":{\"unit\":\"s\",\"better\":\"lower\"}}}", ":2:25", "steps"},
        {HEAD "\"run\":[\"a\"],\"valid\":[{\"pattern\":\"x\",\"why\":\"y\",\"count\":-1}]}", ":2:55", "whole number"},
        {HEAD "\"run\":[\"a\"],\"facts\":[{\"pattern\":\"x\"}]}", ":2:22", "name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct ran *r = run_app(bad[i].text, "{}");
        if (r->fom != -1 || r->err.code != EXIT_CODE_INPUT || !strstr(r->err.where, bad[i].place) ||
            (!strstr(r->err.why, bad[i].why) && !strstr(r->err.what, bad[i].why)))
            fail_msg("%zu: at %s, wanted %s: %s: %s", i, r->err.where, bad[i].place, r->err.what, r->err.why);
        done();
    }
    assert_int_equal(run_app(HEAD SH("true") ",\"params\":{\"n\":1}}", "{\"set\":{\"m\":1}}")->fom, -1);
    assert_non_null(strstr(ran->err.what, "\"m\""));
    assert_non_null(strstr(ran->err.why, "it has n"));
    done();
}

#define APP_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        APP_TEST(takes_the_number_that_is_asked_for),
        APP_TEST(one_run_has_several_figures),
        APP_TEST(a_run_without_a_figure_compares_wall_time),
        APP_TEST(steps_are_stamped_as_they_come),
        APP_TEST(steps_may_be_printed_and_lie_in_a_file),
        APP_TEST(broken_rules_make_a_sample_invalid),
        APP_TEST(a_failed_run_keeps_its_files),
        APP_TEST(facts_and_the_inputs_hash_are_recorded),
        APP_TEST(preparation_is_done_once_for_each_input),
        APP_TEST(a_failed_preparation_says_which_command),
        APP_TEST(what_is_missing_is_named_with_its_package),
        APP_TEST(ranks_and_the_launcher_are_filled_in),
        APP_TEST(bad_descriptions_have_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
