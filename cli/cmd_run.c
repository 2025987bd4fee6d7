// SPDX-License-Identifier: Apache-2.0
// metalgap run: a suite, or any command, with collectors alongside; the result is a journal.
#include "bench/launch.h"
#include "bench/runner.h"
#include "cli/command.h"
#include "cli/run_header.h"
#include "cli/run_host.h"
#include "core/memory.h"
#include "core/parse.h"
#include "core/paths.h"
#include "report/report.h"
#include "report/stats.h"

#include <ctype.h>
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

#define MAX_REPS     1000000
#define QUIET_WAIT_S 10.0

static const char usage[] =
    "Usage: metalgap run SUITE [OPTION...]\n"
    "       metalgap run [OPTION...] -- COMMAND [ARG...]\n"
    "       metalgap run --ab NAME=\"ARGV\" --ab NAME=\"ARGV\" -o DIR [OPTION...]\n"
    "       metalgap run --role host [--duration TIME] [--vm PID|NAME] [-o FILE]\n"
    "\n"
    "Runs benchmarks, has collectors watch what the hypervisor does meanwhile, and\n"
    "keeps everything in a journal for `metalgap report`.\n"
    "\n"
    "  -o FILE             the journal (default: NAME-TIME.jsonl here; - is stdout)\n"
    "  --label NAME        the machine's name in reports (default: its type or host)\n"
    "  --role ROLE         metal, guest or host (default: as detected)\n"
    "  --reps N            timing samples per case (default: as the suite says)\n"
    "  --until PCT         sample until each case's interval is at most +-PCT wide\n"
    "  --budget DURATION   start no more samples after this: 90s, 10m, 2h\n"
    "  --only CASE,...     only these cases of the suite\n"
    "  --collectors LIST   all (default), none, or names (`metalgap list collectors`)\n"
    "  --cpus LIST         use only these CPUs, such as 0-3,8\n"
    "  --size SIZE         small, default or full\n"
    "  --launch \"ARGV\"     launcher instead of mpirun, such as \"srun -n 4\"\n"
    "  --quiet-wait TIME   wait at most so long for a quiet machine (default: 10s)\n"
    "  --ab NAME=\"ARGV\"    two commands in turn, paired; journals DIR/NAME.jsonl\n"
    "  --duration TIME     a host's recording: how long (default: until Ctrl-C)\n"
    "  --vm PID|NAME       a host's recording: only this virtual machine\n"
    "  --resume            add to the journal what is missing\n"
    "  --dry-run           print what would run, and how long it takes\n"
    "  --json              a summary of the run as JSON on standard output\n"
    "  --help              this text\n"
    "\n"
    "Examples:\n"
    "  metalgap run quick -o here.jsonl               the one-minute suite\n"
    "  metalgap run quick --only stream.triad --until 0.5% --budget 10m\n"
    "  metalgap run -o sleep.jsonl --reps 10 -- ./solver input.dat\n"
    "  metalgap run quick -o here.jsonl --resume      after an interruption\n"
    "  metalgap run --ab old=\"./a.out 1\" --ab new=\"./b.out 1\" -o ab --until 0.5%\n"
    "  metalgap run --role host --duration 10m -o host.jsonl   on a KVM host\n"
    "  metalgap report here.jsonl --baseline metal.jsonl --host host.jsonl\n";

// One of the two commands of --ab.
struct side {
    char *name;
    char **argv;
};

struct options {
    struct run_options run;
    const char *label;
    const char *role;
    enum bench_size size;
    cpu_set_t cpus;
    char **launch;
    struct side sides[2]; // of --ab
    int side_count;
    double duration_s; // of a host's recording
    const char *vm;
    bool dry_run;
    bool json;
};

enum {
    OPT_AB = 256,
    OPT_LABEL,
    OPT_ROLE,
    OPT_REPS,
    OPT_UNTIL,
    OPT_BUDGET,
    OPT_ONLY,
    OPT_COLLECTORS,
    OPT_CPUS,
    OPT_SIZE,
    OPT_LAUNCH,
    OPT_QUIET_WAIT,
    OPT_DURATION,
    OPT_VM,
    OPT_RESUME,
    OPT_DRY_RUN,
    OPT_JSON
};

static const struct option long_options[] = {
    {"ab", required_argument, NULL, OPT_AB},
    {"label", required_argument, NULL, OPT_LABEL},
    {"role", required_argument, NULL, OPT_ROLE},
    {"reps", required_argument, NULL, OPT_REPS},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"budget", required_argument, NULL, OPT_BUDGET},
    {"only", required_argument, NULL, OPT_ONLY},
    {"collectors", required_argument, NULL, OPT_COLLECTORS},
    {"cpus", required_argument, NULL, OPT_CPUS},
    {"size", required_argument, NULL, OPT_SIZE},
    {"launch", required_argument, NULL, OPT_LAUNCH},
    {"quiet-wait", required_argument, NULL, OPT_QUIET_WAIT},
    {"duration", required_argument, NULL, OPT_DURATION},
    {"vm", required_argument, NULL, OPT_VM},
    {"resume", no_argument, NULL, OPT_RESUME},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"json", no_argument, NULL, OPT_JSON},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int wrong_usage(struct error *err, const char *option, const char *text, const char *expected) {
    error_set(err, EXIT_CODE_USAGE, "%s %s", option, text);
    return error_why(err, "expected %s", expected);
}

