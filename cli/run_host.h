// SPDX-License-Identifier: Apache-2.0
// metalgap run --role host: records a KVM host or Xen's Dom0 until the time is up or Ctrl-C. May include: core.
#pragma once

#include "core/error.h"

#include <stdbool.h>

struct host_run {
    const char *journal; // NULL: host-TIME.jsonl
    const char *label;   // may be NULL
    const char *vm;      // pid or name; NULL: all
    double duration_s;   // INFINITY: until a signal
    bool json;           // a summary as JSON on standard output
    int argc;            // the command line, for the header
    char **argv;
};

// 0, or -1 with `err`: code 4 if the host cannot be traced here or the virtual machine is not there.
int run_host(const struct host_run *run, struct error *err);
