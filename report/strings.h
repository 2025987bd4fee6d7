// SPDX-License-Identifier: Apache-2.0
// A list of sentences, built with printf's formats. May include: core.
#pragma once

#include <stddef.h>

// Zeroed it is empty. The texts are its own.
struct strings {
    char **items;
    size_t count;
    size_t capacity;
};

// Texts longer than 1023 bytes are cut.
void strings_add(struct strings *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strings_free(struct strings *list);
