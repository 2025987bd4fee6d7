// SPDX-License-Identifier: Apache-2.0
// The program's entry: finds the command in a table and calls it.
#include "cli/command.h"
#include "core/error.h"
#include "core/memory.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {};

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    return EXIT_CODE_USAGE;
}
