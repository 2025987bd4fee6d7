// SPDX-License-Identifier: Apache-2.0
// Where in a suite's file the value stands that a bench refuses. See suite.h. The case's parameters are a copy, with
// defaults filled in and sweeps resolved, so the value is found by its way down to it.
#include "bench/suite.h"

#include <string.h>

#define MAX_DEPTH 8

struct way {
    const char *names[MAX_DEPTH];
    size_t count;
};

// The keys from `parent` down to `node`, as far as objects go.
static bool find_way(const cJSON *parent, const void *node, struct way *way) {
    const cJSON *child;
    cJSON_ArrayForEach(child, parent) {
        if (!child->string || way->count == MAX_DEPTH) {
            if (child == node || find_way(child, node, way))
                return true;
            continue;
        }
        way->names[way->count++] = child->string;
        if (child == node || find_way(child, node, way))
            return true;
        way->count--;
    }
    return false;
}

// The first value below `node` that equals the given one.
static const cJSON *find_equal(const cJSON *node, const cJSON *value) {
    const cJSON *child;
    if (cJSON_Compare(node, value, true))
        return node;
    cJSON_ArrayForEach(child, node) {
        const cJSON *found = find_equal(child, value);
        if (found)
            return found;
    }
    return NULL;
}

// The value in a sweep that became this one.
static const cJSON *in_sweep(const cJSON *object, const struct way *way, const cJSON *value) {
    const cJSON *axis;
    cJSON_ArrayForEach(axis, cJSON_GetObjectItemCaseSensitive(object, "sweep")) {
        size_t length = strlen(way->names[0]);
        if (strncmp(axis->string, way->names[0], length) != 0)
            continue;
        bool nested =
            axis->string[length] == '.' && way->count > 1 && strcmp(axis->string + length + 1, way->names[1]) == 0;
        if (axis->string[length] && !nested)
            continue;
        const cJSON *found = find_equal(axis, value);
        return found ? found : axis;
    }
    return NULL;
}

static const cJSON *origin_of(const struct suite_case *c, const void *node) {
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(c->origin, "params");
    const cJSON *found = params ? params : c->origin;
    struct way way = {.count = 0};
    if (!node || !find_way(c->params, node, &way) || !way.count)
        return found;
    const cJSON *swept = in_sweep(c->origin, &way, node);
    if (swept)
        return swept;
    for (size_t i = 0; params && i < way.count; i++) {
        params = cJSON_GetObjectItemCaseSensitive(params, way.names[i]);
        found = params ? params : found;
    }
    return found;
}

void suite_place(const struct suite *suite, const struct suite_case *c, struct error *err) {
    if (!err || err->where[0] || !c->origin || c->file >= suite->file_count)
        return;
    const struct suite_file *f = &suite->files[c->file];
    struct json_origin origin = {f->path, 1};
    err->node = origin_of(c, err->node);
    json_place(err, f->root, f->text, f->length, origin);
}
