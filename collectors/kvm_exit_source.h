// SPDX-License-Identifier: Apache-2.0
// Where this kernel's tracepoint kvm_exit has the reason of an exit, and when it fires. May include: core, probes.
#pragma once

#include "probes/kvm_host.h"

#include <stdbool.h>

// The cheapest way to the reason that this kernel's BTF shows to exist. KVM_EXIT_IN_RECORD, which works everywhere but
// makes KVM fill in the record, if it shows none.
enum kvm_exit_source kvm_exit_source(void);

// True if kvm_exit fires only after the host's interrupts are on again: SVM up to Linux 6.4.
bool kvm_exit_is_late(void);
