// SPDX-License-Identifier: Apache-2.0
// Where this kernel's tracepoint kvm_exit has the reason of an exit, and when it fires. May include: core, probes.
#pragma once

#include "probes/kvm_host.h"

#include <stdbool.h>
#include <stdint.h>

// The most direct way to the reason that this kernel's BTF shows to exist. KVM_EXIT_IN_RECORD, which works everywhere
// but makes KVM fill in the record, if it shows none.
enum kvm_exit_source kvm_exit_source(void);

// True if kvm_exit fires only after the host's interrupts are on again: SVM up to Linux 6.4.
bool kvm_exit_is_late(void);

// The text of the tracepoint's format file (the caller frees it) and its number for perf_event_open(). Where tracefs is
// not mounted, it is looked at without mounting it. NULL with errno: ENOENT, there is no such tracepoint; others,
// tracefs cannot be opened.
char *kvm_exit_record(uint64_t *id);
