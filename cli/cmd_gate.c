// SPDX-License-Identifier: Apache-2.0
// metalgap gate: a pass/fail verdict for CI. May include: core, report.
#include "cli/command.h"
#include "cli/options.h"
#include "core/memory.h"
#include "core/parse.h"
#include "core/whole_file.h"
#include "report/gate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: metalgap gate --baseline JOURNAL --candidate JOURNAL --max-overhead PCT\n"
    "                     [--case NAME] [--junit FILE] [--json]\n"
    "\n"
    "Is any case of the candidate slower than the baseline by more than PCT percent?\n"
    "\n"
    "  --baseline JOURNAL   the journal to compare with; repeats\n"
    "  --candidate JOURNAL  the journal under test; repeats\n"
    "  --max-overhead PCT   the limit, such as 0.5%\n"
    "  --case NAME          this case only\n"
    "  --junit FILE         also as JUnit XML, for a build server\n"
    "  --json               as JSON on standard output\n"
    "  --help               this text\n"
    "\n"
    "Examples:\n"
    "  metalgap gate --baseline old.jsonl --candidate new.jsonl --max-overhead 0.5%\n"
    "  metalgap gate --baseline a.jsonl --candidate b.jsonl --max-overhead 1 --json\n"
    "\n"
    "Exit codes: 0 no case is over the limit, 1 at least one is (its interval lies\n"
    "above the limit), 4 none is proven to be but some cannot be told (it says how\n"
    "many more samples would), 2 wrong command line, 3 bad journal.\n";

struct arguments {
    struct gate_options gate;
    const char **baselines;
    size_t baseline_capacity;
    const char **candidates;
    size_t candidate_capacity;
    const char *junit;
    bool json;
};

enum { OPT_BASELINE = 256, OPT_CANDIDATE, OPT_MAX, OPT_CASE, OPT_JUNIT, OPT_JSON };

static const struct option long_options[] = {
    {"baseline", required_argument, NULL, OPT_BASELINE},
    {"candidate", required_argument, NULL, OPT_CANDIDATE},
    {"max-overhead", required_argument, NULL, OPT_MAX},
    {"case", required_argument, NULL, OPT_CASE},
    {"junit", required_argument, NULL, OPT_JUNIT},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int set_option(struct arguments *a, int option, struct error *err) {
    switch (option) {
    case OPT_BASELINE:
        ARRAY_PUSH(a->baselines, a->gate.baseline_count, a->baseline_capacity, optarg);
        return 0;
    case OPT_CANDIDATE:
        ARRAY_PUSH(a->candidates, a->gate.candidate_count, a->candidate_capacity, optarg);
        return 0;
    case OPT_MAX:
        return parse_percent("--max-overhead", optarg, &a->gate.max_overhead_pct, err);
    case OPT_CASE:
        a->gate.only = optarg;
        return 0;
    case OPT_JUNIT:
        a->junit = optarg;
        return 0;
    case OPT_JSON:
        a->json = true;
        return 0;
    default:
        return -1; // next_option() has said why
    }
}

static int check(const struct arguments *a, int operands, struct error *err) {
    const char *missing = !a->gate.baseline_count           ? "--baseline JOURNAL"
                          : !a->gate.candidate_count        ? "--candidate JOURNAL"
                          : isnan(a->gate.max_overhead_pct) ? "--max-overhead PCT"
                                                            : NULL;
    if (!missing && operands == 0)
        return 0;
    error_set(err, EXIT_CODE_USAGE, "reading the options of `metalgap gate`");
    error_why(err, missing ? "%s is missing" : "journals are named with --baseline and --candidate",
              missing ? missing : "");
    return error_remedy(err, "metalgap gate --help");
}

static int write_junit(const struct gate *gate, const char *path, struct error *err) {
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    gate_print_junit(gate, memory);
    fclose(memory);
    int result = whole_file_write(path, "the JUnit file", text, size, err);
    free(text);
    return result;
}

static int run(const struct arguments *a, struct error *err) {
    struct gate gate;
    int result = gate_make(&a->gate, &gate, err);
    if (!result && a->junit)
        result = write_junit(&gate, a->junit, err);
    if (!result && a->json)
        gate_print_json(&gate, stdout);
    else if (!result)
        gate_print_text(&gate, stdout);
    if (!result)
        result = (int)gate_exit_code(&gate);
    gate_free(&gate);
    return result;
}

int cmd_gate(int argc, char **argv) {
    struct arguments a = {.gate = {.max_overhead_pct = NAN}};
    struct error err = {0};
    int option;
    int failed = 0;
    optind = 0;
    while (!failed && (option = next_option(argc, argv, "h", long_options, &err)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            free(a.baselines);
            free(a.candidates);
            return EXIT_CODE_DONE;
        }
        failed = set_option(&a, option, &err);
    }
    a.gate.baselines = a.baselines;
    a.gate.candidates = a.candidates;
    int result = failed || check(&a, argc - optind, &err) ? -1 : run(&a, &err);
    free(a.baselines);
    free(a.candidates);
    if (result >= 0)
        return result;
    error_print(&err);
    return (int)err.code;
}
