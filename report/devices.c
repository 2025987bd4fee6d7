// SPDX-License-Identifier: Apache-2.0
// Sums devices up. See devices.h.
#include "report/devices.h"

#include "core/json.h"
#include "core/memory.h"
#include "core/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_DEVICES 1000 // different ones of a case

static double number_of(const cJSON *object, const char *key, double otherwise) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) && isfinite(item->valuedouble) ? fmax(item->valuedouble, 0) : otherwise;
}

static struct device *find(struct devices *devices, enum cause cause, const char *name) {
    for (size_t i = 0; i < devices->count; i++)
        if (devices->items[i].cause == cause && strcmp(devices->items[i].name, name) == 0)
            return &devices->items[i];
    if (!*name || devices->count == MOST_DEVICES)
        return NULL;
    struct device device = {.name = mem_strdup(name),
                            .resource = mem_strdup(""),
                            .path = mem_strdup(""),
                            .via = mem_strdup(""),
                            .driver = mem_strdup(""),
                            .cause = cause};
    ARRAY_PUSH(devices->items, devices->count, devices->capacity, device);
    return &devices->items[devices->count - 1];
}

static void keep_word(char **kept, const cJSON *word, const char *key) {
    const char *text = json_text(word, key);
    if (**kept || !*text)
        return;
    free(*kept);
    *kept = mem_strdup(text);
}

static void add_requests(struct device *device, const cJSON *word) {
    struct hist hist;
    keep_word(&device->resource, word, "resource");
    keep_word(&device->path, word, "path");
    keep_word(&device->via, word, "via");
    keep_word(&device->driver, word, "driver");
    device->samples++;
    device->requests += number_of(word, "requests", 0);
    device->own += number_of(word, "own", 0);
    device->timed += number_of(word, "timed", 0);
    device->seconds += number_of(word, "seconds", 0);
    device->bytes += number_of(word, "bytes", 0);
    device->remote += number_of(word, "remote", 0);
    device->kicks += number_of(word, "kicks", NAN);
    device->interrupts += number_of(word, "interrupts", NAN);
    device->queues = fmax(device->queues, number_of(word, "queues", 0));
    device->cpus = fmax(device->cpus, number_of(word, "interrupt_cpus", 0));
    double event_s = number_of(word, "notify_to_event_s", NAN);
    device->event_s += isfinite(event_s) ? event_s : 0;
    device->event_count += isfinite(event_s);
    const cJSON *counts = cJSON_GetObjectItemCaseSensitive(word, "hist_ns");
    if (counts && hist_from_json(counts, &hist, NULL) == 0)
        hist_merge(&device->hist, &hist);
}

static void add_word(struct devices *devices, const struct observation *o, const cJSON *word) {
    struct device *device = find(devices, o->cause, json_text(word, "device"));
    if (!device)
        return;
    if (o->scope == SCOPE_LATENCY) {
        add_requests(device, word);
    } else if (o->scope == SCOPE_BLOCKED) {
        device->waits += number_of(word, "waits", 0);
        device->blocked_s += number_of(word, "seconds", 0);
    }
}

void devices_add(struct devices *devices, const struct journal_sample *s) {
    for (size_t i = 0; s->valid && i < s->obs.count; i++) {
        const struct observation *o = &s->obs.items[i];
        const cJSON *word;
        cJSON_ArrayForEach(word, cJSON_GetObjectItemCaseSensitive(o->detail, "devices")) add_word(devices, o, word);
    }
}

void devices_free(struct devices *devices) {
    for (size_t i = 0; i < devices->count; i++) {
        free(devices->items[i].name);
        free(devices->items[i].resource);
        free(devices->items[i].path);
        free(devices->items[i].via);
        free(devices->items[i].driver);
    }
    free(devices->items);
    *devices = (struct devices){.items = NULL};
}

// --- figures --------------------------------------------------------------------------------------------------------

double device_per_request(const struct device *device, double number) {
    return device->requests > 0 ? number / device->requests : NAN;
}

// Without any that was seen whole nothing is known.
double device_mean_s(const struct device *device) {
    return device->timed > 0 ? device_per_request(device, device->seconds) : NAN;
}

double device_quantile_s(const struct device *device, double q) {
    return hist_quantile_ns(&device->hist, q) * 1e-9;
}

static double all_blocked_s(const struct devices *devices) {
    double sum = 0;
    for (size_t i = 0; i < devices->count; i++)
        sum += devices->items[i].blocked_s;
    return sum;
}

double device_wait_pct(const struct devices *devices, const struct device *device) {
    double all = all_blocked_s(devices);
    return all > 0 ? 100 * device->blocked_s / all : NAN;
}

void device_path(const struct device *device, char *out, size_t size) {
    snprintf(out, size, "%s%s%s", *device->path ? device->path : "not told", *device->via ? " via " : "", device->via);
}

bool devices_used(const struct devices *devices) {
    for (size_t i = 0; i < devices->count; i++)
        if (devices->items[i].requests > 0)
            return true;
    return false;
}

bool device_serves_job(const struct device *device) {
    return device->own > 0 || device->waits > 0;
}

bool devices_serve_job(const struct devices *devices) {
    for (size_t i = 0; devices && i < devices->count; i++)
        if (device_serves_job(&devices->items[i]))
            return true;
    return false;
}

char *devices_sentence(const struct devices *devices) {
    double all = all_blocked_s(devices);
    double samples = 0;
    struct str text = {0};
    for (size_t i = 0; i < devices->count; i++)
        samples = fmax(samples, devices->items[i].samples);
    if (!(all > 0) || !(samples > 0))
        return NULL;
    str_printf(&text, "the job's CPUs stood idle waiting for disks for %.3g s a sample", all / samples);
    const char *of_it = " of it";
    for (size_t i = 0; i < devices->count; i++) {
        const struct device *d = &devices->items[i];
        if (!(d->blocked_s > 0))
            continue;
        str_printf(&text, ", %.0f %%%s %s (%s)", device_wait_pct(devices, d), of_it, cause_info(d->cause)->id, d->name);
        of_it = "";
    }
    return text.text;
}
