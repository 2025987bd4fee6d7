// SPDX-License-Identifier: Apache-2.0
// The guest's word on its requests that cross Dom0, by sample and device: what its collector of I/O paths says in the
// detail of `hop.dom0`. May include: core.
#pragma once

#include "core/journal.h"

#include <stdbool.h>
#include <stddef.h>

struct io_sample {
    uint64_t seq;
    enum sample_mode mode;
    char *device;      // "xvda", "eth0"
    char *key;         // what Dom0 calls it: "xvda", "vif-0"
    bool nic;          // requests are packets that the guest sent
    double requests;   // completed in the sample
    double seconds;    // request-seconds, issue to completion
    double submit_s;   // request-seconds from issue to notification, of as many requests
    double complete_s; // request-seconds from the event to completion
    double blocked_s;  // a CPU of the job stood idle waiting for them
};

struct io_samples {
    struct io_sample *items;
    size_t count;
    size_t capacity;
};

// Takes one line of the journal in.
void io_samples_add(struct io_samples *samples, const struct journal_sample *s);
void io_samples_free(struct io_samples *samples);
