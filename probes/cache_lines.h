// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
// Where in memory begins what belongs to one CPU. Shared by programs and collectors. May include: nothing.
#pragma once

// A pair of cache lines of its own: Intel's processors fetch lines in pairs, so a pair that two CPUs write to would
// wander between them though no line does (Intel 64 and IA-32 Architectures Optimization Reference Manual, "Data
// Prefetching", spatial prefetcher).
#define OWN_CACHE_LINES __attribute__((aligned(128)))
