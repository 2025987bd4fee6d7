// SPDX-License-Identifier: Apache-2.0
// KVM's own counters of a vCPU, through its binary statistics (Linux 5.14). Only the monitor's process can open them
// (KVM_GET_STATS_FD); QEMU does from 8.1 on. A copy of its descriptor is taken with pidfd_getfd(2), which needs the
// right to trace that process. May include: core.
#pragma once

#include "core/json.h"

#include <sys/types.h>

struct kvm_stats;

// NULL where they are not to be had.
struct kvm_stats *kvm_stats_open(pid_t vm, unsigned vcpu);
void kvm_stats_close(struct kvm_stats *stats); // NULL is fine

// By how much each counter grew since the last call (since open() at the first), as an object of those that did; NULL
// if none did or they cannot be read. The caller owns it.
cJSON *kvm_stats_next(struct kvm_stats *stats);
