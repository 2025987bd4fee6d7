// SPDX-License-Identifier: Apache-2.0
// A growable string, for output that is built in pieces (JSON lines, HTML pages).
#pragma once

#include <stddef.h>

// Start with `struct str s = {0};`. `text` is NULL until something is added, terminated afterwards.
struct str {
    char *text;
    size_t length;   // bytes without the terminator
    size_t capacity; // bytes allocated
};

void str_add(struct str *s, const char *text);
void str_add_bytes(struct str *s, const char *bytes, size_t count);
void str_printf(struct str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *
str_text(const struct str *s); // never NULL: an empty string if nothing was added; valid until the next call
void str_free(struct str *s);  // also makes it empty again
