// SPDX-License-Identifier: Apache-2.0
// External programs: how they are started, watched, ended and read; and what the bench mpi makes of a program's line.
#include "bench/command.h"

#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void sh(const char *script, struct command_outcome *out, double timeout_s) {
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct command command = {.argv = argv, .timeout_s = timeout_s};
    struct error err;
    assert_int_equal(command_run(&command, out, &err), 0);
}

static void success_and_failure_are_told_apart(void **state) {
    (void)state;
    struct command_outcome out;
    char why[256];
    sh("exit 0", &out, 0);
    assert_true(command_succeeded(&out, why, sizeof why));
    sh("echo first; echo the last words >&2; exit 3", &out, 0);
    assert_false(command_succeeded(&out, why, sizeof why));
    assert_non_null(strstr(why, "exit status 3"));
    assert_non_null(strstr(why, "the last words"));
    assert_null(strchr(why, '\n'));
    sh("kill -SEGV $$", &out, 0);
    assert_false(command_succeeded(&out, why, sizeof why));
    assert_non_null(strstr(why, "signal 11"));
}

static void a_missing_program_says_so(void **state) {
    (void)state;
    const char *const argv[] = {"/nonexistent/program", NULL};
    struct command command = {.argv = argv};
    struct command_outcome out;
    struct error err;
    assert_int_equal(command_run(&command, &out, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_LACKS);
    assert_non_null(strstr(err.what, "/nonexistent/program"));
    assert_true(err.why[0] && err.remedy[0]);
}

static void tail_keeps_the_end(void **state) {
    (void)state;
    struct command_outcome out;
    char why[128];
    sh("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 1", &out, 0);
    assert_true(strlen(out.tail) < COMMAND_TAIL);
    assert_non_null(strstr(out.tail, "line 1999\n"));
    assert_null(strstr(out.tail, "line 10\n"));
    assert_false(command_succeeded(&out, why, sizeof why));
    assert_non_null(strstr(why, "line 1999"));
}

static bool is_gone(pid_t pid) {
    for (int i = 0; i < 200; i++) {
        char path[64];
        char text[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        FILE *f = fopen(path, "r");
        if (!f)
            return true;
        size_t count = fread(text, 1, sizeof text - 1, f);
        fclose(f);
        const char *end = count ? strrchr(text, ')') : NULL;
        if (end && end[1] && end[2] == 'Z') // dead; nobody may be there to reap it
            return true;
        usleep(10000);
    }
    return false;
}

static void what_it_leaves_behind_is_ended(void **state) {
    (void)state;
    struct command_outcome out;
    sh("sleep 1000 & echo $!", &out, 0);
    assert_int_equal(out.status, 0);
    pid_t child = (pid_t)atoi(out.tail);
    assert_true(child > 1);
    assert_true(is_gone(child));
}

static void time_limit_ends_the_group(void **state) {
    (void)state;
    struct command_outcome out;
    char why[256];
    sh("sleep 1000 & echo $!; wait", &out, 0.2);
    assert_true(out.timed_out);
    assert_false(command_succeeded(&out, why, sizeof why));
    assert_non_null(strstr(why, "time limit"));
    assert_true(is_gone((pid_t)atoi(out.tail)));
}

static void a_flood_of_output_does_not_hide_the_limit(void **state) {
    (void)state;
    struct command_outcome out;
    sh("yes", &out, 0.2);
    assert_true(out.timed_out);
    assert_non_null(strstr(out.tail, "y\ny\n"));
}

static void signals_and_input_are_clean(void **state) {
    (void)state;
    struct command_outcome out;
    signal(SIGPIPE, SIG_IGN);
    sigset_t blocked;
    sigset_t old;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    sh("grep -E '^Sig(Blk|Ign)' /proc/self/status; cat", &out, 0);
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGPIPE, SIG_DFL);
    assert_non_null(strstr(out.tail, "SigBlk:\t0000000000000000"));
    // Signals 32 and 33 are the C library's own: nobody can set them back when a parent (GNU make does) ignored them.
    const char *ignored = strstr(out.tail, "SigIgn:\t");
    assert_non_null(ignored);
    assert_int_equal(strtoull(ignored + strlen("SigIgn:\t"), NULL, 16) & ~(3ULL << 31), 0);
}

static void keep_line(void *closure, const char *text) {
    char **last = closure;
    free(*last);
    *last = mem_strdup(text);
}

static void lines_arrive_whole(void **state) {
    (void)state;
    char *last = NULL;
    const char *const argv[] = {"sh", "-c", "printf 'a\\nb'; sleep 0.05; printf 'c\\nlast without newline'", NULL};
    const char *const environment[] = {"GIVEN=yes", NULL};
    struct command command = {.argv = argv, .line = keep_line, .closure = &last};
    struct command_outcome out;
    struct error err;
    assert_int_equal(command_run(&command, &out, &err), 0);
    assert_string_equal(last, "last without newline");
    assert_string_equal(out.tail, "a\nbc\nlast without newline");
    const char *const env_argv[] = {"sh", "-c", "echo $GIVEN", NULL};
    command.argv = env_argv;
    command.environment = environment;
    assert_int_equal(command_run(&command, &out, &err), 0);
    assert_string_equal(last, "yes");
    const char *const long_argv[] = {"sh", "-c", "printf '%070000d' 5", NULL}; // comes in pieces of 65536
    command.argv = long_argv;
    assert_int_equal(command_run(&command, &out, &err), 0);
    assert_int_equal(strlen(last), 70000 - 65536);
    const char *const zero_argv[] = {"printf", "a\\0b\\n", NULL};
    command.argv = zero_argv;
    assert_int_equal(command_run(&command, &out, &err), 0);
    assert_string_equal(last, "a b");
    free(last);
}

static void numbers_are_found_by_pattern(void **state) {
    (void)state;
    static const struct {
        const char *pattern;
        const char *line;
        double value; // NaN: none
    } cases[] = {
        {"Performance: +([0-9.]+)", "Performance:        41.9        0.573", 41.9},
        {"[0-9.]+", "took 3.5 s", 3.5},
        {"WR11C2R4 +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ +[0-9.]+ +([0-9.e+-]+)",
         "WR11C2R4        4000   128     1     2               0.69             6.159e+01", 61.59},
        {"rate=([^ ]+)", "rate=fast", NAN},
        {"rate=([^ ]+)", "rate=inf", NAN},
        {"rate=([0-9]+)", "speed=5", NAN},
        {"(x)?rate=[0-9]+", "rate=5", NAN}, // the first group did not match, the whole match is no number
        {"= (-?[0-9.]+)", "y = -2.5", -2.5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        regex_t pattern;
        double value = NAN;
        assert_int_equal(regcomp(&pattern, cases[i].pattern, REG_EXTENDED), 0);
        bool found = command_number(&pattern, cases[i].line, &value);
        regfree(&pattern);
        if (found != !isnan(cases[i].value) || (found && value != cases[i].value))
            fail_msg("%s in \"%s\": %g", cases[i].pattern, cases[i].line, value);
    }
}

// Runs a bench in this process; these do not bind or crash it.
static int run_bench(const struct bench_ops *ops, const char *json, const char *exec_dir, const char *const *launch,
                     struct bench_result *result, struct error *err) {
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    cJSON *given = cJSON_Parse(json);
    cJSON *params = bench_params(ops, given, SIZE_SMALL, err);
    assert_non_null(params);
    struct bench_context context = {
        .params = params, .cpus = &cpus, .threads = 2, .exec_dir = exec_dir, .launch = launch};
    memset(result, 0, sizeof *result);
    int status = ops->run(&context, result, err);
    cJSON_Delete(params);
    cJSON_Delete(given);
    return status;
}

static void command_reports_its_figure(void **state) {
    (void)state;
    struct bench_result *r = mem_alloc(sizeof *r);
    struct error err;
    const char *pattern = "\"pattern\":\"v=([0-9.]+)\",\"better\":\"lower\"";
    char *json = mem_printf("{\"argv\":[\"sh\",\"-c\",\"echo v=1; echo v=2.5 >&2; sleep 0.05\"],%s}", pattern);
    assert_int_equal(run_bench(&bench_command, json, "", NULL, r, &err), 0);
    assert_true(r->valid && (r->fom == 1 || r->fom == 2.5) && r->wall_s >= 0.05); // two pipes: either may be read last
    free(json);
    json = mem_printf("{\"argv\":[\"true\"],%s}", pattern);
    assert_int_equal(run_bench(&bench_command, json, "", NULL, r, &err), 0);
    assert_false(r->valid);
    assert_non_null(strstr(r->why, "v=([0-9.]+)"));
    free(json);
    assert_int_equal(run_bench(&bench_command, "{\"argv\":[\"false\"]}", "", NULL, r, &err), 0);
    assert_true(!r->valid && isnan(r->fom));
    static const char *const launch[] = {"env", "FROM=launcher", NULL};
    assert_int_equal(
        run_bench(&bench_command, "{\"argv\":[\"sh\",\"-c\",\"test $FROM = launcher\"]}", "", launch, r, &err), 0);
    assert_true(r->valid);
    free(r);
}

static char folder[] = "/tmp/metalgap-test-mpi-XXXXXX";

static void put_program(const char *body) {
    char *path = mem_printf("%s/pingpong", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", body);
    fclose(f);
    chmod(path, 0700);
    free(path);
}

static void mpi_reads_the_program_s_line(void **state) {
    (void)state;
    static const char *const launch[] = {"env", NULL};
    struct bench_result *r = mem_alloc(sizeof *r);
    struct error err = {0};
    assert_non_null(mkdtemp(folder));
    put_program(
        "echo noise; echo '{\"metalgap_mpi\":1,\"program\":\"pingpong\",\"fom\":0.5,\"wall_s\":0.25,"
        "\"valid\":true,\"why\":\"\",\"steps_s\":[0.1,0.15],"
        "\"ranks\":[{\"rank\":0,\"node\":\"a\",\"cpu\":3},{\"rank\":1,\"node\":\"b\",\"cpu\":0}]}'");
    assert_int_equal(run_bench(&bench_mpi, "{}", folder, launch, r, &err), 0);
    assert_true(r->valid && r->fom == 0.5 && r->wall_s == 0.25 && r->step_count == 2 && r->steps_s[1] == 0.15);
    assert_string_equal(r->info, "rank 0 on a cpu 3, rank 1 on b cpu 0");
    assert_int_equal(run_bench(&bench_mpi, "{\"bytes\":2000000,\"report\":\"bandwidth\"}", folder, launch, r, &err), 0);
    assert_true(fabs(r->fom - 4000) < 1e-6); // 2 MB in 0.5 us

    put_program("echo $1 $2 $3 $4 >&2; exit 9");
    assert_int_equal(run_bench(&bench_mpi, "{\"bytes\":64}", folder, launch, r, &err), 0);
    assert_false(r->valid);
    assert_non_null(strstr(r->why, "exit status 9"));
    assert_non_null(strstr(r->why, "--bytes 64 --seconds 0.2"));

    put_program("echo hello");
    assert_int_equal(run_bench(&bench_mpi, "{}", folder, launch, r, &err), 0);
    assert_false(r->valid);
    assert_string_equal(r->why, "it printed no result");

    put_program("echo '{\"metalgap_mpi\":1,\"fom\":\"fast\"}'");
    assert_int_equal(run_bench(&bench_mpi, "{}", folder, launch, r, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    put_program("echo '{\"metalgap_mpi\":1,\"fom\":'");
    assert_int_equal(run_bench(&bench_mpi, "{}", folder, launch, r, &err), -1);
    free(r);
    char *path = mem_printf("%s/pingpong", folder);
    unlink(path);
    rmdir(folder);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_and_failure_are_told_apart),
        cmocka_unit_test(a_missing_program_says_so),
        cmocka_unit_test(tail_keeps_the_end),
        cmocka_unit_test(what_it_leaves_behind_is_ended),
        cmocka_unit_test(time_limit_ends_the_group),
        cmocka_unit_test(a_flood_of_output_does_not_hide_the_limit),
        cmocka_unit_test(signals_and_input_are_clean),
        cmocka_unit_test(lines_arrive_whole),
        cmocka_unit_test(numbers_are_found_by_pattern),
        cmocka_unit_test(command_reports_its_figure),
        cmocka_unit_test(mpi_reads_the_program_s_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
