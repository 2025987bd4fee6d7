// SPDX-License-Identifier: Apache-2.0
// The program's entry: finds the command in a table and calls it.
#include "cli/command.h"
#include "core/error.h"
#include "version.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"detect", cmd_detect, "say what this machine is, and which way its requests go"},
    {"run", cmd_run, "run a suite or a command, with collectors alongside, into a journal"},
    {"doctor", cmd_doctor, "what can be measured on this machine, and how to enable the rest"},
    {NULL, NULL, NULL},
};

static void usage(FILE *out) {
    fprintf(out,
            "Usage: metalgap COMMAND [OPTION...]\n\n"
            "How far is this machine from bare metal, and who owns the gap?\n\n");
    for (size_t i = 0; commands[i].name; i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\n`metalgap COMMAND --help` explains a command, with examples.\n");
}

int main(int argc, char **argv) {
    if (argc < 2) {
        usage(stderr);
        return EXIT_CODE_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return EXIT_CODE_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("metalgap %s (%s)\n", METALGAP_VERSION, METALGAP_COMMIT);
        return EXIT_CODE_DONE;
    }
    for (size_t i = 0; commands[i].name; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "metalgap: there is no command \"%s\"\n  try: metalgap --help\n", argv[1]);
    return EXIT_CODE_USAGE;
}
