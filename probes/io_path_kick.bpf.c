// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// How often is each virtual device notified? Loaded once for each kernel function that notifies one, so that a function
// which a kernel does not have, or does not let be traced, costs that one and no other. All share the maps of
// io_path.bpf.c.
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "probes/io_path.bpf.h"
#include "probes/kernel_types.h"

// bool vp_notify(struct virtqueue *), and the like
SEC("fentry")
int virtio_is_notified(__u64 *ctx) {
    struct virtqueue *queue = (void *)ctx[0];
    __u32 device = BPF_CORE_READ(queue, vdev, index);
    struct io_cpu *cpu = my_cpu();
    if (cpu && device < IO_VIRTIO)
        cpu->kicks[device]++;
    return 0;
}

// The request that was issued here last is on the ring now. One that Dom0 need not be notified of is not told: the next
// issue drives it out.
static __always_inline void end_of_issue(const struct io_channel *channel, __u64 now) {
    struct io_cpu *cpu = my_cpu();
    if (!cpu || !channel->device || cpu->issued_device != channel->device)
        return;
    struct io_row *row = &cpu->rows[(channel->device - 1) & (IO_DEVICES - 1)];
    row->submits++;
    row->submit_ns += now - cpu->issued;
    cpu->issued_device = 0;
}

// void notify_remote_via_irq(int irq)
SEC("fentry")
int channel_is_notified(__u64 *ctx) {
    __u32 irq = ctx[0];
    struct io_channel *channel = bpf_map_lookup_elem(&channels, &irq);
    if (!channel)
        return 0;
    __u64 now = bpf_ktime_get_ns();
    __sync_fetch_and_add(&channel->kicks, 1);
    if (!channel->since)
        channel->since = now;
    end_of_issue(channel, now);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
