// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Maps that user space reads in place, the row of the CPU that a program runs on, and the buckets of histograms
// (log2.h): what several probes declare alike. For programs; the rows' types are in the header that a probe shares with
// its collector.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "probes/log2.h"

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
