// SPDX-License-Identifier: Apache-2.0
// Whether two parsers made the same of a text: the same values, in the same order, to the last bit.
#pragma once

#include "core/json.h"

#include <string.h>

static inline bool same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static inline bool json_same(const cJSON *a, const cJSON *b) {
    if (a->type != b->type || a->valueint != b->valueint || !same_text(a->string, b->string) ||
        !same_text(a->valuestring, b->valuestring) ||
        memcmp(&a->valuedouble, &b->valuedouble, sizeof a->valuedouble) != 0)
        return false;
    const cJSON *x = a->child;
    const cJSON *y = b->child;
    for (; x && y; x = x->next, y = y->next)
        if (!json_same(x, y))
            return false;
    return !x && !y;
}
