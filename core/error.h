// SPDX-License-Identifier: Apache-2.0
// Errors that say what was tried, where, why it failed and what to do about it; and the program's exit codes.
// May include: the C library only.
#pragma once

#include <stddef.h>

// The program's exit codes. They are part of the command-line contract: scripts rely on them.
enum exit_code {
    EXIT_CODE_DONE = 0,     // done
    EXIT_CODE_NO = 1,       // the answer is "no" (gate over its limit, detect --is not so)
    EXIT_CODE_USAGE = 2,    // the command line is wrong
    EXIT_CODE_INPUT = 3,    // a file that was read is bad
    EXIT_CODE_LACKS = 4,    // the environment lacks what was asked for by name
    EXIT_CODE_INTERNAL = 5, // a bug of ours
};

// One failure. Filled by error_set() and the calls after it; lives on the caller's stack, owns nothing.
struct error {
    enum exit_code code;
    char where[256];  // "file:line:column" or empty
    char what[512];   // what was tried, on what
    char why[512];    // why it failed
    char remedy[512]; // what to do about it, or empty
    const void *node; // the JSON value at fault, if any; json_place() turns it into a line and a column
};

// Starts an error: forgets what `err` held, stores the code and what was tried (printf style).
// `err` may be NULL (the caller does not want to know). Always returns -1, so `return error_set(...)` works.
int error_set(struct error *err, enum exit_code code, const char *what, ...) __attribute__((format(printf, 3, 4)));

// Adds the reason. Returns -1.
int error_why(struct error *err, const char *why, ...) __attribute__((format(printf, 2, 3)));

// Adds what the user can do. Returns -1.
int error_remedy(struct error *err, const char *remedy, ...) __attribute__((format(printf, 2, 3)));

// Adds the place in a file. line and column count from 1; 0 leaves that part out. Returns -1.
int error_at(struct error *err, const char *file, size_t line, size_t column);

// Writes "metalgap: WHERE: WHAT: WHY" and, on a line of its own, the remedy, to standard error.
void error_print(const struct error *err);

// The same on one line into `out` (always terminated), for journals and tables.
void error_line(const struct error *err, char *out, size_t size);

#if defined(__clang_analyzer__) && !defined(ERROR_IMPLEMENTATION)
// The static analyzer looks at one file at a time: tell it what these return.
#define error_set(...)    (error_set(__VA_ARGS__), -1)
#define error_why(...)    (error_why(__VA_ARGS__), -1)
#define error_remedy(...) (error_remedy(__VA_ARGS__), -1)
#define error_at(...)     (error_at(__VA_ARGS__), -1)
#endif
