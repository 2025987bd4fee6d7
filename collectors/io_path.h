// SPDX-License-Identifier: Apache-2.0
// What the collector io_path is made of: which devices there are and which way their requests go (io_devices.c), and
// the arithmetic from the probe's rows to observations (io_path_report.c), apart from the loading so that both are
// tested without BPF. May include: core, the probe's structures.
#pragma once

#include "collectors/collectors.h"
#include "collectors/interrupts.h"
#include "probes/io_path.h"

// How the driver tells the other side that there is something to do, as far as a guest can see it.
enum io_kick {
    KICK_NONE,   // a posted write that reaches the device: nobody else notices
    KICK_VIRTIO, // by a function of its virtio transport
    KICK_XEN,    // by an event channel
    KICK_UNSEEN, // by a register of an emulated device, or a way that is in no table
    KICK_COUNT
};

#define IO_NO_VIF (~0U)

// A disk or network interface whose path is known.
struct io_target {
    char *name;   // "vda"
    char *path;   // "paravirtual", ...: the words of metalgap.platform/1
    char *via;    // or NULL
    char *driver; // or NULL
    bool nic;
    enum cause cause; // of its requests
    enum io_kick kick;
    unsigned number;    // as struct io_device has it
    unsigned virtio;    // number of its virtio device, IO_VIRTIO if it is none
    unsigned vif;       // number of its Xen network device, IO_NO_VIF if it is none
    unsigned queues;    // hardware queues of a disk; 0: not known
    char *controller;   // "nvme0" of nvme0n1; or NULL
    bool irqs[IO_IRQS]; // its PCI function's message interrupts, by number
};

struct io_targets {
    struct io_target *items;
    size_t count;
    size_t capacity;
};

// The devices of a platform (metalgap.platform/1; NULL has none) that exist below `sys` ("/sys") and go a way that the
// table of causes knows; IO_DEVICES at most.
void io_targets_find(const cJSON *platform, const char *sys, struct io_targets *out);
void io_targets_free(struct io_targets *targets);

// Is the interrupt of this number and handler name the device's?
bool io_target_has_interrupt(const struct io_target *target, unsigned number, const char *name);

// What is known of one device in one sample.
struct io_use {
    struct io_row row; // summed over the CPUs
    bool kicks_known;
    uint64_t kicks;
    bool interrupts_known;
    uint64_t interrupts;
    unsigned interrupt_cpus; // CPUs at which they came in
    uint64_t answered;       // of a Xen device: notifications that an event followed, and how long that took
    uint64_t answer_ns;
};

// Sums the rows of all CPUs; `uses` has targets->count items.
void io_sum(const struct io_targets *targets, const struct io_cpu *cpus, size_t cpu_count, struct io_use *uses);

// Xen's disks: which of the machine's interrupts their channels are, as the programs have learned it.
void io_learn_channels(struct io_targets *targets, const struct io_channel *channels, const struct interrupts *now);

// Tells the programs which channels are whose network interface's, by their names.
void io_tell_channels(const struct io_targets *targets, struct io_channel *channels, const struct interrupts *now);

// Adds the notifications. `seen`: those of which kinds the programs have counted.
void io_count_kicks(const struct io_targets *targets, const struct io_cpu *cpus, size_t cpu_count,
                    const struct io_channel *channels, const struct interrupts *now, const bool seen[KICK_COUNT],
                    struct io_use *uses);

// Adds the interrupts that came between two readings.
void io_count_interrupts(const struct io_targets *targets, const struct interrupts *from, const struct interrupts *to,
                         struct io_use *uses);

// Adds an observation of scope `latency` for each cause that had requests, and one of scope `blocked` for each cause.
void io_path_report(const struct io_targets *targets, const struct io_use *uses, struct collector_output *out);
