// SPDX-License-Identifier: Apache-2.0
// A growable string. See str.h.
#include "core/str.h"

#include "core/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct str *s, size_t more) {
    size_t needed = s->length + more + 1;
    if (needed <= s->capacity)
        return;
    size_t capacity = s->capacity ? s->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    s->text = mem_resize(s->text, capacity);
    s->capacity = capacity;
}

void str_add_bytes(struct str *s, const char *bytes, size_t count) {
    reserve(s, count);
    memcpy(s->text + s->length, bytes, count);
    s->length += count;
    s->text[s->length] = '\0';
}

void str_add(struct str *s, const char *text) {
    str_add_bytes(s, text, strlen(text));
}

void str_printf(struct str *s, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length > 0) {
        reserve(s, (size_t)length);
        vsnprintf(s->text + s->length, (size_t)length + 1, format, again);
        s->length += (size_t)length;
    }
    va_end(again);
}

const char *str_text(const struct str *s) {
    return s->text ? s->text : "";
}

void str_free(struct str *s) {
    free(s->text);
    *s = (struct str){0};
}
