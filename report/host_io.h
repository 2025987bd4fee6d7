// SPDX-License-Identifier: Apache-2.0
// Dom0's word on a guest's requests, by window and device: the detail of `hop.dom0` in its journal. May include: core.
#pragma once

#include "core/observation.h"

#include <stdbool.h>
#include <stddef.h>

// The way of a request through Dom0; keys and names in host_io.c, meanings in docs/method.md.
enum io_segment { IO_NOTIFY, IO_WAKEUP, IO_SERVICE, IO_DEVICE, IO_COMPLETION, IO_SEGMENTS };

extern const char *const io_segment_keys[IO_SEGMENTS];  // "notify_s" ... as in journals
extern const char *const io_segment_names[IO_SEGMENTS]; // "notify", "backend wake-up", ...

struct host_io_row {
    uint64_t start_tsc, end_tsc; // of the window, by the host's counter
    char *device;                // "xvda", "vif-0"
    bool receives;               // packets that the guest receives
    char *backend;               // "1.xvda-0"; the last one where a device has several
    double requests;             // timed in all segments
    double answers;              // all that the guest was given
    double unannounced;          // requests without a notification of their own
    double disk_requests;        // that the disks under the device completed, whoever made them
    double disk_s;               // issued to completed
    double segment_s[IO_SEGMENTS];
};

struct host_io {
    struct host_io_row *rows; // ascending by start_tsc after host_io_sort()
    size_t count;
    size_t capacity;
};

// Takes a window's observations in.
void host_io_add(struct host_io *io, uint64_t start_tsc, uint64_t end_tsc, const struct observations *obs);
void host_io_sort(struct host_io *io);
void host_io_free(struct host_io *io);
