// SPDX-License-Identifier: Apache-2.0
// Detection: a pure function of a sysroot (files) and a CPUID source. Starts no process, uses no network, needs no
// root. May include: core.
#pragma once

#include "core/error.h"
#include "core/str.h"
#include "detect/platform.h"
#include "detect/sysroot.h"

struct detect_options {
    const char *root; // a folder of recorded evidence; NULL: the live machine
    bool timing;      // live only: when everything is masked, measure the latency of CPUID (about 2 ms)
};

// Fills `out` (platform_free() it). Missing or unreadable evidence is no error; it fails, with -1 and `err`, only if
// the folder cannot be opened.
int detect_platform(const struct detect_options *opt, struct platform *out, struct error *err);

// The live machine's platform in its journal form (metalgap.platform/1). The caller owns it: cJSON_Delete().
cJSON *detect_live_json(bool timing);

// The same for evidence of the caller's: a sysroot of any backend, which the caller keeps. The CPUID leaves that were
// read are added to `leaves` (may be NULL) in the format of cpuid.txt.
void detect_sysroot(struct sysroot *root, bool timing, struct platform *out, struct str *leaves);

// Detects the live machine and writes the evidence that was read into the new folder `dir`, in the layout that
// `root` above reads, without serial numbers, UUIDs, addresses and host names. -1 and `err` if it cannot be written.
int detect_capture(const char *dir, bool timing, struct platform *out, struct error *err);
