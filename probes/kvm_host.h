// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
// What kvm_host.bpf.c keeps of each vCPU, shared with its collector. All counters only grow (32-bit ones wrap): user
// space takes differences between two readings.
#pragma once

// What an exit turned out to be while it was handled, beyond its reason. Part of a row's key.
enum kvm_kind {
    KVM_KIND_PLAIN,
    KVM_KIND_MMIO,  // kvm:kvm_mmio: an access to device memory was emulated
    KVM_KIND_TIMER, // a timer register of the local APIC (MSR or memory-mapped) or Hyper-V's
    KVM_KIND_IPI,   // the APIC's interrupt command register, Hyper-V's, or KVM's hypercall for it
    KVM_KIND_EOI,   // the APIC's end-of-interrupt register or Hyper-V's
    KVM_KIND_KICK,  // kvm:kvm_fast_mmio: a doorbell that KVM turned into an eventfd signal at once
    KVM_KIND_COUNT,
    KVM_KINDS = 8 // the next power of two
};

#define KVM_ROWS         64  // distinct (reason, kind) of one vCPU; row 0 takes what finds none left; a power of two
#define KVM_HIST_BUCKETS 32  // the last one holds everything from 2^31 ns on
#define KVM_PLACES       64  // ports, addresses and registers of one vCPU; a power of two
#define KVM_USER_REASONS 64  // by KVM_EXIT_*; the last two: interrupted by a signal, any other error
#define KVM_DIRECT_CODES 256 // codes whose row is found without a search; a power of two

// Where the reason of an exit is found. The last two are of structures of KVM's that stay as they are until the next
// exit: with the time of the exit there, too, kvm_entry alone tells all of it.
enum kvm_exit_source {
    KVM_EXIT_IN_RECORD,   // of the tracepoint
    KVM_EXIT_IN_ARGUMENT, // the first one, up to Linux 5.16
    KVM_EXIT_IN_VMCB,     // SVM's control block
    KVM_EXIT_IN_VCPU_VMX, // where VMX keeps it, up to Linux 6.14
};

enum { KVM_USER_INTERRUPTED = KVM_USER_REASONS - 2, KVM_USER_ERROR = KVM_USER_REASONS - 1 };

struct kvm_row {
    unsigned int code; // exit reason
    unsigned int kind; // enum kvm_kind
    unsigned long long count;
    unsigned long long untimed;   // of these: KVM went back into the guest without kvm_entry, the end was not seen
    unsigned long long ns;        // exit to entry, less waiting for a CPU, less halting
    unsigned long long steal_ns;  // runnable, but without a CPU
    unsigned long long halted_ns; // the guest wanted to sleep
    unsigned long long user_ns;   // part of `ns` spent after the return to the monitor's process
    unsigned int hist[KVM_HIST_BUCKETS];
};

// Which port, address or register.
enum kvm_place_type { KVM_PLACE_NONE, KVM_PLACE_PORT, KVM_PLACE_MMIO, KVM_PLACE_MSR, KVM_PLACE_TYPES };
#define KVM_PLACE(type, write, address)                                                                                \
    (((unsigned long long)(type) << 60) | ((unsigned long long)!!(write) << 59) |                                      \
     ((unsigned long long)(address) & ((1ULL << 59) - 1)))

struct kvm_place {
    unsigned long long key; // KVM_PLACE(); 0: free
    unsigned long long count;
    unsigned long long ns;
};

struct kvm_user {
    unsigned long long count;
    unsigned long long ns; // until the next entry
};

// The first of three leaves that nobody uses, KNOCK_LEAF in core/knock.h; and the registers that say it once more.
#define KVM_KNOCK_LEAF 0x4d474100U
enum { KVM_KNOCK_VALUE_IN = 6, KVM_KNOCK_LEAF_IN = 7 }; // RSI, RDI

// A guest's knock: it tells its TSC by CPUIDs of those leaves.
struct kvm_knock {
    unsigned long long ns;  // CLOCK_MONOTONIC when the host saw the first of the three
    unsigned int low, high; // the guest's TSC
    unsigned int span;      // TSC ticks that the first exit took: the host's time lies inside
    unsigned int count;     // complete knocks so far
};

