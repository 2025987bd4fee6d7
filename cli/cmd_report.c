// SPDX-License-Identifier: Apache-2.0
// metalgap report: parses the command line and has the report made. May include: core, report.
#include "cli/command.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "core/memory.h"
#include "core/parse.h"
#include "core/str.h"
#include "core/whole_file.h"
#include "report/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char USAGE[] =
    "Usage: metalgap report JOURNAL... [--baseline JOURNAL]... [OPTION...]\n"
    "\n"
    "By how much is the subject slower than the baseline, with which certainty, and\n"
    "where does the time go?\n"
    "Without a baseline: what happened, and what the hypervisor was seen to take.\n"
    "Several journals of one side are several machines (or several runs of one).\n"
    "\n"
    "  --baseline JOURNAL  the side to compare with, bare metal usually; repeats\n"
    "  --host JOURNAL      the host's own record of the same time: its times replace\n"
    "                      the guest's estimates where it covers them; repeats\n"
    "  --history           the journals are runs of one machine over time: where\n"
    "                      did its level change? The report is about the newest run\n"
    "  --limit PCT         \"not slower\" means: by less than this (default 0.5%)\n"
    "  --format FORMAT     text, json, md, csv, html or openmetrics (default: as the\n"
    "                      name of -o's file says, else text)\n"
    "  -o, --output FILE   write there; - is standard output\n"
    "  -h, --help          this text\n"
    "\n"
    "Examples:\n"
    "  metalgap report run.jsonl                             one machine\n"
    "  metalgap report guest.jsonl --baseline metal.jsonl    the gap\n"
    "  metalgap report guest.jsonl --baseline metal.jsonl -o gap.html\n"
    "  metalgap report g1.jsonl g2.jsonl --baseline m1.jsonl --baseline m2.jsonl\n"
    "  metalgap report --history nightly/*.jsonl -o trend.html\n"
    "  metalgap report guest.jsonl --baseline metal.jsonl --host host.jsonl\n"
    "  metalgap report b.jsonl --baseline a.jsonl --format json\n"
    "\n"
    "Exit codes: 0 done, 2 wrong command line, 3 a journal is bad (place named),\n"
    "4 the report could not be written, or something asked for is not there.\n";

struct arguments {
    struct report_options report;
    const char **baselines;
    size_t baseline_count;
    size_t baseline_capacity;
    const char **hosts;
    size_t host_count;
    size_t host_capacity;
    const char *output;
};

enum { OPTION_BASELINE = 256, OPTION_HOST, OPTION_HISTORY, OPTION_LIMIT, OPTION_FORMAT };

static const struct option OPTIONS[] = {
    {"baseline", required_argument, NULL, OPTION_BASELINE},
    {"host", required_argument, NULL, OPTION_HOST},
    {"history", no_argument, NULL, OPTION_HISTORY},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int no_journal(void) {
    struct error err;
    error_set(&err, EXIT_CODE_USAGE, "reading the options of `metalgap report`");
    error_why(&err, "no journal is given");
    error_remedy(&err, "name what `metalgap run -o FILE` has written; metalgap report --help");
    error_print(&err);
    return EXIT_CODE_USAGE;
}

// 0: go on; otherwise the exit code + 1 (so that --help can end with 0).
static int parse_one(int option, struct arguments *args, struct error *err) {
    switch (option) {
    case OPTION_BASELINE:
        ARRAY_PUSH(args->baselines, args->baseline_count, args->baseline_capacity, optarg);
        return 0;
    case OPTION_HOST:
        ARRAY_PUSH(args->hosts, args->host_count, args->host_capacity, optarg);
        return 0;
    case OPTION_HISTORY:
        args->report.history = true;
        return 0;
    case OPTION_LIMIT:
        if (parse_percent("--limit", optarg, &args->report.limit_pct, err) == 0)
            return 0;
        break;
    case OPTION_FORMAT:
        args->report.format = optarg;
        return 0;
    case 'o':
        args->output = optarg;
        return 0;
    case 'h':
        fputs(USAGE, stdout);
        return EXIT_CODE_DONE + 1;
    default: // next_option() has said why
        break;
    }
    error_print(err);
    return EXIT_CODE_USAGE + 1;
}

static bool to_standard_output(const struct arguments *args) {
    return !args->output || strcmp(args->output, "-") == 0;
}

static int write_report(const struct arguments *args) {
    struct error err;
    char *buffer = NULL;
    size_t size = 0;
    // Into memory first: a bad journal must not leave half a report or destroy an older one.
    FILE *memory = open_memstream(&buffer, &size);
    int result = report_make(&args->report, memory, &err);
    fclose(memory);
    if (result == 0 && !to_standard_output(args))
        result = whole_file_write(args->output, "the report", buffer, size, &err);
    else if (result == 0 && fwrite(buffer, 1, size, stdout) == size) // main() tells what was not written
        fflush(stdout);
    if (result != 0)
        error_print(&err);
    free(buffer);
    return result == 0 ? EXIT_CODE_DONE : (int)err.code;
}

static char *command_line(int argc, char **argv) {
    struct str text = {0};
    str_add(&text, "metalgap");
    for (int i = 0; i < argc; i++) {
        bool plain = *argv[i] && strspn(argv[i],
                                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                        "-_./=%:,+@") == strlen(argv[i]);
        str_printf(&text, plain ? " %s" : " '%s'", argv[i]);
    }
    return text.text;
}

int cmd_report(int argc, char **argv) {
    struct arguments args = {.report = {.limit_pct = REPORT_DEFAULT_LIMIT_PCT}};
    char *command = command_line(argc, argv); // before getopt_long() moves the operands to the end
    struct error err;
    int done = 0;
    int option;
    optind = 0;
    while (!done && (option = next_option(argc, argv, "o:h", OPTIONS, &err)) != -1)
        done = parse_one(option, &args, &err);
    int code = done - 1;
    if (!done && optind == argc) {
        code = no_journal();
    } else if (!done) {
        if (!args.report.format && !to_standard_output(&args))
            args.report.format = report_format_of_file(args.output);
        if (!args.report.format)
            args.report.format = "text";
        args.report.journals = (const char *const *)(argv + optind);
        args.report.journal_count = (size_t)(argc - optind);
        args.report.baselines = args.baselines;
        args.report.baseline_count = args.baseline_count;
        args.report.hosts = args.hosts;
        args.report.host_count = args.host_count;
        args.report.colour = to_standard_output(&args) && isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
        args.report.columns = to_standard_output(&args) ? terminal_text_columns() : 0;
        args.report.command = command;
        code = write_report(&args);
    }
    free(args.baselines);
    free(args.hosts);
    free(command);
    return code;
}
