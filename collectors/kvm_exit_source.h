// SPDX-License-Identifier: Apache-2.0
// Where this kernel's tracepoint kvm_exit has the reason of an exit, and when it fires. May include: core, probes.
#pragma once

#include "probes/kvm_host.h"

#include <stdbool.h>
#include <stdint.h>

// The most direct way to the reason that this kernel's BTF shows to exist. KVM_EXIT_IN_RECORD, which works everywhere
// but makes KVM fill in the record, if it shows none.
enum kvm_exit_source kvm_exit_source(void);

// Where the kernel keeps what it makes its clock of.
struct kvm_clock_source {
    uint64_t monotonic; // address of tk_fast_mono
    uint64_t tsc;       // address of clocksource_tsc
};

// True if the kernel's clock is the TSC and it tells both addresses (/proc/kallsyms; CONFIG_KALLSYMS_ALL): then the TSC
// at which KVM says that a guest was left is a time.
bool kvm_clock_source(struct kvm_clock_source *out);

// True if kvm_exit fires only after the host's interrupts are on again: SVM up to Linux 6.4.
bool kvm_exit_is_late(void);

// The text of the tracepoint's format file (the caller frees it) and its number for perf_event_open(). Where tracefs is
// not mounted, it is looked at without mounting it. NULL with errno: ENOENT, there is no such tracepoint; others,
// tracefs cannot be opened.
char *kvm_exit_record(uint64_t *id);