// How to tell CLOCK_MONOTONIC from a vCPU's counter: ns + ((counter - ticks) * mult >> 32).
struct kvm_clock {
    unsigned long long ticks;
    unsigned long long ns;
    unsigned long long mult;  // ns << 32 per tick
    unsigned long long until; // CLOCK_MONOTONIC from which on it has to be looked up again; 0: not known
};

// One vCPU thread. Only the thread itself writes here, and the context switch that takes it off a CPU or onto one.
// A reader's copy is consistent if `done` at its beginning equals `begun` at its end.
struct kvm_vcpu_state {
    unsigned int done;
    unsigned int tid, tgid;
    unsigned int vcpu_id; // ~0: not known yet (no exit seen)
    unsigned int isa;     // 1 VMX, 2 SVM; 0: not known yet
    unsigned int rows_used;
    unsigned int places_lost; // how often a place was taken from another access
    unsigned int cpu;         // the last one it ran on, + 1; 0: not known

    // The state right now.
    unsigned int in_exit;          // 1: outside the guest
    unsigned int code, kind;       // of this exit
    unsigned int user_reason;      // the last return to the monitor in this exit, + 1; 0: none
    unsigned long long since;      // when this exit or this run began; 0: never seen
    unsigned long long left;       // the guest was seen to have been left before kvm_exit said so; 0: no
    unsigned long long out_since;  // switched out since; 0: it has a CPU
    unsigned long long off_ns;     // switched out in this exit so far
    unsigned long long woken;      // when kvm_vcpu_wakeup ended a halt in this exit; 0: no
    unsigned long long user_since; // 0: not in the monitor
    unsigned long long place;      // of this exit; 0: none
    unsigned long long delay_ns;   // the scheduler's run delay at the last look

    // Where KVM has it, as of the last entry. 0: not looked at.
    unsigned long long vcpu;    // address of its struct kvm_vcpu
    unsigned long long code_at; // address of the reason of its last exit
    unsigned int cpuid_code;    // the reason that stands for CPUID
    unsigned int nested;        // SVM: a guest's guest was entered, with a control block of its own
    struct kvm_clock clock;

    // Sums.
    unsigned long long run_ns;   // in the guest
    unsigned long long steal_ns; // runnable, but without a CPU
    unsigned long long steals;   // how often
    unsigned long long wake_ns;  // part of steal_ns: behind a halt, from the wake-up until it had a CPU
    unsigned long long wakes;    // how often
    unsigned long long out_ns;   // without a CPU and not halted: steal, and waiting for something in the host
    unsigned long long halted_ns;
    unsigned long long halts_polled, halts_waited; // kvm_vcpu_wakeup: found by polling, or after sleeping
    unsigned long long polls_grown, polls_shrunk;  // kvm_halt_poll_ns
    unsigned int poll_window_ns;                   // its last value
    unsigned int earlies;                          // timers that KVM fired early, to wait for the rest
    unsigned long long early_ticks;                // of the guest's counter: that waiting. Part of run_ns
    unsigned int accesses[KVM_PLACE_TYPES];        // by type of place, where kvm_exit never fires
    struct kvm_knock knock;

    struct kvm_user user[KVM_USER_REASONS];
    struct kvm_place places[KVM_PLACES];
    struct kvm_row rows[KVM_ROWS];
    unsigned char row_of[KVM_KINDS * KVM_DIRECT_CODES];
    unsigned int begun;
} __attribute__((aligned(64)));

#define KVM_CPUS 8192 // the most that Linux has on x86; a power of two

// What runs on a CPU. An exit is only noted here; whoever looks at the vCPU next books it, most often kvm_entry.
struct kvm_cpu {
    unsigned long long exit_ns; // when the current vCPU left its guest, and that is not booked yet; or:
    unsigned int code;          // of that exit
    unsigned int current;       // slot + 1 of the vCPU thread that runs here; 0: none
    unsigned int unused[12];
} __attribute__((aligned(64)));

enum {
    KVM_LOOK_CLOSER, // nothing is noted
    KVM_TOLD,        // as KVM_IN_GUEST, but it has left, and something about that exit is in its sums already
    KVM_IN_GUEST,    // the current vCPU is in its guest, and nothing else is known of it
    KVM_NOTED,       // this and above: a time
};

struct kvm_totals {
    unsigned long long vcpus_lost;  // events of vCPUs for which no slot was left
    unsigned long long clocks_lost; // exits whose time could not be told: the kernel's clock is not the TSC any more
};
