// SPDX-License-Identifier: Apache-2.0
// Options of `metalgap run`. See run_arguments.h.
#include "cli/run_arguments.h"

#include "cli/options.h"

#include "core/memory.h"
#include "core/parse.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REPS            1000000
#define QUIET_WAIT_S        10.0
#define MAX_TICK_BUDGET_PCT 50

const char run_usage[] =
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
    "  --tick-budget PCT   what the exit profiler's ticks may take (default: 1%)\n"
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
    "  metalgap run --role host --duration 10m -o host.jsonl   on a host or Dom0\n"
    "  metalgap report here.jsonl --baseline metal.jsonl --host host.jsonl\n";

enum {
    OPT_AB = 256,
    OPT_LABEL,
    OPT_ROLE,
    OPT_REPS,
    OPT_UNTIL,
    OPT_BUDGET,
    OPT_ONLY,
    OPT_COLLECTORS,
    OPT_TICK_BUDGET,
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
    {"tick-budget", required_argument, NULL, OPT_TICK_BUDGET},
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

// --- values ------------------------------------------------------------------------------------------------

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

static int set_launch(struct run_arguments *o, const char *text, struct error *err) {
    o->launch = split_words(text);
    if (!o->launch || !o->launch[0])
        return wrong_usage(err, "--launch", text, "a command such as \"mpirun -np 4\", with its quotes closed");
    o->run.launch = (const char *const *)o->launch;
    return 0;
}

static int set_side(struct run_arguments *o, const char *text, struct error *err) {
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : 0;
    if (o->side_count == 2) {
        error_set(err, EXIT_CODE_USAGE, "--ab %s", text);
        return error_why(err, "there are two already");
    }
    struct run_side *side = &o->sides[o->side_count];
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

static int set_size(struct run_arguments *o, const char *text, struct error *err) {
    for (int i = 0; i < SIZE_COUNT; i++) {
        if (strcmp(text, bench_size_names[i]) == 0) {
            o->size = (enum bench_size)i;
            return 0;
        }
    }
    return wrong_usage(err, "--size", text, "small, default or full");
}

static int set_role(struct run_arguments *o, const char *text, struct error *err) {
    if (strcmp(text, "metal") != 0 && strcmp(text, "guest") != 0 && strcmp(text, "host") != 0)
        return wrong_usage(err, "--role", text, "metal, guest or host");
    o->role = o->run.role = text;
    return 0;
}

static int set_reps(struct run_arguments *o, const char *text, struct error *err) {
    uint64_t reps = 0;
    if (parse_count("--reps", text, 1, MAX_REPS, &reps, err))
        return -1;
    o->run.reps = (unsigned)reps;
    return 0;
}

static int set_tick_budget(struct run_arguments *o, const char *text, struct error *err) {
    if (parse_percent("--tick-budget", text, &o->run.tick_budget_pct, err))
        return -1;
    if (o->run.tick_budget_pct > 0 && o->run.tick_budget_pct <= MAX_TICK_BUDGET_PCT)
        return 0;
    return wrong_usage(err, "--tick-budget", text, "a percentage above 0 and up to 50");
}

static int set_cpus(struct run_arguments *o, const char *text, struct error *err) {
    o->run.cpus = &o->cpus;
    return parse_cpus("--cpus", text, &o->cpus, err);
}

static int set_option(struct run_arguments *o, int option, const char *value, struct error *err) {
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
    case OPT_TICK_BUDGET:
        return set_tick_budget(o, value, err);
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
        return -1; // next_option() has said why
    }
}

int run_arguments_read(struct run_arguments *o, int words, char **argv, struct error *err) {
    int option;
    int failed = 0;
    *o = (struct run_arguments){
        .size = SIZE_DEFAULT,
        .duration_s = INFINITY,
        .run = {.collectors = "all", .until_pct = NAN, .budget_s = INFINITY, .quiet_wait_s = QUIET_WAIT_S}};
    optind = 1;
    while (!failed && !o->help && (option = next_option(words, argv, "o:h", long_options, err)) != -1) {
        if (option == 'h')
            o->help = true;
        else
            failed = set_option(o, option, optarg, err);
    }
    return failed;
}

static void free_words(char **words) {
    for (size_t i = 0; words && words[i]; i++)
        free(words[i]);
    free(words);
}

void run_arguments_free(struct run_arguments *o) {
    free_words(o->launch);
    for (int i = 0; i < 2; i++) {
        free(o->sides[i].name);
        free_words(o->sides[i].argv);
    }
}
