// SPDX-License-Identifier: Apache-2.0
// Requests split by Dom0's record, in the JSON report. Keys: docs/method.md. May include: core, report.
#include "report/json_io.h"

cJSON *json_io(const struct dataset_case *c) {
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; c && i < c->splits.count; i++) {
        const struct io_split *split = &c->splits.items[i];
        cJSON *object = cJSON_CreateObject();
        json_add_string(object, "device", split->device);
        json_add_string(object, "resource", split->nic ? "nic" : "disk");
        json_add_string(object, "direction", !split->nic ? NULL : split->receives ? "receive" : "send");
        json_add_string(object, "backend", split->backend);
        json_add_u64(object, "samples", split->samples);
        json_add_double(object, "requests", split->requests);
        json_add_double(object, "answers", split->answers);
        json_add_double(object, "answers_low", split->answers_low);
        json_add_double(object, "answers_high", split->answers_high);
        json_add_double(object, "timed", split->timed);
        json_add_double(object, "unannounced", split->unannounced);
        json_add_double(object, "disk_requests", split->disk_requests);
        json_add_double(object, "request_s", split->whole_s);
        cJSON *segments = cJSON_AddObjectToObject(object, "segments");
        for (int s = 0; s < IO_SEGMENTS; s++)
            if (io_split_has(split, (enum io_segment)s))
                json_add_double(segments, io_segment_keys[s], split->segment_s[s]);
        for (int part = 0; part < GUEST_PARTS; part++)
            json_add_double(object, guest_part_keys[part], split->part_s[part]);
        json_add_double(object, "sum_s", io_split_timed_s(split));
        json_add_double(object, "rest_s", split->rest_s);
        json_add_double(object, "disk_s", split->disk_s);
        json_add_double(object, "blocked_s", split->blocked_s);
        cJSON_AddItemToArray(list, object);
    }
    return list;
}
