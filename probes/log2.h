// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The buckets of histograms: logarithms without a loop. Plain C for programs and for the test of it.
#pragma once

#include <linux/types.h>

// floor(log2()) of a byte; of 0 it is 0.
#define LOG2_2(n)  n, n
#define LOG2_4(n)  LOG2_2(n), LOG2_2(n)
#define LOG2_16(n) LOG2_4(n), LOG2_4(n), LOG2_4(n), LOG2_4(n)
#define LOG2_64(n) LOG2_16(n), LOG2_16(n), LOG2_16(n), LOG2_16(n)
static const __u8 log2_of_byte[256] = {0,          0,          LOG2_2(1),  LOG2_4(2),  LOG2_4(3),  LOG2_4(3),
                                       LOG2_16(4), LOG2_16(5), LOG2_16(5), LOG2_64(6), LOG2_64(7), LOG2_64(7)};

// floor(log2()) of a time in ns, `buckets` (a power of two, at most 32) many; the last one holds all above. No loop,
// and one comparison for times from 256 ns to 65 us, which most are.
static inline __attribute__((always_inline)) __u32 log2_bucket(__u64 ns, __u32 buckets) {
    __u32 shift = 8;
    __u64 byte = ns >> 8;
    if (ns - 256 >= 65536 - 256) {
        ns = ns >> 32 ? 0xffffffff : ns;
        shift = ns < 256 ? 0 : ns > 0xffffff ? 24 : 16;
        byte = ns >> shift;
    }
    __asm__ volatile("" : "+r"(byte)); // the verifier does not know that it is one: keep the compiler from knowing, too
    return (shift + log2_of_byte[byte & 0xff]) & (buckets - 1);
}
