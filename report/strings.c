// SPDX-License-Identifier: Apache-2.0
// Lists of sentences; see the header. May include: core.
#include "report/strings.h"

#include "core/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void strings_add(struct strings *list, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ARRAY_PUSH(list->items, list->count, list->capacity, mem_strdup(text));
}

void strings_free(struct strings *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
}
