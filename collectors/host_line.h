// SPDX-License-Identifier: Apache-2.0
// The parts of a host's journal line that follow from two readings of one vCPU's sums alone. Keys: docs/journal.md,
// "window". Inside the host's room. May include: core, probes.
#pragma once

#include "collectors/host_moment.h"
#include "core/json.h"
#include "probes/kvm_host.h"

struct host_span {
    const struct host_moment *from, *to;
    const struct kvm_vcpu_state *before, *now;
};

// Over all lines of a recording, for its notes.
struct host_tally {
    uint64_t exits, untimed;
    uint64_t user_exits; // returns to the monitor
    uint64_t row_overflow, places_lost;
};

// `obs`: exits by cause, with reasons and durations, and waiting for a CPU. The caller owns the array.
cJSON *host_line_observations(const struct host_span *span, struct host_tally *tally);

// Seconds of the span's running in which KVM waited for timers that it had fired early; part of exit.timer.
double host_line_early_s(const struct host_span *span);

// `halts`, `monitor`, `places`, `knock`: those that there are.
void host_line_rest(const struct host_span *span, cJSON *line, struct host_tally *tally);
