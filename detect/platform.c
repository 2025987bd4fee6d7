// SPDX-License-Identifier: Apache-2.0
// See platform.h. May include: core.
#include "detect/platform.h"

#include "core/json.h"
#include "core/memory.h"
#include "detect/names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const path_names[] = {
    [PATH_UNKNOWN] = "unknown", [PATH_EMULATED] = "emulated",       [PATH_PARAVIRTUAL] = "paravirtual",
    [PATH_OFFLOAD] = "offload", [PATH_PASSTHROUGH] = "passthrough", [PATH_HARDWARE] = "hardware",
    [PATH_NATIVE] = "native",
};

const char *path_kind_name(enum path_kind kind) {
    return path_names[kind];
}

// Two digits are all that a weight or a confidence means.
static double rounded(double value) {
    return round(value * 100) / 100;
}

static cJSON *paths_to_json(const struct platform *p) {
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < p->path_count; i++) {
        const struct platform_path *path = &p->paths[i];
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, "resource", path->resource);
        json_add_string(item, "device", path->device);
        json_add_string(item, "path", path_kind_name(path->path));
        json_add_string(item, "via", path->via);
        json_add_string(item, "driver", path->driver);
        json_add_string(item, "reason", path->reason);
        cJSON_AddItemToArray(array, item);
    }
    return array;
}

static cJSON *evidence_to_json(const struct platform *p) {
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < p->evidence_count; i++) {
        const struct platform_evidence *evidence = &p->evidence[i];
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, "source", evidence->source);
        json_add_string(item, "value", evidence->value);
        json_add_string(item, "says", evidence->says);
        json_add_double(item, "weight", rounded(evidence->weight));
        if (evidence->contradicts)
            cJSON_AddTrueToObject(item, "contradicts");
        cJSON_AddItemToArray(array, item);
    }
    return array;
}

static cJSON *unread_to_json(const struct platform *p) {
    cJSON *array = cJSON_CreateArray();
    for (size_t i = 0; i < p->unread_count; i++) {
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, "source", p->unread[i].source);
        json_add_string(item, "why", p->unread[i].why);
        cJSON_AddItemToArray(array, item);
    }
    return array;
}

cJSON *platform_to_json(const struct platform *p) {
    cJSON *json = cJSON_CreateObject();
    json_add_string(json, "schema", "metalgap.platform/1");
    json_add_string(json, "kind", p->kind);
    json_add_string(json, "hypervisor", p->hypervisor);
    json_add_string(json, "vmm", p->vmm);
    if (p->type)
        cJSON_AddNumberToObject(json, "type", p->type);
    else
        cJSON_AddNullToObject(json, "type");
    json_add_string(json, "type_reason", p->type_reason);
    json_add_string(json, "mode", p->mode);
    json_add_string(json, "role", p->role);
    json_add_string(json, "cloud", p->cloud);
    json_add_string(json, "instance_type", p->instance_type);
    cJSON *outer = cJSON_AddArrayToObject(json, "outer");
    for (size_t i = 0; i < p->outer_count; i++)
        cJSON_AddItemToArray(outer, cJSON_CreateString(p->outer[i]));
    json_add_string(json, "cvm", p->cvm);
    json_add_string(json, "container", p->container);
    json_add_string(json, "arch", p->arch);
    json_add_double(json, "confidence", rounded(p->confidence));
    cJSON_AddItemToObject(json, "paths", paths_to_json(p));
    cJSON_AddItemToObject(json, "evidence", evidence_to_json(p));
    cJSON_AddItemToObject(json, "unread", unread_to_json(p));
    return json;
}

void platform_free(struct platform *p) {
    for (size_t i = 0; i < p->path_count; i++) {
        free(p->paths[i].device);
        free(p->paths[i].driver);
        free(p->paths[i].reason);
    }
    for (size_t i = 0; i < p->evidence_count; i++) {
        free(p->evidence[i].source);
        free(p->evidence[i].value);
        free(p->evidence[i].says);
    }
    for (size_t i = 0; i < p->unread_count; i++) {
        free(p->unread[i].source);
        free(p->unread[i].why);
    }
    free(p->paths);
    free(p->evidence);
    free(p->unread);
    free(p->type_reason);
    free(p->instance_type);
    *p = (struct platform){0};
}

static bool has_path(const struct platform *p, enum path_kind kind) {
    for (size_t i = 0; i < p->path_count; i++)
        if (p->paths[i].path == kind)
            return true;
    return false;
}

static bool virtualised(const struct platform *p) {
    return !name_is(p->hypervisor, "none") && (!name_is(p->hypervisor, "unknown") || name_is(p->kind, "vm"));
}

int platform_is(const struct platform *p, const char *what) {
    const struct {
        const char *word;
        bool yes;
    } words[] = {
        {"vm", virtualised(p)},
        {"container", p->container != NULL},
        {"type1", p->type == 1},
        {"type2", p->type == 2},
        {"nested", p->outer_count > 0},
        {"confidential", p->cvm && strcmp(p->cvm, "none") != 0},
        {"offload", has_path(p, PATH_OFFLOAD)},
        {"passthrough", has_path(p, PATH_PASSTHROUGH)},
        {"bare-metal", name_is(p->kind, "bare-metal")},
        {"metal", name_is(p->kind, "bare-metal")},
        {"host", name_is(p->kind, "host")},
        {"lpar", name_is(p->kind, "lpar")},
        {"unknown", name_is(p->kind, "unknown")},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!strcmp(words[i].word, what))
            return words[i].yes;
    if (name_is(p->arch, what))
        return 1;
    const char *id = name_intern(what, strlen(what));
    if (!id)
        return -1;
    const char *const fields[] = {p->hypervisor, p->vmm, p->cloud, p->mode, p->role, p->cvm, p->container};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (name_is(fields[i], id))
            return 1;
    return name_is(id, "kvm") && name_is(p->hypervisor, "nitro"); // Nitro's base is KVM
}
