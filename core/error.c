// SPDX-License-Identifier: Apache-2.0
// Formats errors. See error.h.
#define ERROR_IMPLEMENTATION
#include "core/error.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, enum exit_code code, const char *what, ...) {
    if (!err)
        return -1;
    memset(err, 0, sizeof *err);
    err->code = code;
    va_list args;
    va_start(args, what);
    vsnprintf(err->what, sizeof err->what, what, args);
    va_end(args);
    return -1;
}

int error_why(struct error *err, const char *why, ...) {
    if (!err)
        return -1;
    va_list args;
    va_start(args, why);
    vsnprintf(err->why, sizeof err->why, why, args);
    va_end(args);
    return -1;
}

int error_remedy(struct error *err, const char *remedy, ...) {
    if (!err)
        return -1;
    va_list args;
    va_start(args, remedy);
    vsnprintf(err->remedy, sizeof err->remedy, remedy, args);
    va_end(args);
    return -1;
}

int error_at(struct error *err, const char *file, size_t line, size_t column) {
    if (!err)
        return -1;
    if (line && column)
        snprintf(err->where, sizeof err->where, "%s:%zu:%zu", file, line, column);
    else if (line)
        snprintf(err->where, sizeof err->where, "%s:%zu", file, line);
    else
        snprintf(err->where, sizeof err->where, "%s", file);
    return -1;
}

void error_line(const struct error *err, char *out, size_t size) {
    snprintf(out, size, "%s%s%s%s%s%s%s", err->where, err->where[0] ? ": " : "", err->what, err->why[0] ? ": " : "",
             err->why, err->remedy[0] ? "; " : "", err->remedy);
}

// Names and values in an error come from files: no control character of theirs may reach the terminal.
static void print_clean(const char *text) {
    for (; *text; text++)
        fputc(iscntrl((unsigned char)*text) ? '?' : *text, stderr);
}

void error_print(const struct error *err) {
    fputs("metalgap: ", stderr);
    print_clean(err->where);
    fputs(err->where[0] ? ": " : "", stderr);
    print_clean(err->what);
    fputs(err->why[0] ? ": " : "", stderr);
    print_clean(err->why);
    if (err->remedy[0]) {
        fputs("\n  try: ", stderr);
        print_clean(err->remedy);
    }
    fputc('\n', stderr);
}
