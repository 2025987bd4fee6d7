// SPDX-License-Identifier: Apache-2.0
// What of this machine a measurement can use. Each row is found out by doing it: a program is loaded and attached, a
// counter is opened and checked against a known loop, a page is mapped. That BTF or a tracepoint is present says
// little.
#pragma once

#include "core/json.h"

#include <stdbool.h>
#include <stddef.h>

struct capability {
    const char *name;
    const char *enables; // what works with it
    bool works;
    char reason[192]; // why not; or, if it works, how that is known (may be empty)
    char remedy[192]; // what would enable it; empty if it works, or if nothing would
};

extern const size_t capability_count;

// Tries row `index` (below capability_count). Some tens of milliseconds at most for one, a quarter second for all.
void capability_try(size_t index, struct capability *out);

// {"name","works","reason","remedy","enables"}. The caller owns it.
cJSON *capability_to_json(const struct capability *capability);
