// SPDX-License-Identifier: Apache-2.0
// Reading a command's options, so that all commands refuse wrong ones in the same words.
#pragma once

#include "core/error.h"

#include <getopt.h>

// The next option as getopt_long() tells it, -1 at their end, or '?' with `err` (code 2) that says what is wrong with
// it. argv[0] is the command's name; `letters` are the short options.
int next_option(int argc, char **argv, const char *letters, const struct option *options, struct error *err);
