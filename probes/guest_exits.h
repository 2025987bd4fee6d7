// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
// What guest_exits.bpf.c counts, shared with its collector.
#pragma once

#include "probes/job.h"

enum guest_event {
    // msr:write_msr, the two registers that make nearly all writes. First, so that the hot ones share a cache line.
    EVENT_MSR_DEADLINE, // 0x6e0, IA32_TSC_DEADLINE: arms the local timer
    EVENT_MSR_ICR,      // 0x830, x2APIC ICR: sends an interrupt
    EVENT_IDLE,         // power:cpu_idle, entering a state that halts
    // Interrupts that arrived: irq_vectors:*_entry, irq:irq_handler_entry.
    EVENT_LOCAL_TIMER,
    EVENT_RESCHEDULE,
    EVENT_CALL_FUNCTION,
    EVENT_CALL_FUNCTION_SINGLE,
    EVENT_DEVICE_IRQ,
    EVENT_IRQ_WORK,
    EVENT_PLATFORM_IPI,
    // Interrupts sent to other CPUs, as the kernel's own functions tell it.
    EVENT_IPI_SEND_CPU,
    EVENT_IPI_SEND_CPUMASK,
    EVENT_IPI_RAISE, // arm64
    EVENT_HYPERV_IPI_ONE,
    EVENT_HYPERV_IPI_MASK,
    EVENT_XEN_CALLS, // batches of calls, of a PV guest's memory management for the most part
    // exceptions:page_fault_*
    EVENT_FAULT_USER,
    EVENT_FAULT_KERNEL,
    // Writes of registers for which no slot was left in `msrs`.
    EVENT_MSR_OVERFLOW,
    EVENT_COUNT
};

#define MSR_TSC_DEADLINE 0x6e0U
#define MSR_X2APIC_ICR   0x830U

// All other registers share these, first come, first served.
#define MSR_SLOTS 16

struct msr_slot {
    unsigned long long count;
    unsigned int msr; // 0: free (register 0 is a machine-check address that nobody writes)
    unsigned int unused;
};

// Counters of one kind of task on one CPU.
struct guest_exits_row {
    unsigned long long events[EVENT_COUNT];
    struct msr_slot msrs[MSR_SLOTS];
};

// Entering idle belongs to the CPU and is counted for the job in any case.
// One for each CPU: no counter is shared between CPUs, and user space reads those of the CPUs that matter.
struct guest_exits_cpu {
    struct guest_exits_row whose[WHOSE_COUNT];
    unsigned long long ended_wait_ns; // time that tasks of the job which have ended had waited for a CPU
    unsigned int current;             // enum probe_whose: the task that runs now; set at each switch
} __attribute__((aligned(64)));