// --- option values ------------------------------------------------------------------------------------------------

// Splits at blanks; single and double quotes keep blanks together. No shell is involved. NULL if a quote is open.
static char **split_words(const char *text) {
    char **words = NULL;
    size_t count = 0;
    size_t capacity = 0;
    while (*text) {
        while (isspace((unsigned char)*text))
            text++;
        if (!*text)
            break;
        char *word = mem_alloc(strlen(text) + 1);
        size_t length = 0;
        char quote = '\0';
        for (; *text && (quote || !isspace((unsigned char)*text)); text++) {
            if (quote ? *text == quote : *text == '\'' || *text == '"')
                quote = quote ? '\0' : *text;
            else
                word[length++] = *text;
        }
        ARRAY_PUSH(words, count, capacity, word);
        if (quote) {
            for (size_t i = 0; i < count; i++)
                free(words[i]);
            free(words);
            return NULL;
        }
    }
    ARRAY_PUSH(words, count, capacity, NULL);
    return words;
}

static int set_launch(struct options *o, const char *text, struct error *err) {
    o->launch = split_words(text);
    if (!o->launch || !o->launch[0])
        return wrong_usage(err, "--launch", text, "a command such as \"mpirun -np 4\", with its quotes closed");
    o->run.launch = (const char *const *)o->launch;
    return 0;
}

static int set_side(struct options *o, const char *text, struct error *err) {
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : 0;
    if (o->side_count == 2) {
        error_set(err, EXIT_CODE_USAGE, "--ab %s", text);
        return error_why(err, "there are two already");
    }
    struct side *side = &o->sides[o->side_count];
    if (length == 0 || memchr(text, '/', length))
        return wrong_usage(err, "--ab", text, "NAME=\"COMMAND ARG...\" with a name that can be a file's");
    side->argv = split_words(equals + 1);
    if (!side->argv || !side->argv[0])
        return wrong_usage(err, "--ab", text, "a command behind the =, with its quotes closed");
    side->name = mem_printf("%.*s", (int)length, text);
    o->side_count++;
    if (o->side_count == 2 && strcmp(o->sides[0].name, side->name) == 0)
        return wrong_usage(err, "--ab", text, "another name than the first one's");
    return 0;
}

static int set_size(struct options *o, const char *text, struct error *err) {
    for (int i = 0; i < SIZE_COUNT; i++) {
        if (strcmp(text, bench_size_names[i]) == 0) {
            o->size = (enum bench_size)i;
            return 0;
        }
    }
    return wrong_usage(err, "--size", text, "small, default or full");
}

static int set_role(struct options *o, const char *text, struct error *err) {
    if (strcmp(text, "metal") != 0 && strcmp(text, "guest") != 0 && strcmp(text, "host") != 0)
        return wrong_usage(err, "--role", text, "metal, guest or host");
    o->role = o->run.role = text;
    return 0;
}

static int set_reps(struct options *o, const char *text, struct error *err) {
    uint64_t reps = 0;
    if (parse_count("--reps", text, 1, MAX_REPS, &reps, err))
        return -1;
    o->run.reps = (unsigned)reps;
    return 0;
}

static int set_cpus(struct options *o, const char *text, struct error *err) {
    o->run.cpus = &o->cpus;
    return parse_cpus("--cpus", text, &o->cpus, err);
}

static int set_option(struct options *o, int option, const char *value, struct error *err) {
    switch (option) {
    case 'o':
        o->run.journal = value;
        return 0;
    case OPT_AB:
        return set_side(o, value, err);
    case OPT_LABEL:
        o->label = o->run.label = value;
        return 0;
    case OPT_ROLE:
        return set_role(o, value, err);
    case OPT_REPS:
        return set_reps(o, value, err);
    case OPT_UNTIL:
        return parse_percent("--until", value, &o->run.until_pct, err);
    case OPT_BUDGET:
        return parse_duration_s("--budget", value, &o->run.budget_s, err);
    case OPT_ONLY:
        o->run.only = value;
        return 0;
    case OPT_COLLECTORS:
        o->run.collectors = value;
        return 0;
    case OPT_CPUS:
        return set_cpus(o, value, err);
    case OPT_SIZE:
        return set_size(o, value, err);
    case OPT_LAUNCH:
        return set_launch(o, value, err);
    case OPT_QUIET_WAIT:
        return parse_duration_s("--quiet-wait", value, &o->run.quiet_wait_s, err);
    case OPT_DURATION:
        return parse_duration_s("--duration", value, &o->duration_s, err);
    case OPT_VM:
        o->vm = value;
        return 0;
    case OPT_RESUME:
        o->run.resume = true;
        return 0;
    case OPT_DRY_RUN:
        o->dry_run = true;
        return 0;
    case OPT_JSON:
        o->json = true;
        return 0;
    default:
        error_set(err, EXIT_CODE_USAGE, "reading the options of `metalgap run`");
        return error_remedy(err, "metalgap run --help");
    }
}

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
                                    .colour = isatty(STDOUT_FILENO)};
    struct error err;
    if (report_make(&report, stdout, &err))
        error_print(&err);
}

