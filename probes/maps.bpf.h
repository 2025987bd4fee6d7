// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Maps that user space reads in place, the row of the CPU that a program runs on, and the buckets of histograms: what
// several probes declare alike. For programs; the rows' types are in the header that a probe shares with its collector.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

// A plain array and not one per CPU: the verifier inlines its look-up on all kernels from 5.10, and user space maps it
// and reads without system calls. One element, unless the collector sets another number.
#define MAPPED_ARRAY(name, row)                                                                                        \
    struct {                                                                                                           \
        __uint(type, BPF_MAP_TYPE_ARRAY);                                                                              \
        __uint(map_flags, BPF_F_MMAPABLE);                                                                             \
        __uint(max_entries, 1);                                                                                        \
        __type(key, __u32);                                                                                            \
        __type(value, row);                                                                                            \
    } name SEC(".maps")

// The map `cpus`, a row for each CPU (the collector sets how many), and my_cpu(), the row of this one.
#define ROWS_BY_CPU(row)                                                                                               \
    MAPPED_ARRAY(cpus, row);                                                                                           \
    static __always_inline row *my_cpu(void) {                                                                         \
        __u32 cpu = bpf_get_smp_processor_id();                                                                        \
        return bpf_map_lookup_elem(&cpus, &cpu);                                                                       \
    }

// floor(log2()) of a time in ns, `buckets` (a power of two, at most 32) many; the last one holds all above.
static __always_inline __u32 log2_bucket(__u64 ns, __u32 buckets) {
    __u32 b = 0;
    __u32 v = ns >> 32 ? 0xffffffff : ns;
#pragma unroll
    for (int shift = 16; shift > 0; shift >>= 1) {
        if (v >> shift) {
            v >>= shift;
            b += shift;
        }
    }
    return b & (buckets - 1);
}
