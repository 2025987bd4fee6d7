// SPDX-License-Identifier: Apache-2.0
// The program's entry: finds the command in a table and calls it.
#include "cli/command.h"
#include "core/error.h"
#include "core/memory.h"
#include "version.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; // NULL: not for people
} commands[] = {
    {"detect", cmd_detect, "say what this machine is, and which way its requests go"},
    {"run", cmd_run, "run a suite or a command, with collectors alongside, into a journal"},
    {"report", cmd_report, "say what a run found, alone or beside a baseline"},
    {"gate", cmd_gate, "pass or fail for CI: is a case slower than the baseline by too much?"},
    {"watch", cmd_watch, "who takes this machine's CPUs now, second by second"},
    {"doctor", cmd_doctor, "what can be measured on this machine, and how to enable the rest"},
    {"list", cmd_list, "the suites, benches, collectors, causes and PMU metrics there are"},
    {"agent", cmd_agent, NULL},
};

static const char examples[] =
    "\n"
    "A first look at this machine, then at another one beside it:\n"
    "  metalgap run quick -o here.jsonl\n"
    "  metalgap report here.jsonl\n"
    "  metalgap report here.jsonl --baseline metal.jsonl --format html -o gap.html\n"
    "\n"
    "What a program of your own loses here:\n"
    "  metalgap run -o solver.jsonl --reps 10 -- ./solver input.dat\n"
    "\n"
    "`metalgap COMMAND --help` explains a command, with examples. Exit codes: 0 done,\n"
    "1 the answer is no, 2 usage, 3 bad input, 4 something asked for by name is not\n"
    "there, 5 internal error.\n";

static void usage(FILE *out) {
    fputs(
        "Usage: metalgap COMMAND [OPTION...]\n"
        "       metalgap --help | --version\n"
        "\n"
        "How far is this machine from bare metal, and who owns the gap?\n"
        "\n",
        out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].summary)
            fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs(examples, out);
}

static const struct command *find_command(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    }
    return NULL;
}

// Number of letters to insert, remove or replace to make b of a (Levenshtein); short words only.
static size_t distance(const char *a, const char *b) {
    enum { LONGEST = 32 };
    size_t row[LONGEST + 1];
    size_t length = strlen(b);
    if (length > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t least = diagonal + (a[i] != b[j]);
            if (row[j + 1] + 1 < least)
                least = row[j + 1] + 1;
            if (row[j] + 1 < least)
                least = row[j] + 1;
            diagonal = row[j + 1];
            row[j + 1] = least;
        }
    }
    return row[length];
}

static int no_command(const char *name) {
    enum { CLOSE = 2 }; // letters that a slip of the fingers gets wrong
    struct error err;
    const char *nearest = NULL;
    size_t least = CLOSE + 1;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        size_t d = distance(name, commands[i].name);
        if (d < least && commands[i].summary) {
            least = d;
            nearest = commands[i].name;
        }
    }
    error_set(&err, EXIT_CODE_USAGE, "there is no command \"%s\"", name);
    if (nearest)
        error_remedy(&err, "metalgap %s", nearest);
    else
        error_remedy(&err, "metalgap --help");
    error_print(&err);
    return err.code;
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) {
        usage(stderr);
        return EXIT_CODE_USAGE;
    }
    const char *name = argv[1];
    bool asks_help = strcmp(name, "help") == 0;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (asks_help && argc == 2)) {
        usage(stdout);
        return EXIT_CODE_DONE;
    }
    if (strcmp(name, "--version") == 0) {
        printf("metalgap %s (%s)\n", METALGAP_VERSION, METALGAP_COMMIT);
        return EXIT_CODE_DONE;
    }
    const struct command *command = find_command(asks_help ? argv[2] : name);
    if (!command)
        return no_command(asks_help ? argv[2] : name);
    if (asks_help)
        return command->run(2, (char *[]){argv[2], "--help", NULL});
    return command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv) {
    int code = dispatch(argc, argv);
    // A result that did not reach its reader is no success.
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    struct error err;
    error_set(&err, EXIT_CODE_LACKS, "writing to standard output");
    error_why(&err, "%s", strerror(errno));
    error_print(&err);
    return code ? code : (int)err.code;
}
