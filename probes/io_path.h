// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
// What io_path.bpf.c and io_path_kick.bpf.c record, shared with their collector.
#pragma once

#include "probes/job.h"

#define IO_DEVICES  32   // at most so many disks and network interfaces are looked at
#define IO_HIST     32   // log2 buckets of ns; the last one holds all above
#define IO_FLIGHTS  8192 // requests whose beginning waits for its end, a power of two
#define IO_WAYS     4    // places that a request may take
#define IO_BIOS     4096 // of the job, that wait for a request, by their address
#define IO_SLEEPERS 4096 // threads that may sleep at the same time, by the low bits of their number
#define IO_VIRTIO   64   // virtio devices that can notify, by their number
#define IO_IRQS     1024 // Linux interrupts that can be an event channel, by number

// A disk or network interface that user space wants to know of.
struct io_device {
    unsigned int number; // disk: major << 20 | first minor; network interface: ifindex; 0: none
    unsigned int is_nic;
    unsigned long long object; // the kernel's request queue or net_device, once a program has met it; 0 before
};

// What Xen's events brought.
struct io_arrivals {
    unsigned long long count;
    unsigned long long ns;    // from the event's handler on, summed
    unsigned long long ready; // of these, Xen told how long it kept the CPU waiting
    unsigned long long
        ready_ns; // before the event: the idle CPU was ready to run and Xen ran others, summed over those
};

// What one device did, on one CPU.
struct io_row {
    unsigned long long requests;   // block requests that ended; packets that were sent
    unsigned long long own;        // of these, a thread of the job asked for them
    unsigned long long timed;      // of these, the beginning had been seen
    unsigned long long ns;         // from issue to completion, summed over the timed ones
    unsigned long long bytes;      // of those
    unsigned long long remote;     // of the timed ones: ended on another CPU than where they began
    unsigned long long waits;      // threads of the job that were woken by a completion
    unsigned long long blocked_ns; // their CPUs stood idle meanwhile
    unsigned long long polls;      // rounds of NAPI
    unsigned long long polled;     // packets that they brought
    unsigned long long queued;     // requests whose way through the guest's own queues was seen
    unsigned long long queue_ns;   // from a thread of the job asking for it to the issue
    unsigned long long wakes;      // threads of the job that had a CPU again after a completion or a packet
    unsigned long long wake_ns;    // from the request's end, or the packet being given to the stack, to there
    unsigned long long submits;    // requests or packets of a Xen device that a notification followed at once
    unsigned long long submit_ns;  // from the issue to that notification
    struct io_arrivals endings;    // requests or sent packets of a Xen device that ended after an event
    struct io_arrivals received;   // packets that a Xen interface gave the network stack after an event
    unsigned int hist[IO_HIST];    // issue to completion
};

// One for each CPU. Written by that CPU, but for `told_ns`.
struct io_cpu {
    struct io_row rows[IO_DEVICES];
    unsigned long long kicks[IO_VIRTIO]; // notifications of virtio devices
    unsigned long long idle_ns;          // that this CPU has been idle, up to `idle_since`
    unsigned long long idle_since;       // ns of CLOCK_MONOTONIC; 0: it is not idle
    unsigned long long told_ns;          // idle time up to here belongs to a wait already
    unsigned long long issued;           // when that was
    unsigned long long event;            // when that handler began
    unsigned long long ready_ns;         // how long Xen kept this CPU waiting before that event
    unsigned long long runnable_ns;      // Xen's clock of such waiting when this CPU last went idle; 0: not known
    unsigned long long ended;            // when the request ended, or packet came, that is being handled
    unsigned long long others;           // requests of devices that nobody asked for
    unsigned int current;                // enum probe_whose: the task that runs now
    unsigned int completed;              // number + 1 of the device whose completion is being handled; 0: none
    unsigned int issued_device;          // number + 1 of the device of the last request issued here; 0: none is open
    unsigned int irq;                    // the interrupt whose handler ran last; 0: not looked at
    unsigned int arrived;                // number + 1 of the interface whose packet is being handled; 0: none
    unsigned int receiver;               // number + 1 of the interface whose event announced packets; 0: none is open
} __attribute__((aligned(64)));

// A request that is under way.
struct io_flight {
    unsigned long long request; // address; 0: free
    unsigned long long start;
    unsigned int cpu;
    unsigned int device; // of a packet
    unsigned int own;    // it is a thread's of the job
    unsigned int unused;
    unsigned long long queue_ns; // before `start`, since the thread asked for it; 0: not known
};

// A bio of the job that waits for its request.
struct io_bio {
    unsigned long long bio; // address; 0: none
    unsigned long long since;
};

// A thread of the job that left its CPU.
struct io_sleeper {
    unsigned long long task;    // address; 0: none
    unsigned long long idle_ns; // the CPU's idle time at that moment
    unsigned long long woken;   // address of the task that was woken by what it waited for and has no CPU yet; 0: none
    unsigned long long ended;   // when that ended
    unsigned int cpu;
    unsigned int device; // whose that was
};

// An event channel of a Xen guest, by its Linux interrupt.
struct io_channel {
    unsigned long long kicks;    // notifications of the other end
    unsigned long long answered; // of these, until the next event was timed
    unsigned long long ns;       // from the first notification to the next event, summed
    unsigned long long since;    // the first notification since the last event; 0: none
    unsigned int device;         // number + 1 of whose requests or sent packets it tells; 0: nobody's, or not known yet
    unsigned int receiver;       // number + 1 of the interface for which it announces packets; 0: none
};

// What user space tells the programs.
struct io_control {
    struct probe_job job;
    struct io_device devices[IO_DEVICES];
};
