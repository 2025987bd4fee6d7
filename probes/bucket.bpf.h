// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Log2 buckets of durations, for the probes' histograms (core/hist.h has the same ones).
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define BUCKETS 32

// floor(log2()), the last bucket for all above.
static __always_inline __u32 bucket(__u64 ns) {
    __u32 b = 0;
    __u32 v = ns >> 32 ? 0xffffffff : ns;
#pragma unroll
    for (int shift = 16; shift > 0; shift >>= 1) {
        if (v >> shift) {
            v >>= shift;
            b += shift;
        }
    }
    return b & (BUCKETS - 1);
}
