// SPDX-License-Identifier: Apache-2.0
// Equal sentences are said once, with those whom they concern. May include: core.
#pragma once

#include "core/names.h"

// Who a sentence is about, and how often it was to be said.
struct said_about {
    struct names who;
    size_t times;
};

// Zeroed it is empty.
struct said {
    struct names texts;       // in the order in which they came
    struct said_about *about; // one for each text
    size_t count;
    size_t capacity;
};

// `who` may be NULL: it is about nobody in particular.
void said_add(struct said *said, const char *who, const char *text);

// "one, two: TEXT", "TEXT", "one: TEXT (5 times)". The caller frees it.
char *said_sentence(const struct said *said, size_t i);

void said_free(struct said *said);
