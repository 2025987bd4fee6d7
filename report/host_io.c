// SPDX-License-Identifier: Apache-2.0
// Reads what Dom0 says of a guest's devices; see the header. May include: core.
#include "report/host_io.h"

#include "core/json.h"
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

const char *const io_segment_keys[IO_SEGMENTS] = {"notify_s", "wakeup_s", "service_s", "device_s", "completion_s"};
const char *const io_segment_names[IO_SEGMENTS] = {"notify", "backend wake-up", "backend service", "device",
                                                   "completion"};

static void add_device(struct host_io *io, uint64_t start_tsc, uint64_t end_tsc, const cJSON *device) {
    struct host_io_row row = {.start_tsc = start_tsc,
                              .end_tsc = end_tsc,
                              .device = mem_strdup(json_text(device, "device")),
                              .receives = strcmp(json_text(device, "direction"), "receive") == 0,
                              .backend = mem_strdup(json_text(device, "backend")),
                              .requests = json_amount(device, "requests"),
                              .answers = json_amount(device, "answers"),
                              .unannounced = json_amount(device, "unannounced")};
    const cJSON *segments = cJSON_GetObjectItemCaseSensitive(device, "segments");
    for (int s = 0; s < IO_SEGMENTS; s++)
        row.segment_s[s] = json_amount(segments, io_segment_keys[s]);
    const cJSON *disk;
    cJSON_ArrayForEach(disk, cJSON_GetObjectItemCaseSensitive(device, "disks")) {
        row.disk_requests += json_amount(disk, "completed");
        row.disk_s += json_amount(disk, "seconds");
    }
    ARRAY_PUSH(io->rows, io->count, io->capacity, row);
}

void host_io_add(struct host_io *io, uint64_t start_tsc, uint64_t end_tsc, const struct observations *obs) {
    for (size_t i = 0; i < obs->count; i++) {
        const struct observation *o = &obs->items[i];
        const cJSON *device;
        if (o->cause != CAUSE_HOP_DOM0 || o->scope != SCOPE_LATENCY)
            continue;
        cJSON_ArrayForEach(device, cJSON_GetObjectItemCaseSensitive(o->detail, "devices"))
            add_device(io, start_tsc, end_tsc, device);
    }
}

static int compare(const void *a, const void *b) {
    const struct host_io_row *x = a;
    const struct host_io_row *y = b;
    return (x->start_tsc > y->start_tsc) - (x->start_tsc < y->start_tsc);
}

void host_io_sort(struct host_io *io) {
    if (io->count)
        qsort(io->rows, io->count, sizeof *io->rows, compare);
}

void host_io_free(struct host_io *io) {
    for (size_t i = 0; i < io->count; i++) {
        free(io->rows[i].device);
        free(io->rows[i].backend);
    }
    free(io->rows);
    *io = (struct host_io){0};
}
