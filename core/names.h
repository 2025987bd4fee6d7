// SPDX-License-Identifier: Apache-2.0
// A set of names, numbered in the order in which they were added, with an index (open addressing, FNV-1a), so that
// journals of very many cases are read in linear time. Zeroed it is empty. May include: the C library only.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct names {
    char **name; // own copies
    size_t count;
    size_t capacity;
    size_t *slot; // number + 1 of the name that is kept there; 0: free
    size_t slots; // a power of 2
};

#define NAMES_NONE SIZE_MAX

// The name's number, or NAMES_NONE.
size_t names_find(const struct names *names, const char *name);

// The name's number; added if it is new.
size_t names_add(struct names *names, const char *name);

void names_free(struct names *names);
