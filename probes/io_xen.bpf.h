// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The guest's half of what goes through Xen: from the issue to the notification (io_path_kick.bpf.c sees that), from
// the event to the end, and how long Xen kept the CPU waiting before that event. Included by io_path.bpf.c alone.
#pragma once

#include "probes/io_path.bpf.h"
#include "probes/kernel_types.h"
#include "probes/xen_types.h"

#include <bpf/bpf_core_read.h>

// Set by the collector: there are disks or interfaces of a Xen guest.
const volatile _Bool channels_wanted;

extern const struct vcpu_runstate_info xen_runstate __ksym __weak;

// ns that this CPU has been ready to run without a CPU of Xen's, since it was made. 0 where nobody tells.
static __always_inline __u64 xen_runnable_ns(void) {
    if (!bpf_core_type_exists(struct vcpu_runstate_info) || !&xen_runstate)
        return 0;
    const struct vcpu_runstate_info *mine = bpf_this_cpu_ptr(&xen_runstate);
    return mine->time[1];
}

// power:cpu_idle(state, cpu). An event that ends this makes the CPU ready; Xen may run others first.
SEC("raw_tp/cpu_idle")
int on_cpu_idle(struct bpf_raw_tracepoint_args *ctx) {
    struct io_cpu *cpu = my_cpu();
    if (cpu && (__u32)ctx->args[0] != ~0U) // it is no end
        cpu->runnable_ns = xen_runnable_ns();
    return 0;
}

// From the event on: all handlers that one wake-up runs have waited the same time.
static __always_inline __u64 waited_ns(const struct io_cpu *cpu) {
    __u64 now = (__u32)bpf_get_current_pid_tgid() ? 0 : xen_runnable_ns(); // only an idle CPU had nothing else to do
    return cpu->runnable_ns && now > cpu->runnable_ns ? now - cpu->runnable_ns : 0;
}

// irq:irq_handler_entry(int irq, action). The answer to the first notification since the last event.
SEC("raw_tp/irq_handler_entry")
int on_irq_handler_entry(struct bpf_raw_tracepoint_args *ctx) {
    __u64 now = bpf_ktime_get_ns();
    __u32 irq = ctx->args[0];
    struct io_cpu *cpu = my_cpu();
    struct io_channel *channel = bpf_map_lookup_elem(&channels, &irq);
    if (!cpu || !channel)
        return 0;
    __u64 since = channel->since;
    cpu->irq = irq;
    cpu->event = now;
    cpu->ready_ns = waited_ns(cpu);
    if (channel->receiver)
        cpu->receiver = channel->receiver;
    if (!since)
        return 0;
    channel->since = 0;
    channel->answered++;
    channel->ns += now > since ? now - since : 0;
    return 0;
}

// The driver notifies Dom0 of a request, or a packet, by itself, on the same CPU.
static __always_inline void xen_issues(struct io_cpu *cpu, __u32 device) {
    cpu->issued_device = device + 1;
    cpu->issued = bpf_ktime_get_ns();
}

static __always_inline void xen_arrives(const struct io_cpu *cpu, struct io_arrivals *arrivals) {
    arrivals->count++;
    arrivals->ns += bpf_ktime_get_ns() - cpu->event;
    arrivals->ready += cpu->runnable_ns != 0;
    arrivals->ready_ns += cpu->ready_ns;
}

// A disk's channel has no name that tells which disk it is: that shows when its handler ends a request.
static __always_inline void xen_disk_ends(struct io_cpu *cpu, struct io_row *row) {
    __u32 irq = cpu->irq;
    struct io_channel *channel = channels_wanted && irq ? bpf_map_lookup_elem(&channels, &irq) : 0;
    if (!channel)
        return;
    channel->device = cpu->completed;
    xen_arrives(cpu, &row->endings);
}

// A sent packet that the driver frees after its interface's event.
static __always_inline void xen_packet_ends(const struct io_cpu *cpu, struct io_row *row, __u32 device) {
    __u32 irq = cpu->irq;
    const struct io_channel *channel = channels_wanted && irq ? bpf_map_lookup_elem(&channels, &irq) : 0;
    if (channel && (channel->device == device + 1 || channel->receiver == device + 1))
        xen_arrives(cpu, &row->endings);
}
