// SPDX-License-Identifier: Apache-2.0
// Runs a program beside the samples (the launcher of the agents), and takes all that it starts with it when it ends,
// what has left its process group included. May include: core.
#pragma once

#include "core/error.h"

#include <stdbool.h>
#include <sys/types.h>

#define KEEPER_TAIL 4096

struct keeper {
    pid_t pid;              // of the process that keeps the program; 0: none
    int output;             // not blocking; what the program and its children print; -1: closed
    char tail[KEEPER_TAIL]; // the last of it
};

// Starts argv (looked up in PATH) in a session of its own, with standard input from /dev/null and `variable`
// ("NAME=value") as well as `environment` (NULL-terminated, may be NULL) added. It ends with us. 0, or -1 with `err`
// (code 4).
int keeper_start(struct keeper *k, const char *const *argv, const char *variable, const char *const *environment,
                 struct error *err);

void keeper_read(struct keeper *k); // takes what was printed into the tail
bool keeper_ended(const struct keeper *k);

// Asks the program to end (SIGTERM), kills after three seconds what is still there, and waits. Does nothing if there is
// none.
void keeper_stop(struct keeper *k);
