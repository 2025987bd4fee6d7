// SPDX-License-Identifier: Apache-2.0
// The guest's word on its requests that cross Dom0, by sample and device: what its collector of I/O paths says in the
// detail of `hop.dom0`. May include: core.
#pragma once

#include "core/journal.h"

#include <stdbool.h>
#include <stddef.h>

// What the guest times of its half; keys and names in io_samples.c, meanings in docs/method.md.
enum guest_part { GUEST_QUEUE, GUEST_SUBMIT, GUEST_CPU_WAIT, GUEST_COMPLETE, GUEST_WAKE, GUEST_PARTS };

extern const char *const guest_part_keys[GUEST_PARTS];  // "queue_s" ... as in journals
extern const char *const guest_part_names[GUEST_PARTS]; // "guest queues", "guest submits", ...

struct io_sample {
    uint64_t seq;
    enum sample_mode mode;
    char *device;    // "xvda", "eth0"
    char *key;       // what Dom0 calls it: "xvda", "vif-0"
    bool nic;        // requests are packets
    bool receives;   // of an interface: that the guest received, not sent
    double requests; // completed in the sample
    double seconds;  // request-seconds, issue to completion; NaN: the guest cannot know when (what it receives)
    double part_s[GUEST_PARTS]; // request-seconds, of as many requests; 0: not timed
    double blocked_s;           // a CPU of the job stood idle waiting for them
};

struct io_samples {
    struct io_sample *items;
    size_t count;
    size_t capacity;
};

// Takes one line of the journal in.
void io_samples_add(struct io_samples *samples, const struct journal_sample *s);
void io_samples_free(struct io_samples *samples);
