// SPDX-License-Identifier: Apache-2.0
// Keys of suite files. See suite_read.h.
#include "bench/suite_read.h"

#include "core/memory.h"
#include "core/parse.h"

#include <stdlib.h>
#include <string.h>

int suite_refuse(const cJSON *node, struct error *err, const char *what) {
    error_set(err, EXIT_CODE_INPUT, "%s", what);
    if (err)
        err->node = node;
    return -1;
}

static const cJSON *member(const cJSON *object, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

// An error of core/parse is about the command line; here the text came from a file.
static int from_file(const cJSON *object, const char *key, struct error *err) {
    if (err) {
        err->code = EXIT_CODE_INPUT;
        err->node = member(object, key);
    }
    return -1;
}

int suite_check_keys(const cJSON *object, const char *const *known, struct error *err) {
    const cJSON *unknown = json_unknown_key(object, known);
    if (!unknown)
        return 0;
    suite_refuse(unknown, err, "reading a suite");
    error_why(err, "there is no key \"%s\" here", unknown->string);
    return error_remedy(err, "see docs/suites.md for the keys");
}

int suite_read_count(const cJSON *object, const char *key, uint64_t max, unsigned *out, struct error *err) {
    uint64_t value = 0;
    int found = json_get_u64(object, key, JSON_OPTIONAL, &value, err);
    if (found <= 0)
        return found;
    if (value < 1 || value > max) {
        suite_refuse(member(object, key), err, "reading a suite");
        return error_why(err, "\"%s\" is %llu; expected 1 to %llu", key, (unsigned long long)value,
                         (unsigned long long)max);
    }
    *out = (unsigned)value;
    return 0;
}

int suite_read_duration(const cJSON *object, const char *key, double *out, struct error *err) {
    const char *text = NULL;
    int found = json_get_string(object, key, JSON_OPTIONAL, &text, err);
    if (found <= 0)
        return found;
    return parse_duration_s(key, text, out, err) ? from_file(object, key, err) : 0;
}

int suite_read_until(const cJSON *object, double *out, struct error *err) {
    const cJSON *item = member(object, "until");
    double pct = 0;
    if (!item || cJSON_IsNull(item))
        return 0;
    if (cJSON_IsNumber(item))
        pct = item->valuedouble;
    else if (!cJSON_IsString(item))
        return suite_refuse(item, err, "reading a suite: \"until\" is a percentage such as \"0.5%\"");
    else if (parse_percent("until", item->valuestring, &pct, err))
        return from_file(object, "until", err);
    if (!(pct > 0 && pct <= 100)) {
        suite_refuse(item, err, "reading a suite");
        return error_why(err, "\"until\" is %g %%; expected above 0, at most 100", pct);
    }
    *out = pct;
    return 0;
}

int suite_read_cpus(const cJSON *object, char **out, struct error *err) {
    const char *text = NULL;
    cpu_set_t set;
    int found = json_get_string(object, "cpus", JSON_OPTIONAL, &text, err);
    if (found <= 0)
        return found;
    if (parse_cpus("cpus", text, &set, err))
        return from_file(object, "cpus", err);
    *out = mem_strdup(text);
    return 0;
}

static int check_seconds(const cJSON *item, struct error *err) {
    if (cJSON_IsNumber(item) && item->valuedouble > 0)
        return 0;
    return suite_refuse(item, err,
                        "reading a suite: \"typical_s\" is a number of seconds, or an object of them by size");
}

int suite_read_typical(const cJSON *object, enum bench_size size, double *out, struct error *err) {
    static const char *const sizes[] = {"small", "default", "full", NULL};
    const cJSON *item = member(object, "typical_s");
    if (!item)
        return 0;
    if (!cJSON_IsObject(item)) {
        *out = item->valuedouble;
        return check_seconds(item, err);
    }
    if (suite_check_keys(item, sizes, err))
        return -1;
    for (int i = 0; i < SIZE_COUNT; i++) {
        const cJSON *one = member(item, sizes[i]);
        if (one && check_seconds(one, err))
            return -1;
        if (one && i == (int)size)
            *out = one->valuedouble;
    }
    return 0;
}

int suite_read_texts(const cJSON *object, const char *key, cJSON **out, struct error *err) {
    const cJSON *texts = NULL;
    const cJSON *item;
    int found = json_get_object(object, key, JSON_OPTIONAL, &texts, err);
    if (found <= 0)
        return found;
    *out = *out ? *out : cJSON_CreateObject();
    cJSON_ArrayForEach(item, texts) {
        if (!*item->string || strchr(item->string, '=') || (!cJSON_IsString(item) && !cJSON_IsNumber(item))) {
            suite_refuse(item, err, "reading a suite");
            return error_why(err, "\"%s\" has names without \"=\" and texts or numbers as values", key);
        }
        char *text = cJSON_IsString(item) ? mem_strdup(item->valuestring) : json_print_line(item);
        cJSON_DeleteItemFromObjectCaseSensitive(*out, item->string);
        json_add_string(*out, item->string, text);
        free(text);
    }
    return 0;
}
