// SPDX-License-Identifier: Apache-2.0
// Detection: a pure function of a sysroot (files) and a CPUID source. Starts no process, uses no network, needs no
// root. May include: core.
#pragma once

#include "core/error.h"
#include "detect/platform.h"

struct detect_options {
    const char *root; // a folder of recorded evidence; NULL: the live machine
    bool timing;      // live only: when everything is masked, measure the latency of CPUID (about 2 ms)
};

// Fills `out` (platform_free() it). Missing or unreadable evidence is no error; it fails, with -1 and `err`, only if
// the folder cannot be opened.
int detect_platform(const struct detect_options *opt, struct platform *out, struct error *err);

// The same for evidence of the caller's: a sysroot of any backend (see detect/sysroot.h). The caller keeps the sysroot.
struct sysroot;
void detect_sysroot(struct sysroot *root, bool timing, struct platform *out);
