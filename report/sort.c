// SPDX-License-Identifier: Apache-2.0
// Radix sort; see the header. May include: core.
#include "report/sort.h"

#include "core/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Fewer are sorted by comparing.
enum { FEW = 500, BYTES = sizeof(double), VALUES = 256 };

struct item {
    uint64_t key; // ordered as the values are
    size_t place;
};

static uint64_t key_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | 1ULL << 63;
}

static double value_of(uint64_t key) {
    uint64_t bits = key >> 63 ? key & ~(1ULL << 63) : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static unsigned byte_of(uint64_t key, int byte) {
    return (unsigned)(key >> 8 * byte) & (VALUES - 1);
}

static int compare_items(const void *a, const void *b) {
    const struct item *x = a;
    const struct item *y = b;
    if (x->key != y->key)
        return x->key > y->key ? 1 : -1;
    return (x->place > y->place) - (x->place < y->place);
}

// Returns the sorted items, which are in `items` or in `spare`.
static struct item *by_bytes(struct item *items, struct item *spare, size_t count) {
    size_t(*counts)[VALUES] = mem_alloc(BYTES * sizeof *counts);
    for (size_t i = 0; i < count; i++)
        for (int byte = 0; byte < BYTES; byte++)
            counts[byte][byte_of(items[i].key, byte)]++;
    for (int byte = 0; byte < BYTES; byte++) {
        if (counts[byte][byte_of(items[0].key, byte)] == count)
            continue; // all alike
        size_t next[VALUES] = {0};
        for (int v = 1; v < VALUES; v++)
            next[v] = next[v - 1] + counts[byte][v - 1];
        for (size_t i = 0; i < count; i++)
            spare[next[byte_of(items[i].key, byte)]++] = items[i];
        struct item *sorted = spare;
        spare = items;
        items = sorted;
    }
    free(counts);
    return items;
}

// Sorts, then hands each item and its rank to exactly one of the two arrays that is not NULL.
static void sort(const double *from, size_t count, double *values, size_t *places) {
    struct item *items = mem_alloc((count + 1) * 2 * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct item){key_of(from[i]), i};
    struct item *sorted = items;
    if (count >= FEW)
        sorted = by_bytes(items, items + count, count);
    else
        qsort(items, count, sizeof *items, compare_items);
    for (size_t i = 0; i < count; i++) {
        if (values)
            values[i] = value_of(sorted[i].key);
        else
            places[i] = sorted[i].place;
    }
    free(items);
}

void sort_doubles(double *value, size_t count) {
    sort(value, count, value, NULL);
}

void sort_places(const double *value, size_t count, size_t *place) {
    sort(value, count, NULL, place);
}
