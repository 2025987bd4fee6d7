// SPDX-License-Identifier: Apache-2.0
// Observations and their journal form. See observation.h.
#include "core/observation.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

const char *const obs_scope_names[SCOPE_COUNT] = {"cpu", "blocked", "latency"};
const char *const obs_basis_names[BASIS_COUNT] = {"timed", "sampled", "calibrated", "counted"};

void observations_add(struct observations *list, struct observation o) {
    ARRAY_PUSH(list->items, list->count, list->capacity, o);
}

void observations_untold(struct observations *list, struct untold what) {
    for (size_t i = 0; i < list->untold_count; i++) {
        const struct untold *known = &list->untold[i];
        if (known->cause == what.cause && known->scope == what.scope && known->basis == what.basis)
            return;
    }
    what.why = mem_strdup(what.why);
    ARRAY_PUSH(list->untold, list->untold_count, list->untold_capacity, what);
}

void observations_free(struct observations *list) {
    for (size_t i = 0; i < list->count; i++)
        cJSON_Delete(list->items[i].detail);
    for (size_t i = 0; i < list->untold_count; i++)
        free(list->untold[i].why);
    free(list->items);
    free(list->untold);
    *list = (struct observations){0};
}

cJSON *observation_to_json(const struct observation *o) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "cause", cause_info(o->cause)->id);
    cJSON_AddStringToObject(object, "scope", obs_scope_names[o->scope]);
    json_add_u64(object, "count", o->count);
    json_add_double(object, "seconds", o->seconds);
    json_add_double(object, "se", o->se);
    cJSON_AddStringToObject(object, "basis", obs_basis_names[o->basis]);
    if (o->has_hist)
        cJSON_AddItemToObject(object, "hist_ns", hist_to_json(&o->hist));
    if (o->detail)
        cJSON_AddItemToObject(object, "detail", cJSON_Duplicate(o->detail, 1));
    return object;
}

static cJSON *untold_to_json(const struct untold *what) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "cause", cause_info(what->cause)->id);
    cJSON_AddStringToObject(object, "scope", obs_scope_names[what->scope]);
    if (what->basis < BASIS_COUNT)
        cJSON_AddStringToObject(object, "basis", obs_basis_names[what->basis]);
    json_add_string(object, "why", what->why);
    return object;
}

void observations_to_json(const struct observations *list, cJSON *sample) {
    cJSON *obs = cJSON_AddArrayToObject(sample, "obs");
    for (size_t i = 0; i < list->count; i++)
        cJSON_AddItemToArray(obs, observation_to_json(&list->items[i]));
    cJSON *unknown = list->untold_count ? cJSON_AddArrayToObject(sample, "unknown") : NULL;
    for (size_t i = 0; i < list->untold_count; i++)
        cJSON_AddItemToArray(unknown, untold_to_json(&list->untold[i]));
}

// The index of `text` in a table of names; an error that lists them otherwise.
static int read_name(const cJSON *object, const char *key, const char *const *names, int count, int missing, int *out,
                     struct error *err) {
    const char *text = NULL;
    int found = json_get_string(object, key, JSON_OPTIONAL, &text, err);
    if (found < 0)
        return -1;
    *out = missing;
    for (int i = 0; found && i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return 0;
        }
    }
    if (!found && missing >= 0)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "reading the key \"%s\"", key);
    if (err)
        err->node = found ? cJSON_GetObjectItemCaseSensitive(object, key) : object;
    if (!found)
        return error_why(err, "it is missing");
    return error_why(err, "\"%s\" is none of %s, %s, %s%s%s", text, names[0], names[1], names[2], count > 3 ? ", " : "",
                     count > 3 ? names[3] : "");
}

static int check_object(const cJSON *object, struct error *err) {
    if (cJSON_IsObject(object))
        return 0;
    error_set(err, EXIT_CODE_INPUT, "reading an observation");
    if (err)
        err->node = object;
    return error_why(err, "it is not an object");
}

// What is observed, or could not be: CAUSE_COUNT for a cause that is not known. missing: the basis where none is given;
// -1: one must be.
static int read_what(const cJSON *object, int missing, enum cause *cause, enum obs_scope *scope, enum obs_basis *basis,
                     struct error *err) {
    const char *id = NULL;
    int at_scope = 0;
    int at_basis = 0;
    if (check_object(object, err) || json_get_string(object, "cause", JSON_REQUIRED, &id, err) < 0 ||
        read_name(object, "scope", obs_scope_names, SCOPE_COUNT, SCOPE_CPU, &at_scope, err) < 0 ||
        read_name(object, "basis", obs_basis_names, BASIS_COUNT, missing, &at_basis, err) < 0)
        return -1;
    *cause = cause_by_id(id);
    *scope = (enum obs_scope)at_scope;
    *basis = (enum obs_basis)at_basis;
    return 0;
}

int observation_from_json(const cJSON *object, struct observation *out, struct error *err) {
    const cJSON *hist = NULL;
    *out = (struct observation){0};
    if (read_what(object, -1, &out->cause, &out->scope, &out->basis, err) < 0 ||
        json_get_u64(object, "count", JSON_OPTIONAL, &out->count, err) < 0 ||
        json_get_double(object, "seconds", JSON_OPTIONAL, &out->seconds, err) < 0 ||
        json_get_double(object, "se", JSON_OPTIONAL, &out->se, err) < 0)
        return -1;
    if (out->se < 0) {
        error_set(err, EXIT_CODE_INPUT, "reading the key \"se\"");
        if (err)
            err->node = cJSON_GetObjectItemCaseSensitive(object, "se");
        return error_why(err, "it is negative");
    }
    int has_hist = json_get_array(object, "hist_ns", JSON_OPTIONAL, &hist, err);
    if (has_hist < 0 || (has_hist && hist_from_json(hist, &out->hist, err)))
        return -1;
    if (out->cause == CAUSE_COUNT)
        return 0;
    out->has_hist = has_hist;
    out->detail = cJSON_GetObjectItemCaseSensitive(object, "detail");
    return 1;
}

int untold_from_json(const cJSON *object, struct untold *out, struct error *err) {
    const char *why = NULL;
    *out = (struct untold){.why = ""};
    if (read_what(object, BASIS_COUNT, &out->cause, &out->scope, &out->basis, err) < 0 ||
        json_get_string(object, "why", JSON_OPTIONAL, &why, err) < 0)
        return -1;
    if (out->cause == CAUSE_COUNT)
        return 0;
    out->why = why ? (char *)why : "";
    return 1;
}
