// SPDX-License-Identifier: Apache-2.0
// How the nodes of a job differ. See nodes.h.
#include "bench/nodes.h"

#include "core/memory.h"
#include "core/str.h"

#include <math.h>
#include <stdlib.h>

// What must be equal on all nodes of a job for its figures to mean one thing. `close`: numbers that differ by less than
// 2 % are equal (memory sizes differ by what each firmware keeps).
static const struct {
    const char *object;
    const char *key; // NULL: all
    bool close;
} facts[] = {
    {"platform", "kind", false},  {"platform", "hypervisor", false},    {"platform", "vmm", false},
    {"platform", "cloud", false}, {"platform", "instance_type", false}, {"topology", "cpus", false},
    {"topology", "cores", false}, {"topology", "packages", false},      {"topology", "numa", false},
    {"topology", "smt", false},   {"topology", "memory_bytes", true},   {"kernel", "release", false},
    {"clock", "source", false},   {"circumstances", NULL, false},
};

static bool same_value(const cJSON *a, const cJSON *b, bool close) {
    if (close && cJSON_IsNumber(a) && cJSON_IsNumber(b))
        return fabs(a->valuedouble - b->valuedouble) <= 0.02 * fmax(fabs(a->valuedouble), fabs(b->valuedouble));
    return cJSON_Compare(a, b, true);
}

static void add_value(struct str *out, const cJSON *value) {
    char *text = value ? json_print_line(value) : mem_strdup("nothing");
    str_printf(out, "%.60s", text);
    free(text);
}

static void compare_all(struct str *out, const cJSON *first, const cJSON *other);

static void compare_value(struct str *out, const char *key, const cJSON *first, const cJSON *other, bool close) {
    if (cJSON_IsObject(first) && cJSON_IsObject(other)) {
        compare_all(out, first, other);
        return;
    }
    if ((!first && !other) || (first && other && same_value(first, other, close)))
        return;
    str_printf(out, "%s%s is ", out->length ? ", " : "", key);
    add_value(out, other);
    str_add(out, " and not ");
    add_value(out, first);
}

static void compare_all(struct str *out, const cJSON *first, const cJSON *other) {
    const cJSON *item;
    cJSON_ArrayForEach(item, first)
        compare_value(out, item->string, item, cJSON_GetObjectItemCaseSensitive(other, item->string), false);
    cJSON_ArrayForEach(item, other) {
        if (!cJSON_GetObjectItemCaseSensitive(first, item->string))
            compare_value(out, item->string, NULL, item, false);
    }
}

char *nodes_difference(const struct nodes *n, size_t i) {
    struct str out = {0};
    for (size_t f = 0; f < ARRAY_LEN(facts); f++) {
        const cJSON *first = cJSON_GetObjectItemCaseSensitive(nodes_header(n, 0), facts[f].object);
        const cJSON *other = cJSON_GetObjectItemCaseSensitive(nodes_header(n, i), facts[f].object);
        if (facts[f].key)
            compare_value(&out, facts[f].key, cJSON_GetObjectItemCaseSensitive(first, facts[f].key),
                          cJSON_GetObjectItemCaseSensitive(other, facts[f].key), facts[f].close);
        else
            compare_all(&out, first, other);
    }
    return out.text;
}
