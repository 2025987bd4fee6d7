// SPDX-License-Identifier: Apache-2.0
// The requests of one device in one case, as the guest and Dom0 saw them (report/join_io.h). Seconds are per request.
// May include: core, report.
#pragma once

#include "report/host_io.h"
#include "report/io_samples.h"

struct io_split {
    char *device;         // "xvda", "eth0"
    char *key;            // what Dom0 calls it
    bool nic;             // requests are packets; IO_DEVICE is none of their segments
    bool receives;        // that the guest received, not sent: IO_NOTIFY is none of their segments either
    char *backend;        // "1.xvda-0"
    size_t samples;       // joined
    double requests;      // that the guest counted; NaN: it was not asked
    double timed;         // that Dom0 timed in all segments
    double answers;       // that Dom0 gave, prorated at the edges of its windows
    double answers_low;   // of the windows that lie in the samples: at least so many
    double answers_high;  // of those that overlap them: at most
    double unannounced;   // that came without a notification
    double disk_requests; // that the disks completed, whoever made them
    double whole_s;       // issue to completion in the guest; NaN: not known (what it receives)
    double segment_s[IO_SEGMENTS];
    double part_s[GUEST_PARTS]; // the guest's half; 0: not timed
    double rest_s;              // whole_s less the segments and the parts inside it; NaN: not known
    double disk_s;              // of a disk's request, issued to completed; part of the device's segment
    double blocked_s;           // in all samples: the job's CPUs stood idle waiting for these requests
};

// Words for what a split's requests are.
struct io_words {
    const char *one;      // "request", "packet"
    const char *counted;  // behind a number, before "the guest": "requests in"
    const char *answered; // behind a number, before the backend's name: "answered by"
};
struct io_words io_split_words(const struct io_split *split);

// Has such a request this segment of Dom0's?
bool io_split_has(const struct io_split *split, enum io_segment segment);

// The way from issue to completion, in order: what was timed of it, one after the other. Returns how many. The CPU's
// wait before an event that brings a packet may have begun with an earlier event, while Dom0 had the packet: it is no
// part of that way.
#define IO_STRETCHES (IO_SEGMENTS + GUEST_PARTS)
struct io_stretch {
    const char *name;
    double seconds; // a request
};
size_t io_split_way(const struct io_split *split, struct io_stretch out[IO_STRETCHES]);

// The sum of these.
double io_split_timed_s(const struct io_split *split);

struct io_splits {
    struct io_split *items;
    size_t count;
    size_t capacity;
};

void io_split_free(struct io_split *split); // what it owns
void io_splits_free(struct io_splits *splits);
