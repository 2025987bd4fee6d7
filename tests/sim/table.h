// SPDX-License-Identifier: Apache-2.0
// A simulation's tables in the documentation. Shared by the simulations.
#pragma once

#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Puts `tables` between the lines <!-- NAME --> and <!-- end of NAME --> of a file. -1 if it cannot be written or has
// none.
static inline int table_replace(const char *path, const char *name, const char *tables) {
    struct str text = {0};
    struct str mark = {0};
    char part[4096];
    FILE *file = fopen(path, "r+");
    if (!file)
        return -1;
    for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;)
        str_add_bytes(&text, part, got);
    str_printf(&mark, "<!-- %s -->\n", name);
    const char *begin = strstr(str_text(&text), mark.text);
    size_t start = begin ? (size_t)(begin - str_text(&text)) + mark.length : 0;
    mark.length = 0;
    str_printf(&mark, "<!-- end of %s -->\n", name);
    const char *end = begin ? strstr(begin, mark.text) : NULL;
    int result = -1;
    if (end && fseek(file, (long)start, SEEK_SET) == 0) {
        fputs(tables, file);
        fputs(end, file);
        result = fflush(file) == 0 && ftruncate(fileno(file), ftell(file)) == 0 ? 0 : -1;
    }
    fclose(file);
    str_free(&text);
    str_free(&mark);
    return result;
}

// Runs a simulation as a program: NAME [TRIALS [FILE]]. Without a file the tables are printed. Returns the exit code.
static inline int table_main(int argc, char **argv, const char *name, size_t usual, void (*print)(size_t, FILE *)) {
    size_t trials = argc > 1 ? strtoul(argv[1], NULL, 10) : usual;
    if (trials == 0 || argc > 3) {
        fprintf(stderr, "usage: %s [TRIALS [FILE]]\n", name);
        return 2;
    }
    char *tables = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&tables, &size);
    print(trials, out);
    fclose(out);
    int result = argc > 2 ? table_replace(argv[2], name, tables) : fputs(tables, stdout);
    if (result < 0)
        fprintf(stderr, "%s: %s cannot be written, or has no marker lines\n", name, argc > 2 ? argv[2] : "the table");
    free(tables);
    return result < 0 ? 5 : 0;
}
