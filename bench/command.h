// SPDX-License-Identifier: Apache-2.0
// Runs an external program to its end: argument vector, no shell; its output passed on, looked at line by line and its
// last lines kept; a time limit; nothing of it left running. Used by the benches "command" and "mpi".
// May include: bench/bench.h, core.
#pragma once

#include "bench/bench.h"

#include <regex.h>

extern const struct bench_ops bench_command;     // command_bench.c
extern const struct bench_ops bench_mpi;         // mpi.c
extern const struct bench_ops bench_application; // application.c

struct command {
    const char *const *argv;        // NULL-terminated; argv[0] is looked up in PATH
    const char *const *environment; // NULL-terminated "NAME=value" added to ours; NULL: none
    double timeout_s;               // 0: none
    bool launcher;                  // it cleans up other nodes when it is asked to: SIGTERM, not SIGKILL, if we die
    bool pass_on;                   // copy its standard output and error to our standard error

    // Called with each line of its standard output and error, without the newline; lines longer than 64 KiB come in
    // pieces. May be NULL.
    void (*line)(void *closure, const char *text);
    void *closure;
};

#define COMMAND_TAIL 2048

struct command_outcome {
    double wall_s;           // from just before it was started until it ended
    int status;              // as of waitpid()
    bool timed_out;          // the time limit was reached: SIGTERM, two seconds later SIGKILL, to its process group
    char tail[COMMAND_TAIL]; // the last of what it wrote
};

// True if a program of this name could be started: a path that may be executed, or a name that is found in PATH.
bool command_exists(const char *name);

// 0 if a program (looked up in PATH) or a file (with a '/') is there, else -1 with `err` (code 4), which names it and
// the Debian package that brings it (may be empty).
int command_lacking(const char *name, const char *package, struct error *err);

// Starts the program in a process group of its own, with default signal handling and standard input from /dev/null,
// waits for it and then kills what is left of the group. It dies with its parent. 0 with *out filled, or -1 with `err`
// if it could not be started (code 4).
int command_run(const struct command *command, struct command_outcome *out, struct error *err);

// True if the program ended with exit status 0. Otherwise `why` says how it ended, and the last lines it wrote.
bool command_succeeded(const struct command_outcome *outcome, char *why, size_t size);

// The number in a line: what the first group of `pattern` matched, or the whole match where it has no group.
bool command_number(const regex_t *pattern, const char *line, double *out);
