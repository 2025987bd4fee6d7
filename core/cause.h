// SPDX-License-Identifier: Apache-2.0
// The one table of reasons for lost time. Collectors name a cause in each observation, the ledger has a line for each,
// `metalgap list causes` prints them. A new cause is one row in cause.c and one name here.
#pragma once

#include <stddef.h>

enum cause_family {
    FAMILY_EXIT,     // the guest asked the hypervisor: synchronous VM exits
    FAMILY_HOST,     // the host took the CPU: asynchronous
    FAMILY_HOP,      // an I/O request crossed software outside the guest
    FAMILY_OFFLOAD,  // an I/O request reached a device without a software hop
    FAMILY_MEMORY,   // memory is slower or further away
    FAMILY_CPU,      // the CPU is slower
    FAMILY_MPI,      // waiting for other ranks
    FAMILY_GUEST,    // the guest's own kernel: would be there on bare metal too
    FAMILY_OBSERVER, // what measuring costs
    FAMILY_COUNT
};

enum cause {
    CAUSE_EXIT_TIMER,
    CAUSE_EXIT_IPI,
    CAUSE_EXIT_HALT,
    CAUSE_EXIT_KICK,
    CAUSE_EXIT_PIO,
    CAUSE_EXIT_MMIO,
    CAUSE_EXIT_MSR,
    CAUSE_EXIT_CPUID,
    CAUSE_EXIT_TSC,
    CAUSE_EXIT_PAUSE,
    CAUSE_EXIT_HYPERCALL,
    CAUSE_EXIT_TLB,
    CAUSE_EXIT_STAGE2,
    CAUSE_EXIT_EOI,
    CAUSE_EXIT_IRQ,
    CAUSE_EXIT_OTHER,
    CAUSE_HOST_STEAL,
    CAUSE_HOST_HIDDEN,
    CAUSE_HOP_DOM0,
    CAUSE_HOP_VHOST,
    CAUSE_HOP_VMM,
    CAUSE_OFFLOAD_NVME,
    CAUSE_OFFLOAD_VF,
    CAUSE_MEMORY_NESTED,
    CAUSE_MEMORY_BANDWIDTH,
    CAUSE_MEMORY_NUMA,
    CAUSE_MEMORY_PAGESIZE,
    CAUSE_CPU_FREQUENCY,
    CAUSE_CPU_SMT,
    CAUSE_CPU_FEATURES,
    CAUSE_MPI_WAIT,
    CAUSE_GUEST_IRQ,
    CAUSE_GUEST_SOFTIRQ,
    CAUSE_GUEST_THREADS,
    CAUSE_GUEST_FAULT,
    CAUSE_OBSERVER,
    CAUSE_COUNT
};

struct cause_info {
    const char *id; // "exit.timer": the name in journals and reports
    enum cause_family family;
    const char *explanation; // one line: what happens
    const char *hint;        // one line: what a user can do about it
};

// The row of a cause; never NULL for a valid one.
const struct cause_info *cause_info(enum cause cause);

// The cause with this id, or CAUSE_COUNT if there is none.
enum cause cause_by_id(const char *id);

// "exit", "host", ...: the part of the id before the dot.
const char *cause_family_name(enum cause_family family);

// One line that says what the family means.
const char *cause_family_text(enum cause_family family);

// True for the families that are the hypervisor's doing and make up the direct-cost estimate of a run without a
// baseline: exit, host, hop.
int cause_family_is_direct(enum cause_family family);
