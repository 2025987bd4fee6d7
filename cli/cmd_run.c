// SPDX-License-Identifier: Apache-2.0
// metalgap run: a suite, or any command, with collectors alongside; the result is a journal.
#include "bench/launch.h"
#include "cli/command.h"
#include "cli/run_arguments.h"
#include "cli/run_header.h"
#include "cli/run_host.h"
#include "cli/terminal.h"
#include "core/memory.h"
#include "core/paths.h"
#include "report/report.h"
#include "report/stats.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// --- the run ------------------------------------------------------------------------------------------------------

static char *default_journal(const struct suite *suite) {
    char stamp[32];
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    return mem_printf("%s-%s.jsonl", suite->count == 1 ? suite->cases[0].name : suite->name, stamp);
}

static void print_summary_json(const char *journal, const struct run_summary *s) {
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "journal", journal);
    json_add_string(object, "status", s->stopped ? "stopped" : "complete");
    json_add_u64(object, "samples", s->samples);
    json_add_u64(object, "invalid_samples", s->invalid);
    json_add_u64(object, "skipped_cases", s->skipped);
    json_add_double(object, "wall_s", s->wall_s);
    json_add_double(object, "recording_s", s->recording_s);
    char *text = json_print_line(object);
    puts(text);
    free(text);
    cJSON_Delete(object);
}

// `baseline` may be NULL.
static void print_report(const char *journal, const char *baseline) {
    struct report_options report = {.journals = &journal,
                                    .journal_count = 1,
                                    .baselines = &baseline,
                                    .baseline_count = baseline ? 1 : 0,
                                    .limit_pct = REPORT_DEFAULT_LIMIT_PCT,
                                    .format = "text",
                                    .colour = isatty(STDOUT_FILENO),
                                    .columns = terminal_text_columns()};
    struct error err;
    if (report_make(&report, stdout, &err))
        error_print(&err);
}

// The runner asks; the statistics answer.
static bool narrow_enough(const double *costs, size_t count, double pct) {
    struct stats_summary s = stats_summarise(costs, count);
    return (s.median_ci.high - s.median_ci.low) / 2 <= pct / 100 * s.median; // false without an interval (NaN)
}

// The same for two sides in turn: the interval that the report will judge by.
static bool pairs_narrow_enough(const double *second, const double *first, size_t count, double pct) {
    double *subject = mem_alloc((2 * count + 1) * sizeof *subject);
    double *baseline = subject + count;
    for (size_t i = 0; i < count; i++) {
        subject[i] = log(second[i]);
        baseline[i] = log(first[i]);
    }
    struct stats_shift shift = stats_compare_blocks(subject, baseline, count);
    free(subject);
    return (shift.ci.high - shift.ci.low) / 2 <= pct / 100; // false without an interval (NaN)
}

// The journals are closed properly; now end as the signal says.
static void end_by(int number) {
    if (!number)
        return;
    fflush(NULL);
    signal(number, SIG_DFL);
    raise(number);
}

static int show_plan(struct run_arguments *o, int argc, char **argv, struct error *err) {
    cJSON *header = run_header(o->label, o->role, argc, argv);
    o->run.header = header;
    int result = run_plan(&o->run, o->json, err);
    cJSON_Delete(header);
    return result;
}

static int execute(struct run_arguments *o, int argc, char **argv, struct error *err) {
    struct run_summary summary;
    char *journal = o->run.journal ? mem_strdup(o->run.journal) : default_journal(o->run.suite);
    cJSON *header = run_header(o->label, o->role, argc, argv);
    o->run.journal = journal;
    o->run.header = header;
    o->run.narrow_enough = narrow_enough;
    int result = run_suite(&o->run, &summary, err);
    cJSON_Delete(header);
    if (!result && o->json) {
        print_summary_json(journal, &summary);
    } else if (!result && strcmp(journal, "-") != 0) {
        if (summary.samples)
            print_report(journal, NULL);
        else if (summary.skipped == o->run.suite->count)
            fputs("\nNothing was run: what each case needs stands above.\n", stderr);
        fprintf(stderr, "\nThe journal is %s. For a page: metalgap report %s -o report.html\n", journal, journal);
    }
    free(journal);
    if (result)
        return -1;
    end_by(summary.signal);
    return summary.missing ? EXIT_CODE_LACKS : EXIT_CODE_DONE;
}

// `suites` are the words before "--" that are not options, `command` is what stands behind it, or NULL.
static int load_suite(const struct run_arguments *o, char *const *suites, int count, char *const *command,
                      const char *suite_dir, struct suite *suite, struct error *err) {
    if (command && count == 0 && command[0])
        return suite_from_command(NULL, command, suite, err);
    if (!command && count == 1)
        return suite_load(suites[0], suite_dir, o->size, suite, err);
    error_set(err, EXIT_CODE_USAGE, "choosing what to run");
    if (command)
        error_why(err, count ? "there is a suite (%s) and a command behind --" : "there is no command behind --",
                  count ? suites[0] : "");
    else
        error_why(err, count ? "there is more than one suite" : "no suite is named");
    return error_remedy(err, "metalgap run quick, or metalgap run -- COMMAND; metalgap run --help");
}

