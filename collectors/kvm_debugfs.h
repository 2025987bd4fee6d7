// SPDX-License-Identifier: Apache-2.0
// How far a guest's TSC is from the host's, as KVM tells it in debugfs. May include: core.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// guest = host * ratio + offset
struct kvm_offset {
    bool known;
    int64_t offset; // TSC ticks
    double ratio;   // 1 without TSC scaling
};

// Reads /sys/kernel/debug/kvm/PID-FD/vcpuN/tsc-offset. *out is unknown where that is not to be read.
void kvm_offset_read(pid_t vm, unsigned vcpu, struct kvm_offset *out);

// The same below another folder, for tests.
void kvm_offset_read_in(const char *folder, pid_t vm, unsigned vcpu, struct kvm_offset *out);
