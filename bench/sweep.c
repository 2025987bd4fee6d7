// SPDX-License-Identifier: Apache-2.0
// Combinations of a case's values. See sweep.h.
#include "bench/sweep.h"

#include "core/memory.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

static int refuse(const cJSON *node, struct error *err, const char *why) {
    error_set(err, EXIT_CODE_INPUT, "reading a sweep");
    error_why(err, "%s", why);
    if (err)
        err->node = node;
    return -1;
}

// The values of an axis for a size: the array itself, or the one of the largest size given up to this one.
static const cJSON *values_of(const cJSON *axis, enum bench_size size) {
    if (!cJSON_IsObject(axis))
        return axis;
    const cJSON *values = NULL;
    for (int i = 0; i <= (int)size; i++) {
        const cJSON *given = cJSON_GetObjectItemCaseSensitive(axis, bench_size_names[i]);
        values = given ? given : values;
    }
    return values;
}

static int check_sizes(const cJSON *axis, struct error *err) {
    const cJSON *item;
    if (!cJSON_IsObject(axis))
        return 0;
    cJSON_ArrayForEach(item, axis) {
        int i = 0;
        while (i < SIZE_COUNT && strcmp(item->string, bench_size_names[i]) != 0)
            i++;
        if (i == SIZE_COUNT)
            return refuse(item, err, "values by size have the keys small, default and full");
    }
    return 0;
}

static int check_values(const cJSON *axis, const cJSON *values, struct error *err) {
    const cJSON *value;
    if (!values)
        return refuse(axis, err, "there are no values for this size, nor for a smaller one");
    if (!cJSON_IsArray(values) || !values->child)
        return refuse(values, err, "the values must be an array of at least one, or such arrays by size");
    cJSON_ArrayForEach(value, values) {
        if (!cJSON_IsNumber(value) && !(cJSON_IsString(value) && *value->valuestring))
            return refuse(value, err, "a value is neither a number nor a text");
    }
    return 0;
}

// The value that `path` ("depth", "set.depth") has in an object, or NULL.
static const cJSON *value_at(const cJSON *object, const char *path) {
    const char *dot = strchr(path, '.');
    if (!dot)
        return cJSON_GetObjectItemCaseSensitive(object, path);
    char *outer = mem_printf("%.*s", (int)(dot - path), path);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, outer), dot + 1);
    free(outer);
    return value;
}

// What is fixed and swept at once would have two values.
static int check_fixed(const struct sweep *sweep, const cJSON *axis, struct error *err) {
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(sweep->object, "params");
    if (!value_at(params, axis->string) && !value_at(sweep->object, axis->string))
        return 0;
    return refuse(axis, err, "the case also gives this a fixed value");
}

static int add_axis(struct sweep *sweep, const cJSON *axis, enum bench_size size, struct error *err) {
    const cJSON *values = values_of(axis, size);
    if (check_sizes(axis, err) || check_values(axis, values, err) || check_fixed(sweep, axis, err))
        return -1;
    if (sweep->count == SWEEP_MAX_AXES)
        return refuse(axis, err, "it has more than 8 parameters");
    sweep->axes[sweep->count++] = (struct sweep_axis){axis->string, values, values->child};
    return 0;
}

int sweep_begin(struct sweep *sweep, const cJSON *object, enum bench_size size, struct error *err) {
    const cJSON *axes = NULL;
    const cJSON *axis;
    size_t combinations = 1;
    *sweep = (struct sweep){.object = object};
    if (json_get_object(object, "sweep", JSON_OPTIONAL, &axes, err) < 0)
        return -1;
    cJSON_ArrayForEach(axis, axes) {
        if (add_axis(sweep, axis, size, err))
            return -1;
        combinations *= (size_t)cJSON_GetArraySize(sweep->axes[sweep->count - 1].values);
        if (combinations > SWEEP_MAX_CASES)
            return refuse(axes, err, "it has more than 1000 combinations");
    }
    return axes && !sweep->count ? refuse(axes, err, "it names no parameter") : 0;
}

bool sweep_next(struct sweep *sweep) {
    for (size_t i = sweep->count; i-- > 0;) {
        struct sweep_axis *axis = &sweep->axes[i];
        axis->value = axis->value->next;
        if (axis->value)
            return true;
        axis->value = axis->values->child;
    }
    return false;
}

static char *name_of(const struct sweep *sweep, const char *name) {
    struct str text = {0};
    str_add(&text, name);
    for (size_t i = 0; i < sweep->count; i++) {
        const struct sweep_axis *axis = &sweep->axes[i];
        char *value = cJSON_IsString(axis->value) ? mem_strdup(axis->value->valuestring) : json_print_line(axis->value);
        for (char *comma; (comma = strchr(value, ','));) // it separates names in --only
            *comma = '+';
        const char *dot = strchr(axis->name, '.'); // "set.depth": what is set
        str_printf(&text, "[%s=%s]", dot ? dot + 1 : axis->name, value);
        free(value);
    }
    return text.text;
}

// These belong to the case itself; everything else is the bench's.
static bool is_case_key(const char *name) {
    return strcmp(name, "threads") == 0 || strcmp(name, "cpus") == 0 || strncmp(name, "environment.", 12) == 0;
}

// The object in `parent` that has this name; made if it is not there.
static cJSON *object_in(cJSON *parent, const char *name) {
    cJSON *object = cJSON_GetObjectItemCaseSensitive(parent, name);
    return object ? object : cJSON_AddObjectToObject(parent, name);
}

static void set_value(cJSON *made, const struct sweep_axis *axis) {
    cJSON *parent = is_case_key(axis->name) ? made : object_in(made, "params");
    const char *dot = strchr(axis->name, '.');
    if (dot) {
        char *outer = mem_printf("%.*s", (int)(dot - axis->name), axis->name);
        parent = object_in(parent, outer);
        free(outer);
    }
    cJSON_AddItemToObject(parent, dot ? dot + 1 : axis->name, cJSON_Duplicate(axis->value, true));
}

cJSON *sweep_case(const struct sweep *sweep) {
    cJSON *made = cJSON_Duplicate(sweep->object, true);
    cJSON *name = cJSON_GetObjectItemCaseSensitive(made, "case");
    cJSON_DeleteItemFromObjectCaseSensitive(made, "sweep");
    if (cJSON_IsString(name)) {
        char *full = name_of(sweep, name->valuestring);
        cJSON_SetValuestring(name, full);
        free(full);
    }
    for (size_t i = 0; i < sweep->count; i++)
        set_value(made, &sweep->axes[i]);
    return made;
}

static bool is_child(const cJSON *parent, const cJSON *node) {
    const cJSON *child;
    cJSON_ArrayForEach(child, parent) {
        if (child == node)
            return true;
    }
    return false;
}

const cJSON *sweep_origin(const struct sweep *sweep, const cJSON *made, const cJSON *node) {
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(made, "params");
    const cJSON *own_params = cJSON_GetObjectItemCaseSensitive(sweep->object, "params");
    bool in_params = is_child(params, node);
    const cJSON *own = NULL;
    if (!in_params && !is_child(made, node))
        return sweep->object;
    for (size_t i = 0; i < sweep->count; i++) {
        if (strcmp(sweep->axes[i].name, node->string) == 0)
            return sweep->axes[i].value;
    }
    own = cJSON_GetObjectItemCaseSensitive(in_params ? own_params : sweep->object, node->string);
    return own ? own : sweep->object;
}
