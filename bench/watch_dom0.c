// SPDX-License-Identifier: Apache-2.0
// Turns Dom0's record of an interval into lines. See watch_dom0.h.
#include "bench/watch_dom0.h"

#include "core/json.h"
#include "core/memory.h"
#include "core/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void describe(struct watch_view *view, const cJSON *device, const char *name) {
    static const struct {
        const char *key, *word;
    } parts[] = {{"notify_s", "notify"},
                 {"wakeup_s", "backend wake-up"},
                 {"service_s", "backend service"},
                 {"device_s", "device"},
                 {"completion_s", "completion"}};
    struct str line = {0};
    double requests = json_amount(device, "requests");
    const cJSON *segments = cJSON_GetObjectItemCaseSensitive(device, "segments");
    const char *direction = json_text(device, "direction"); // "": a disk
    str_printf(&line, "%.60s %.30s%s%s: %.0f %s/s, us each: %.1f", name, json_text(device, "device"),
               *direction ? " " : "", direction, requests / view->interval_s, *direction ? "packets" : "requests",
               1e6 * json_amount(device, "seconds") / requests);
    const char *sign = " = ";
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!cJSON_HasObjectItem(segments, parts[i].key)) // a packet's way has no device
            continue;
        str_printf(&line, "%s%s %.1f", sign, parts[i].word, 1e6 * json_amount(segments, parts[i].key) / requests);
        sign = ", ";
    }
    cJSON_AddItemToArray(view->notes, cJSON_CreateString(line.text));
    str_free(&line);
}

static cJSON *member(cJSON *object, const char *key, bool array) {
    cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (item)
        return item;
    return array ? cJSON_AddArrayToObject(object, key) : cJSON_AddObjectToObject(object, key);
}

static void add_device(struct watch_view *view, const cJSON *device, const char *name) {
    char *backend = mem_printf("%s/%s", name, json_text(device, "backend"));
    json_add_double(member(view->circumstances, "busy", false), backend,
                    fmin(json_amount(device, "cpu_s") / view->interval_s, 1));
    free(backend);
    cJSON *copy = cJSON_Duplicate(device, 1);
    json_add_string(copy, "vm", name);
    cJSON_AddItemToArray(member(view->circumstances, "requests", true), copy);
    if (json_amount(device, "requests") > 0)
        describe(view, device, name);
}

void watch_add_requests(struct watch_view *view, const cJSON *line, const char *name) {
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(line, "obs")) {
        struct observation o;
        if (observation_from_json(item, &o, NULL) != 1)
            continue;
        o.basis = BASIS_COUNTED; // request-seconds are no share of any CPU's time
        watch_add(view, cause_info(o.cause)->id, true, &o);
        const cJSON *device;
        cJSON_ArrayForEach(device, cJSON_GetObjectItemCaseSensitive(o.detail, "devices"))
            add_device(view, device, name);
    }
}
