// SPDX-License-Identifier: Apache-2.0
// Allocation that stops the program instead of failing. See memory.h.
#include "core/memory.h"

#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory, size_t size) {
    if (memory)
        return memory;
    fprintf(stderr, "metalgap: out of memory: %zu bytes were refused\n", size);
    exit(EXIT_CODE_INTERNAL);
}

void *mem_alloc(size_t size) {
    return checked(calloc(1, size ? size : 1), size);
}

void *mem_resize(void *old, size_t size) {
    return checked(realloc(old, size ? size : 1), size);
}

char *mem_strdup(const char *text) {
    return text ? checked(strdup(text), strlen(text) + 1) : NULL;
}

char *mem_printf(const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return checked(length < 0 ? NULL : text, 0);
}
