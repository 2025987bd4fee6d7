// SPDX-License-Identifier: Apache-2.0
// A set of names with an index; see the header. May include: core/memory.h.
#include "core/names.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

// Fowler, Noll and Vo's offset basis and prime for 64 bits.
static size_t hash_of(const char *name) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return (size_t)(hash ^ (hash >> 32));
}

// The slot that holds the name, or the free one where it belongs.
static size_t *slot_of(const struct names *names, const char *name) {
    size_t at = hash_of(name);
    while (names->slot[at & (names->slots - 1)] > 0 &&
           strcmp(names->name[names->slot[at & (names->slots - 1)] - 1], name) != 0)
        at++;
    return &names->slot[at & (names->slots - 1)];
}

size_t names_find(const struct names *names, const char *name) {
    return names->slots ? *slot_of(names, name) - 1 : NAMES_NONE; // 0 - 1: NAMES_NONE
}

static void grow(struct names *names) {
    free(names->slot);
    names->slots = names->slots ? 2 * names->slots : 16;
    names->slot = mem_alloc(names->slots * sizeof *names->slot);
    for (size_t i = 0; i < names->count; i++)
        *slot_of(names, names->name[i]) = i + 1;
}

size_t names_add(struct names *names, const char *name) {
    size_t known = names_find(names, name);
    if (known != NAMES_NONE)
        return known;
    if (2 * (names->count + 1) > names->slots)
        grow(names);
    *slot_of(names, name) = names->count + 1;
    ARRAY_PUSH(names->name, names->count, names->capacity, mem_strdup(name));
    return names->count - 1;
}

void names_free(struct names *names) {
    for (size_t i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
    free(names->slot);
    *names = (struct names){0};
}
