// SPDX-License-Identifier: Apache-2.0
// Compares headers; see the header. May include: core.
#include "report/differences.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Parts of a header that describe the machine, not the run.
static const char *const MACHINE_KEYS[] = {"role",  "platform",      "topology", "kernel",
                                           "clock", "circumstances", "tunables", "tool"};
// Lists of evidence are long and differ by nature; how CPUs are numbered is no property of theirs.
static const char *const SKIPPED_KEYS[] = {"evidence",    "unread",    "schema",     "confidence",
                                           "type_reason", "tsc_hz_se", "cpu_numbers"};

enum { MAX_DEPTH = 6, MAX_DIFFERENCES = 200 };

// Figures that were measured for the header, such as the rate of the TSC, agree to a few millionths on one machine.
static bool same_value(const cJSON *a, const cJSON *b) {
    if (cJSON_IsNumber(a) && cJSON_IsNumber(b))
        return fabs(a->valuedouble - b->valuedouble) <= 1e-5 * fabs(a->valuedouble);
    return cJSON_Compare(a, b, 1);
}

static char *value_text(const cJSON *value) {
    if (!value)
        return mem_strdup("not told");
    if (cJSON_IsString(value))
        return mem_strdup(value->valuestring);
    return json_print_line(value);
}

static bool skipped(const char *key) {
    for (size_t i = 0; i < ARRAY_LEN(SKIPPED_KEYS); i++)
        if (key && strcmp(key, SKIPPED_KEYS[i]) == 0)
            return true;
    return false;
}

static void compare_values(struct differences *list, const char *key, const cJSON *baseline, const cJSON *subject,
                           int depth);

static void compare_objects(struct differences *list, const char *key, const cJSON *baseline, const cJSON *subject,
                            int depth) {
    const cJSON *item;
    cJSON_ArrayForEach(item, subject) {
        if (skipped(item->string))
            continue;
        char *path = mem_printf("%s.%s", key, item->string);
        compare_values(list, path, cJSON_GetObjectItemCaseSensitive(baseline, item->string), item, depth + 1);
        free(path);
    }
    cJSON_ArrayForEach(item, baseline) {
        if (skipped(item->string) || cJSON_GetObjectItemCaseSensitive(subject, item->string))
            continue;
        char *path = mem_printf("%s.%s", key, item->string);
        compare_values(list, path, item, NULL, depth + 1);
        free(path);
    }
}

// The ways of the devices as an object, {"disk vda": "paravirtual, vhost"}: what differs is told device by device.
static cJSON *ways_of(const cJSON *paths) {
    cJSON *ways = cJSON_CreateObject();
    const cJSON *path;
    cJSON_ArrayForEach(path, paths) {
        const char *device = json_text(path, "device");
        const char *via = json_text(path, "via");
        char *name = mem_printf("%s%s%s", json_text(path, "resource"), *device ? " " : "", device);
        char *way = mem_printf("%s%s%s", json_text(path, "path"), *via ? ", " : "", via);
        if (!cJSON_HasObjectItem(ways, name))
            json_add_string(ways, name, way);
        free(name);
        free(way);
    }
    return ways;
}

static void compare_paths(struct differences *list, const char *key, const cJSON *baseline, const cJSON *subject,
                          int depth) {
    cJSON *b = ways_of(baseline);
    cJSON *s = ways_of(subject);
    compare_objects(list, key, b, s, depth);
    cJSON_Delete(b);
    cJSON_Delete(s);
}

static void compare_values(struct differences *list, const char *key, const cJSON *baseline, const cJSON *subject,
                           int depth) {
    if (list->count >= MAX_DIFFERENCES)
        return;
    if (strcmp(key, "platform.paths") == 0) {
        compare_paths(list, key, baseline, subject, depth);
        return;
    }
    if (depth < MAX_DEPTH && cJSON_IsObject(baseline) && cJSON_IsObject(subject)) {
        compare_objects(list, key, baseline, subject, depth);
        return;
    }
    if (baseline && subject && same_value(baseline, subject))
        return;
    struct difference d = {mem_strdup(key), value_text(baseline), value_text(subject)};
    ARRAY_PUSH(list->items, list->count, list->capacity, d);
}

struct differences differences_find(const cJSON *baseline, const cJSON *subject) {
    struct differences list = {0};
    for (size_t i = 0; i < ARRAY_LEN(MACHINE_KEYS); i++) {
        const cJSON *b = cJSON_GetObjectItemCaseSensitive(baseline, MACHINE_KEYS[i]);
        const cJSON *s = cJSON_GetObjectItemCaseSensitive(subject, MACHINE_KEYS[i]);
        if (b || s)
            compare_values(&list, MACHINE_KEYS[i], b, s, 0);
    }
    return list;
}

void differences_free(struct differences *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].key);
        free(list->items[i].baseline);
        free(list->items[i].subject);
    }
    free(list->items);
    *list = (struct differences){0};
}
