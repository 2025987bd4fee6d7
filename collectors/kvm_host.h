// SPDX-License-Identifier: Apache-2.0
// Why vCPUs leave their guests and for how long, seen on the KVM host: the eBPF programs of probes/kvm_host.bpf.c,
// loaded, attached and read. What they sum up becomes windows in host_windows.h. May include: core, probes.
#pragma once

#include "collectors/collectors.h"
#include "probes/kvm_host.h"

struct kvm_host;

// Loads and attaches for one virtual machine (the process `only`), or for all of them (0). Fills *status in any case:
// degraded names what is missing. NULL if and only if it is unavailable, which is one line in status->reason.
struct kvm_host *kvm_host_open(pid_t only, struct collector_status *status);

// Detaches and frees everything. NULL is fine. If the process dies instead, the kernel does the same.
void kvm_host_close(struct kvm_host *host);

// Slots for vCPUs; each is free or has one vCPU thread.
size_t kvm_host_slots(const struct kvm_host *host);

// A consistent copy of a slot's vCPU. False if the slot is free.
bool kvm_host_read(const struct kvm_host *host, size_t slot, struct kvm_vcpu_state *out);

// Frees the slot of a thread that has ended.
void kvm_host_forget(struct kvm_host *host, size_t slot);

struct kvm_totals kvm_host_totals(const struct kvm_host *host);

// What the programs cost while the kernel's BPF statistics are on (collectors/probe.h), by name of the program.
// Returns how many there are; stores at most `capacity`.
struct kvm_host_cost {
    const char *program;
    uint64_t run_ns, runs, misses; // misses: the kernel did not run it, since it was running on that CPU already
};
size_t kvm_host_costs(const struct kvm_host *host, struct kvm_host_cost *out, size_t capacity);
