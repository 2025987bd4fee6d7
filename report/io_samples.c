// SPDX-License-Identifier: Apache-2.0
// Reads what a guest says of its devices; see the header. May include: core.
#include "report/io_samples.h"

#include "core/json.h"
#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const guest_part_keys[GUEST_PARTS] = {"queue_s", "submit_s", "cpu_wait_s", "complete_s", "wake_s"};
const char *const guest_part_names[GUEST_PARTS] = {"guest queues", "guest submits", "waits for a CPU",
                                                   "guest completes", "guest wakes up"};

// The row of a device's direction in a sample; the lines of several ranks are one.
static struct io_sample *row_of(struct io_samples *samples, const struct journal_sample *s, const char *device,
                                const char *key, bool receives) {
    for (size_t i = samples->count; i-- > 0;) {
        struct io_sample *row = &samples->items[i];
        if (row->seq == s->seq && row->mode == s->mode && row->receives == receives && strcmp(row->device, device) == 0)
            return row;
        if (row->seq + 1 < s->seq) // lines of one sample stand together
            break;
    }
    struct io_sample row = {.seq = s->seq,
                            .mode = s->mode,
                            .device = mem_strdup(device),
                            .key = mem_strdup(key),
                            .receives = receives,
                            .seconds = receives ? NAN : 0};
    ARRAY_PUSH(samples->items, samples->count, samples->capacity, row);
    return &samples->items[samples->count - 1];
}

static bool is_nic(const cJSON *device) {
    const cJSON *resource = cJSON_GetObjectItemCaseSensitive(device, "resource");
    return cJSON_IsString(resource) && strcmp(resource->valuestring, "nic") == 0;
}

static void add_requests(struct io_sample *row, const cJSON *device) {
    double requests = json_amount(device, "requests");
    row->requests += requests;
    row->seconds += json_amount(device, "seconds");
    for (int part = 0; part < GUEST_PARTS; part++)
        if (part != GUEST_WAKE || !is_nic(device)) // an interface wakes those that receive
            row->part_s[part] += requests * json_amount(device, guest_part_keys[part]);
}

// Journals without the packets' number say nothing of this direction.
static void add_received(struct io_samples *samples, const struct journal_sample *s, const cJSON *device,
                         const char *name, const char *key) {
    double packets = json_amount(device, "polled");
    if (packets <= 0)
        return;
    struct io_sample *row = row_of(samples, s, name, key, true);
    row->nic = true;
    row->requests += packets;
    row->part_s[GUEST_CPU_WAIT] += packets * json_amount(device, "receive_cpu_wait_s");
    row->part_s[GUEST_COMPLETE] += packets * json_amount(device, "receive_complete_s");
    row->part_s[GUEST_WAKE] += packets * json_amount(device, "wake_s");
}

static void add_observation(struct io_samples *samples, const struct journal_sample *s, const struct observation *o) {
    const cJSON *device;
    cJSON_ArrayForEach(device, cJSON_GetObjectItemCaseSensitive(o->detail, "devices")) {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(device, "device");
        const char *key = is_nic(device) ? json_text(device, "xenbus") : json_text(device, "device");
        if (!cJSON_IsString(name) || !*key) // an interface that Dom0 cannot name
            continue;
        struct io_sample *row = row_of(samples, s, name->valuestring, key, false);
        row->nic = is_nic(device);
        if (o->scope == SCOPE_LATENCY)
            add_requests(row, device);
        else if (o->scope == SCOPE_BLOCKED)
            row->blocked_s += json_amount(device, "seconds");
        if (o->scope == SCOPE_LATENCY && is_nic(device))
            add_received(samples, s, device, name->valuestring, key);
    }
}

void io_samples_add(struct io_samples *samples, const struct journal_sample *s) {
    for (size_t i = 0; s->valid && i < s->obs.count; i++)
        if (s->obs.items[i].cause == CAUSE_HOP_DOM0)
            add_observation(samples, s, &s->obs.items[i]);
}

void io_samples_free(struct io_samples *samples) {
    for (size_t i = 0; i < samples->count; i++) {
        free(samples->items[i].device);
        free(samples->items[i].key);
    }
    free(samples->items);
    *samples = (struct io_samples){0};
}
