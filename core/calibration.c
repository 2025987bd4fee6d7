// SPDX-License-Identifier: Apache-2.0
// The journal form of calibrated unit costs. See calibration.h.
#include "core/calibration.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
} traps[TRAP_COUNT] = {
    [TRAP_SYSCALL] = {"syscall", "getppid: the null test, no exit expected"},
    [TRAP_CPUID] = {"cpuid", "the CPUID instruction"},
    [TRAP_RDTSC] = {"rdtsc", "reading the time stamp counter"},
    [TRAP_PAUSE] = {"pause", "one PAUSE instruction"},
    [TRAP_TIMER_ARM] = {"timer_arm", "programming the timer hardware (earlier expiry less later expiry)"},
    [TRAP_TIMER_WAKE] = {"timer_wake", "lateness of a wake-up from idle"},
    [TRAP_IPI_PEER] = {"ipi_peer", "membarrier with a spinning peer: an IPI and its acknowledgement"},
    [TRAP_IPI_ALONE] = {"ipi_alone", "membarrier without a peer: no IPI"},
    [TRAP_TOUCH_UNBACKED] = {"touch_unbacked", "first touch of a fresh 4 KiB page"},
    [TRAP_TOUCH_BACKED] = {"touch_backed", "first touch of a 4 KiB page that the guest has used before"},
    [TRAP_DISK_READ] = {"disk_read", "a 4 KiB O_DIRECT read"},
};

const char *trap_name(enum trap trap) {
    return traps[trap].name;
}

const char *trap_text(enum trap trap) {
    return traps[trap].text;
}

enum trap trap_named(const char *name) {
    for (int i = 0; name && i < TRAP_COUNT; i++)
        if (strcmp(traps[i].name, name) == 0)
            return (enum trap)i;
    return TRAP_COUNT;
}

double calibration_drift(const struct calibration *list, size_t count, enum trap trap) {
    double squares = 0;
    size_t later = 0;
    for (size_t i = 1; i < count; i++) {
        const struct trap_cost *first = &list[0].traps[trap];
        const struct trap_cost *now = &list[i].traps[trap];
        if (!first->measured || !now->measured)
            continue;
        double moved = now->mean_s - first->mean_s;
        squares += moved * moved - now->se_s * now->se_s - first->se_s * first->se_s;
        later++;
    }
    return later && squares > 0 ? sqrt(squares / (double)later) : 0;
}

bool calibration_agrees(const struct trap_cost *cost, double drift_s) {
    if (!cost->measured || !(cost->slope_s > 0))
        return true;
    double apart = fabs(cost->slope_s - cost->mean_s);
    return apart <= 3 * hypot(hypot(cost->slope_se_s, cost->se_s), drift_s) || apart <= 0.15 * cost->mean_s;
}

static cJSON *cost_to_json(const struct trap_cost *c) {
    cJSON *object = cJSON_CreateObject();
    cJSON_AddBoolToObject(object, "measured", c->measured);
    if (!c->measured) {
        json_add_string(object, "why", c->why ? c->why : "not tried");
        return object;
    }
    json_add_u64(object, "n", c->n);
    json_add_u64(object, "excluded", c->excluded);
    json_add_double(object, "median_s", c->median_s);
    json_add_double(object, "mean_s", c->mean_s);
    json_add_double(object, "p05_s", c->p05_s);
    json_add_double(object, "p95_s", c->p95_s);
    json_add_double(object, "se_s", c->se_s);
    if (c->slope_s > 0) {
        json_add_double(object, "slope_s", c->slope_s);
        json_add_double(object, "slope_se_s", c->slope_se_s);
    }
    json_add_double(object, "native_s", c->native_s);
    cJSON_AddBoolToObject(object, "exits", c->exits);
    return object;
}

cJSON *calibration_to_json(const struct calibration *calibration) {
    cJSON *object = cJSON_CreateObject();
    if (calibration->tsc_hz > 0) {
        json_add_double(object, "tsc_hz", calibration->tsc_hz);
        json_add_double(object, "tsc_hz_se", calibration->tsc_hz_se);
    }
    cJSON *list = cJSON_AddObjectToObject(object, "traps");
    for (int i = 0; i < TRAP_COUNT; i++)
        cJSON_AddItemToObject(list, traps[i].name, cost_to_json(&calibration->traps[i]));
    return object;
}

static int cost_from_json(const cJSON *object, struct trap_cost *out, struct error *err) {
    uint64_t n = 0;
    uint64_t excluded = 0;
    if (json_get_bool(object, "measured", JSON_REQUIRED, &out->measured, err) < 0)
        return -1;
    if (!out->measured)
        return 0;
    if (json_get_u64(object, "n", JSON_REQUIRED, &n, err) < 0 ||
        json_get_u64(object, "excluded", JSON_OPTIONAL, &excluded, err) < 0 ||
        json_get_double(object, "median_s", JSON_REQUIRED, &out->median_s, err) < 0 ||
        json_get_double(object, "mean_s", JSON_REQUIRED, &out->mean_s, err) < 0 ||
        json_get_double(object, "p05_s", JSON_OPTIONAL, &out->p05_s, err) < 0 ||
        json_get_double(object, "p95_s", JSON_OPTIONAL, &out->p95_s, err) < 0 ||
        json_get_double(object, "se_s", JSON_OPTIONAL, &out->se_s, err) < 0 ||
        json_get_double(object, "slope_s", JSON_OPTIONAL, &out->slope_s, err) < 0 ||
        json_get_double(object, "slope_se_s", JSON_OPTIONAL, &out->slope_se_s, err) < 0 ||
        json_get_double(object, "native_s", JSON_OPTIONAL, &out->native_s, err) < 0 ||
        json_get_bool(object, "exits", JSON_OPTIONAL, &out->exits, err) < 0)
        return -1;
    out->n = (size_t)n;
    out->excluded = (size_t)excluded;
    return 0;
}

int calibration_from_json(const cJSON *object, struct calibration *out, struct error *err) {
    const cJSON *list = NULL;
    *out = (struct calibration){0};
    if (json_get_double(object, "tsc_hz", JSON_OPTIONAL, &out->tsc_hz, err) < 0 ||
        json_get_double(object, "tsc_hz_se", JSON_OPTIONAL, &out->tsc_hz_se, err) < 0 ||
        json_get_object(object, "traps", JSON_OPTIONAL, &list, err) < 0)
        return -1;
    for (int i = 0; i < TRAP_COUNT; i++) {
        const cJSON *cost = NULL;
        int found = list ? json_get_object(list, traps[i].name, JSON_OPTIONAL, &cost, err) : 0;
        if (found < 0 || (found && cost_from_json(cost, &out->traps[i], err) < 0))
            return -1;
    }
    return 0;
}
