// SPDX-License-Identifier: Apache-2.0
// The requests of one device in one case, as the guest and Dom0 saw them (report/join_io.h). Seconds are per request.
// May include: core, report.
#pragma once

#include "report/host_io.h"

struct io_split {
    char *device;         // "xvda", "eth0"
    char *key;            // what Dom0 calls it
    bool nic;             // requests are packets that the guest sent; IO_DEVICE is none of their segments
    char *backend;        // "1.xvda-0"
    size_t samples;       // joined
    double requests;      // that the guest counted; NaN: it was not asked
    double timed;         // that Dom0 timed in all segments
    double answers;       // that Dom0 gave, prorated at the edges of its windows
    double answers_low;   // of the windows that lie in the samples: at least so many
    double answers_high;  // of those that overlap them: at most
    double unannounced;   // that came without a notification
    double disk_requests; // that the disks completed, whoever made them
    double whole_s;       // issue to completion in the guest; NaN: not known
    double segment_s[IO_SEGMENTS];
    double submit_s;   // in the guest, from issue to notification; 0: not timed
    double complete_s; // in the guest, from the event to completion; 0: not timed
    double rest_s;     // whole_s less all of these; NaN: not known
    double disk_s;     // of a disk's request, issued to completed; part of the device's segment
    double blocked_s;  // in all samples: the job's CPUs stood idle waiting for these requests
};

struct io_splits {
    struct io_split *items;
    size_t count;
    size_t capacity;
};

void io_splits_free(struct io_splits *splits);
