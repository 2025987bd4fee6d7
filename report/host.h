// SPDX-License-Identifier: Apache-2.0
// A host's journal in memory: its windows by virtual machine, as far as joining needs them. May include: core.
#pragma once

#include "core/journal.h"
#include "report/host_io.h"

// What one vCPU spent in one window on one cause.
struct host_loss {
    enum cause cause;
    enum obs_scope scope;
    uint64_t count;
    double seconds;
    size_t hist; // index in host_journal.hists; SIZE_MAX: none
};

struct host_window {
    uint64_t start_tsc, end_tsc; // the host's counter
    unsigned vcpu;
    size_t first, count; // in host_vm.losses
};

// A guest's knock: the same moment by both counters.
struct host_knock {
    uint64_t guest_tsc, host_tsc, error_tsc;
};

struct host_vm {
    uint64_t pid; // of Xen's guests: the domain
    char *name;
    bool has_offset; // told by KVM: guest = host * ratio + offset
    double offset, ratio;
    bool offset_changed; // it was not the same in all windows: the last one stands
    unsigned vcpus;
    bool timed;                  // false: its windows only count, since kvm_exit did not fire
    struct host_window *windows; // ascending by start
    uint64_t longest;            // of them, ticks
    size_t window_count, window_capacity;
    struct host_loss *losses;
    size_t loss_count, loss_capacity;
    struct host_knock *knocks; // ascending by host_tsc
    size_t knock_count, knock_capacity;
    struct host_io io; // its requests in Dom0
};

// A moment by the host's counter and by its wall clock.
struct host_clock {
    double tsc, unix_ns;
    double hz; // of the counter; 0: the header does not tell all three
};

struct host_journal {
    char *path;
    char *label;
    struct host_vm *vms;
    size_t vm_count, vm_capacity;
    struct hist *hists;
    size_t hist_count, hist_capacity;
    char **warnings; // its notes of level warn
    size_t warning_count, warning_capacity;
    bool truncated;
    bool is_dom0; // its virtual machines are Xen's domains: it tells of their requests, not of exits
    struct host_clock clock;
};

// Reads it. 0, or -1 with `err` (code 3: a bad journal, its place named, or one that is no host's). host_free() in any
// case.
int host_load(struct host_journal *host, const char *path, struct error *err);
void host_free(struct host_journal *host);
