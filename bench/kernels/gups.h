// SPDX-License-Identifier: Apache-2.0
// The random sequence of HPC Challenge's RandomAccess. May include: the C library only.
#pragma once

#include <stdint.h>

// x^0, x^1, x^2 ... in GF(2)[x] modulo x^64 + x^2 + x + 1, as 64-bit words: a shift, and 7 for the bit that falls out.
static inline uint64_t gups_next(uint64_t x) {
    return (x << 1) ^ (-(x >> 63) & 7U);
}

// The n-th element; element 0 is 1. Takes O(64 log n) steps, so threads can start anywhere in the sequence.
uint64_t gups_element(uint64_t n);
