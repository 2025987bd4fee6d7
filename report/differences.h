// SPDX-License-Identifier: Apache-2.0
// What differs between the machines of two journals, by their headers. May include: core.
#pragma once

#include "core/json.h"

// One row; all strings may come from a journal.
struct difference {
    char *key; // "kernel.release"
    char *baseline;
    char *subject;
};

struct differences {
    struct difference *items;
    size_t count;
    size_t capacity;
};

// Compares the parts of two headers that describe the machine, not the run. differences_free() releases the result.
struct differences differences_find(const cJSON *baseline, const cJSON *subject);
void differences_free(struct differences *list);