static int run_with(struct run_arguments *o, int argc, char **argv, int words, struct error *err) {
    struct paths paths;
    struct suite suite = {0};
    int result = paths_find(&paths, err);
    if (!result)
        result = load_suite(o, argv + optind, words - optind, words < argc ? argv + words + 1 : NULL, paths.suites,
                            &suite, err);
    if (!result) {
        o->run.suite = &suite;
        o->run.by_name = words < argc;
        o->run.data_dir = paths.suites;
        o->run.exec_dir = paths.mpi;
        if (!o->dry_run)
            launch_into_allocation(o->run.launch, argv);
        result = o->dry_run ? show_plan(o, argc, argv, err) : execute(o, argc, argv, err);
    }
    suite_free(&suite);
    paths_free(&paths);
    return result;
}

// --- two commands in turn ------------------------------------------------------------------------------------------

static int make_folder(const char *path, struct error *err) {
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "making the folder %s", path);
    return error_why(err, "%s", strerror(errno));
}

static void print_pair(const struct run_arguments *o, const struct run_options run[2],
                       const struct run_summary summary[2]) {
    if (o->json) {
        for (int i = 0; i < 2; i++)
            print_summary_json(run[i].journal, &summary[i]);
        return;
    }
    if (summary[0].samples && summary[1].samples)
        print_report(run[1].journal, run[0].journal);
    fprintf(stderr, "\nFor a page: metalgap report %s --baseline %s -o report.html\n", run[1].journal, run[0].journal);
}

static int execute_pair(struct run_arguments *o, const struct suite suites[2], int argc, char **argv,
                        struct error *err) {
    struct run_options run[2];
    struct run_summary summary[2];
    char *journals[2];
    cJSON *headers[2];
    for (int i = 0; i < 2; i++) {
        journals[i] = mem_printf("%s/%s.jsonl", o->run.journal, o->sides[i].name);
        headers[i] = run_header(o->sides[i].name, o->role, argc, argv);
        run[i] = o->run;
        run[i].suite = &suites[i];
        run[i].journal = journals[i];
        run[i].header = headers[i];
        run[i].by_name = true;
        run[i].pairs_narrow_enough = pairs_narrow_enough;
    }
    int result = make_folder(o->run.journal, err) || run_pair(run, summary, err) ? -1 : 0;
    if (!result)
        print_pair(o, run, summary);
    for (int i = 0; i < 2; i++) {
        free(journals[i]);
        cJSON_Delete(headers[i]);
    }
    if (!result)
        end_by(summary[0].signal);
    return result;
}

// Both cases have one name, so that the report compares them.
static int run_sides(struct run_arguments *o, int argc, char **argv, struct error *err) {
    struct suite suites[2] = {{0}, {0}};
    if (o->side_count != 2 || !o->run.journal || argc != optind || o->run.only || o->dry_run) {
        error_set(err, EXIT_CODE_USAGE, "running two commands in turn");
        error_why(err, "it takes --ab twice, -o with a folder, no suite, no --only and no --dry-run");
        return error_remedy(err, "metalgap run --help");
    }
    int result = suite_from_command("command", o->sides[0].argv, &suites[0], err) ||
                         suite_from_command("command", o->sides[1].argv, &suites[1], err) ||
                         execute_pair(o, suites, argc, argv, err)
                     ? -1
                     : 0;
    suite_free(&suites[0]);
    suite_free(&suites[1]);
    return result;
}

// --- a host -------------------------------------------------------------------------------------------------------

static bool is_host_only(const struct run_arguments *o, int argc, int words) {
    return o->role && strcmp(o->role, "host") == 0 && optind == argc && words == argc && !o->side_count;
}

static int record_host(const struct run_arguments *o, int argc, char **argv, struct error *err) {
    struct host_run run = {.journal = o->run.journal,
                           .label = o->label,
                           .vm = o->vm,
                           .duration_s = o->duration_s,
                           .json = o->json,
                           .argc = argc,
                           .argv = argv};
    return run_host(&run, err);
}

// These two make sense for a host's recording alone.
static int refuse_host_options(const struct run_arguments *o, struct error *err) {
    if (!o->vm && isinf(o->duration_s))
        return 0;
    error_set(err, EXIT_CODE_USAGE, "reading the options of `metalgap run`");
    error_why(err, "--duration and --vm are for recording a host, which runs nothing of its own");
    return error_remedy(err, "metalgap run --role host --duration 10m -o host.jsonl");
}

static int choose(struct run_arguments *o, int argc, char **argv, int words, struct error *err) {
    if (is_host_only(o, argc, words))
        return record_host(o, argc, argv, err);
    if (refuse_host_options(o, err))
        return -1;
    return o->side_count ? run_sides(o, argc, argv, err) : run_with(o, argc, argv, words, err);
}

int cmd_run(int argc, char **argv) {
    struct run_arguments o;
    struct error err = {0};
    // What stands behind "--" is the command's own: options there are not ours.
    int words = 0;
    while (words < argc && strcmp(argv[words], "--") != 0)
        words++;
    int result = run_arguments_read(&o, words, argv, &err);
    if (!result && o.help)
        fputs(run_usage, stdout);
    else if (!result)
        result = choose(&o, argc, argv, words, &err);
    run_arguments_free(&o);
    if (result >= 0)
        return result;
    error_print(&err);
    return err.code;
}
