// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The rows by CPU that all programs of I/O paths count in.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "probes/bucket.bpf.h"
#include "probes/io_path.h"

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 1); // the collector sets the number of CPUs
    __type(key, __u32);
    __type(value, struct io_cpu);
} cpus SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, IO_IRQS);
    __type(key, __u32);
    __type(value, struct io_channel);
} channels SEC(".maps");

static __always_inline struct io_cpu *my_cpu(void) {
    __u32 cpu = bpf_get_smp_processor_id();
    return bpf_map_lookup_elem(&cpus, &cpu);
}
