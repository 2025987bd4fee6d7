// SPDX-License-Identifier: Apache-2.0
// Allocation that does not fail: a program that cannot get a few kilobytes cannot report anything either, so it stops
// with a message and exit code 5. Not for sizes that a user chose (a bench's working set): those use mmap and errors.
#pragma once

#include <stddef.h>

void *mem_alloc(size_t size);                                                    // zeroed; free() it
void *mem_resize(void *old, size_t size);                                        // as realloc()
char *mem_strdup(const char *text);                                              // NULL gives NULL; free() it
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2))); // free() it

// Appends a value to a growable array kept in three variables: `items` (T *), `count` and `capacity` (size_t).
// free(items) releases it.
#define ARRAY_PUSH(items, count, capacity, value)                                                                      \
    do {                                                                                                               \
        if ((count) == (capacity)) {                                                                                   \
            (capacity) = (capacity) ? (capacity)*2 : 8;                                                                \
            (items) = mem_resize((items), (capacity) * sizeof *(items));                                               \
        }                                                                                                              \
        (items)[(count)++] = (value);                                                                                  \
    } while (0)

#define ARRAY_LEN(array) (sizeof(array) / sizeof(array)[0])
