// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
// What idle_steal.bpf.c records, shared with its collector.
#pragma once

// One for each CPU, which writes it.
struct idle_steal_cpu {
    unsigned long long ns;    // taken by the host while this CPU was idle, since the program was attached
    unsigned long long begin; // the steal clock when it became idle, ns
    unsigned long long idle;  // 1: it is
} __attribute__((aligned(64)));
