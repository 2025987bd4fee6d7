// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
// What xen_dom0.bpf.c and xen_netback.bpf.c keep of each ring of a backend and of each disk under them, shared with
// their collector. All counters only grow: user space takes differences between two readings. Times are
// CLOCK_MONOTONIC, ns.
#pragma once

// The way of a request through Dom0, each segment beginning where the one before ended.
enum dom0_segment {
    DOM0_NOTIFY,     // the event channel's interrupt came, to the backend's handler
    DOM0_WAKEUP,     // to the backend's thread having a CPU
    DOM0_SERVICE,    // to the block layer having the request: the thread's work, and that for requests before this one
    DOM0_DEVICE,     // to the block layer having completed it: queueing in Dom0, and the physical device
    DOM0_COMPLETION, // to the guest being told
    DOM0_SEGMENTS
};

// What a ring is for. Of a network interface each queue has two, and nothing of them is in DOM0_DEVICE.
enum dom0_kind {
    DOM0_BLOCK,
    DOM0_SENDS,    // packets of the guest, which Dom0 takes from the ring in a softirq (NAPI)
    DOM0_RECEIVES, // packets for the guest, which a thread of Dom0 copies to it: there is no notification
    DOM0_KINDS
};

#define DOM0_RINGS        256 // rings at one time; what finds no slot is counted
#define DOM0_DISKS        256
#define DOM0_IN_FLIGHT    16384 // requests at one time; what finds no place is counted
#define DOM0_HIST_BUCKETS 32    // the last one holds everything from 2^31 ns on; a power of two

// A notification that still has requests which the thread has not taken from the ring.
struct dom0_notice {
    unsigned int end;          // it announced the requests before this index
    unsigned int unused;       //
    unsigned long long notify; // ns until the handler ran
    unsigned long long came;   // when it did
    unsigned long long run;    // when the thread had a CPU; 0: not yet
};

// Who a ring is, and what it is at. Written by the handler and by context switches of its thread.
struct dom0_ring {
    unsigned int tid; // of the thread DOMID.DEV-RING or vifDOMID.DEV-QUEUE-guest-rx; 0: a free slot
    unsigned int domid;
    unsigned int vdev;   // the guest's device number, as in the names vbd-DOMID-VDEV, vif-DOMID-VDEV
    unsigned int on_cpu; // the thread, or the softirq
    unsigned int kind;   // enum dom0_kind
    unsigned int unused;
    unsigned long long address;     // struct xen_blkif_ring, or struct xenvif_queue + kind
    unsigned long long on_since;    // the thread has a CPU since
    unsigned long long handed_over; // when the thread gave the block layer a request for the last time
    struct dom0_notice notice[2];   // the older one first
};

// One row for each ring and CPU.
struct dom0_sums {
    unsigned long long notices;     // notifications
    unsigned long long requests;    // answered, and all segments seen
    unsigned long long unannounced; // of these: the thread found them while it was awake, no notification told
    unsigned long long answers;     // all that the guest was given, those without I/O (discards, errors) too
    unsigned long long packets;     // of a network interface: that went through; a packet may need several answers
    unsigned long long dropped;     // packets for the guest that it never got
    unsigned long long thread_ns;   // CPU time of the thread, or of the softirq
    unsigned long long ns[DOM0_SEGMENTS]; // of the requests
    unsigned int hist[DOM0_HIST_BUCKETS]; // of a request in all segments
};

// One row for each disk and CPU: requests of the block layer, whoever made them.
struct dom0_disk_sums {
    unsigned long long issued;
    unsigned long long completed; // of those that were seen to be issued
    unsigned long long ns;        // issued to completed
};

struct dom0_totals {
    unsigned long long rings_lost;    // events of rings for which no slot was left
    unsigned long long requests_lost; // requests for which no place was left
};
