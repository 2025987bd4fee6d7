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

// floor(log2()) of a byte; of 0 it is 0.
#define LOG2_2(n)  n, n
#define LOG2_4(n)  LOG2_2(n), LOG2_2(n)
#define LOG2_16(n) LOG2_4(n), LOG2_4(n), LOG2_4(n), LOG2_4(n)
#define LOG2_64(n) LOG2_16(n), LOG2_16(n), LOG2_16(n), LOG2_16(n)
static const __u8 log2_of_byte[256] = {0,          0,          LOG2_2(1),  LOG2_4(2),  LOG2_4(3),  LOG2_4(3),
                                       LOG2_16(4), LOG2_16(5), LOG2_16(5), LOG2_64(6), LOG2_64(7), LOG2_64(7)};

// floor(log2()) of a time in ns, `buckets` (a power of two, at most 32) many; the last one holds all above. No loop, and
// one comparison for times from 256 ns to 65 us, which most are.
static __always_inline __u32 log2_bucket(__u64 ns, __u32 buckets) {
    __u32 shift = 8;
    __u64 byte = ns >> 8;
    if (ns - 256 >= 65536 - 256) {
        ns = ns >> 32 ? 0xffffffff : ns;
        shift = ns < 256 ? 0 : ns > 0xffffff ? 24 : 16;
        byte = ns >> shift;
    }
    asm volatile("" : "+r"(byte)); // the verifier does not know that it is one: keep the compiler from knowing, too
    return (shift + log2_of_byte[byte & 0xff]) & (buckets - 1);
}