// The runner asks; the statistics answer.
static bool narrow_enough(const double *costs, size_t count, double pct) {
    struct stats_summary s = stats_summarise(costs, count);
    return (s.median_ci.high - s.median_ci.low) / 2 <= pct / 100 * s.median; // false without an interval (NaN)
}

// The same for the ratios of pairs: the interval that the report will judge by.
static bool pairs_narrow_enough(const double *ratios, size_t count, double pct) {
    double *difference = mem_alloc((count + 1) * sizeof *difference);
    for (size_t i = 0; i < count; i++)
        difference[i] = log(ratios[i]);
    struct stats_shift shift = stats_compare_paired(difference, count);
    free(difference);
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

static int execute(struct options *o, int argc, char **argv, struct error *err) {
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
        fprintf(stderr, "\nThe journal is %s. For a page: metalgap report %s -o report.html\n", journal, journal);
    }
    free(journal);
    if (result)
        return -1;
    end_by(summary.signal);
    return summary.missing ? EXIT_CODE_LACKS : EXIT_CODE_DONE;
}

// `suites` are the words before "--" that are not options, `command` is what stands behind it, or NULL.
static int load_suite(const struct options *o, char *const *suites, int count, char *const *command,
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

static int run_with(struct options *o, int argc, char **argv, int words, struct error *err) {
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
        result = o->dry_run ? run_plan(&o->run, o->json, err) : execute(o, argc, argv, err);
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

static void print_pair(const struct options *o, const struct run_options run[2], const struct run_summary summary[2]) {
    if (o->json) {
        for (int i = 0; i < 2; i++)
            print_summary_json(run[i].journal, &summary[i]);
        return;
    }
    if (summary[0].samples && summary[1].samples)
        print_report(run[1].journal, run[0].journal);
    fprintf(stderr, "\nFor a page: metalgap report %s --baseline %s -o report.html\n", run[1].journal, run[0].journal);
}

static int execute_pair(struct options *o, const struct suite suites[2], int argc, char **argv, struct error *err) {
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
        run[i].narrow_enough = pairs_narrow_enough;
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
static int run_sides(struct options *o, int argc, char **argv, struct error *err) {
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

static bool is_host_only(const struct options *o, int argc, int words) {
    return o->role && strcmp(o->role, "host") == 0 && optind == argc && words == argc && !o->side_count;
}

static int record_host(const struct options *o, int argc, char **argv, struct error *err) {
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
static int refuse_host_options(const struct options *o, struct error *err) {
    if (!o->vm && isinf(o->duration_s))
        return 0;
    error_set(err, EXIT_CODE_USAGE, "reading the options of `metalgap run`");
    error_why(err, "--duration and --vm are for recording a host, which runs nothing of its own");
    return error_remedy(err, "metalgap run --role host --duration 10m -o host.jsonl");
}

static int choose(struct options *o, int argc, char **argv, int words, struct error *err) {
    if (is_host_only(o, argc, words))
        return record_host(o, argc, argv, err);
    if (refuse_host_options(o, err))
        return -1;
    return o->side_count ? run_sides(o, argc, argv, err) : run_with(o, argc, argv, words, err);
}

static void free_words(char **words) {
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}

static void free_options(struct options *o) {
    free_words(o->launch);
    for (int i = 0; i < 2; i++) {
        free(o->sides[i].name);
        free_words(o->sides[i].argv);
    }
}

int cmd_run(int argc, char **argv) {
    struct options o = {
        .size = SIZE_DEFAULT,
        .duration_s = INFINITY,
        .run = {.collectors = "all", .until_pct = NAN, .budget_s = INFINITY, .quiet_wait_s = QUIET_WAIT_S}};
    struct error err = {0};
    int option;
    int failed = 0;
    // What stands behind "--" is the command's own: options there are not ours.
    int words = 0;
    while (words < argc && strcmp(argv[words], "--") != 0)
        words++;
    optind = 1;
    while (!failed && (option = getopt_long(words, argv, "o:h", long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            free_options(&o);
            return EXIT_CODE_DONE;
        }
        failed = set_option(&o, option, optarg, &err);
    }
    int result = failed ? -1 : choose(&o, argc, argv, words, &err);
    free_options(&o);
    if (result >= 0)
        return result;
    error_print(&err);
    return err.code;
}
