// SPDX-License-Identifier: Apache-2.0
// Which virtual machine of a recorded host a guest's journal is, and what its counter reads on the host's. May include:
// core, report/dataset.h, report/host.h.
#pragma once

#include "report/dataset.h"
#include "report/host.h"

// A virtual machine that the guest may be.
struct join_match {
    const struct host_journal *host;
    const struct host_vm *vm;
    size_t knocks;     // samples with a knock
    double ratio;      // guest's ticks per host's tick
    double hz;         // of the guest's counter
    double outside_s;  // what an exit takes before kvm_exit and after kvm_entry; 0: not known
    double outside_se; // its standard error
};

// True if one was found. Knocks decide; else a name; else there must be one alone. The match borrows from `hosts`.
bool join_find_match(const struct dataset *guest, const struct host_journal *hosts, size_t host_count,
                     struct join_match *out);

// A moment of the guest's counter by the host's.
double join_host_time(const struct join_match *m, uint64_t guest_tsc);

// The guest's observations that tell when they were, by its counter.
size_t join_count_points(const struct dataset *guest);
