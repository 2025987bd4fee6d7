// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From a guest's TSC to the host's clock, in integers. Plain C for programs and for the test of it.
#pragma once

#include "probes/kvm_host.h"

#include <linux/types.h>

// What the kernel makes CLOCK_MONOTONIC of (struct tk_read_base) and KVM a guest's TSC.
struct guest_clock_source {
    __u64 cycle_last; // of the host's TSC
    __u64 ns;         // CLOCK_MONOTONIC then
    __u32 mult;       // ns << shift per tick
    __u32 shift;      // at most 32
    __u64 offset;     // guest's TSC = offset + (host's * ratio >> ratio_bits)
    __u64 ratio;      // 0 or 1: there is none
    __u32 ratio_bits; // 32 (SVM) or 48 (VMX)
};

// ticks * ratio >> bits without losing a bit: 32 <= bits < 64.
static inline __attribute__((always_inline)) __u64 guest_clock_scaled(__u64 ticks, __u64 ratio, __u32 bits) {
    __u64 a = ticks >> 32;
    __u64 b = ticks & 0xffffffff;
    __u64 c = ratio >> 32;
    __u64 d = ratio & 0xffffffff;
    __u64 low = b * d;
    __u64 one = a * d + (low >> 32);
    __u64 two = b * c + (one & 0xffffffff);
    __u64 high = a * c + (one >> 32) + (two >> 32);
    return bits == 32 ? high << 32 | (two & 0xffffffff)
                      : high << (64 - bits) | (two << 32 | (low & 0xffffffff)) >> bits;
}

static inline __attribute__((always_inline)) __u64 guest_clock_ns(const struct kvm_clock *clock, __u64 ticks) {
    return clock->ns + ((ticks - clock->ticks) * clock->mult >> 32);
}

// Makes `clock`, good for the 2^32 ns behind `ticks`, which are at most 2^31 ns away from cycle_last.
static inline __attribute__((always_inline)) void guest_clock_make(const struct guest_clock_source *s, __u64 ticks,
                                                                   struct kvm_clock *clock) {
    __u64 last = s->cycle_last;
    __u64 mult = (__u64)s->mult << (32 - s->shift);
    if (s->ratio > 1 && s->ratio != 1ULL << s->ratio_bits) {
        last = guest_clock_scaled(last, s->ratio, s->ratio_bits);
        mult = (mult << 24) / (s->ratio >> (s->ratio_bits - 24)); // 24 bits of it: 60 ns in a second
    }
    __s64 passed = (__s64)(ticks - s->offset - last);
    clock->ns = s->ns + (passed < 0 ? -((__u64)-passed * mult >> 32) : (__u64)passed * mult >> 32);
    clock->ticks = ticks;
    clock->mult = mult;
}
