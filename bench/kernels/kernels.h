// SPDX-License-Identifier: Apache-2.0
// The native workloads, and what they share: memory of a stated page size, and threads bound one to a CPU.
// May include: bench/bench.h, core.
#pragma once

#include "bench/bench.h"

extern const struct bench_ops bench_null;   // null.c: does nothing, or misbehaves as told; tests the runner
extern const struct bench_ops bench_fwq;    // fwq.c: fixed work quantum, the noise of a CPU
extern const struct bench_ops bench_stream; // stream.c: memory bandwidth
extern const struct bench_ops bench_gups;   // gups.c: random updates of memory
extern const struct bench_ops bench_chase;  // chase.c: memory latency
extern const struct bench_ops bench_traps;  // traps_bench.c: the cost of one trap

// --- memory ---------------------------------------------------------------------------------------------------------

// With which pages memory is mapped. "system" is what a program gets that does not ask.
enum kernel_pages { PAGES_SYSTEM, PAGES_4K, PAGES_THP, PAGES_HUGE, PAGES_COUNT };

// Reads the parameter "pages". 0, or -1 with `err` (code 3).
int kernel_pages_param(const struct bench_context *context, enum kernel_pages *out, struct error *err);

// The `unavailable` of a bench with the parameter "pages": NULL if such pages can be had here, or if the parameter is
// wrong, which others tell; otherwise the reason and the remedy (static text).
const char *kernel_pages_unavailable(const struct bench_context *context);

struct kernel_memory {
    void *base; // aligned to 2 MiB; not touched yet: the first thread to write a page decides its NUMA node
    size_t bytes;
    void *mapping; // what munmap() gets
    size_t mapping_bytes;
};

// Maps `bytes` of zeroed memory. Fails, before anything is touched, if that is more than half of what the machine has
// available (MemAvailable): a bench that swaps measures the disk. 0, or -1 with `err` (code 4).
int kernel_memory_map(size_t bytes, enum kernel_pages pages, struct kernel_memory *out, struct error *err);
void kernel_memory_unmap(struct kernel_memory *memory); // does nothing for {0}

// Bytes of the mapping that really lie in transparent huge pages (/proc/self/smaps); 0 if that cannot be read.
size_t kernel_memory_huge_bytes(const struct kernel_memory *memory);

// Bytes in all last-level caches of the online CPUs, each counted once: sysfs, else sysconf, else 32 MiB.
size_t kernel_llc_bytes(void);

// Bytes of memory of the machine (MemTotal) and available without swapping (MemAvailable), or what the limits of the
// control groups around this process leave of them; 0 if unknown.
size_t kernel_memory_total(void);
size_t kernel_memory_available(void);

// The parameter "bytes": as given, or for "auto" `arrays` times at least 4 x the last-level caches in all (the rule of
// STREAM), but not beyond 25 % of the machine's memory, nor 128 MiB an online CPU: a small instance sees all of its
// host's cache, of which it has a share, and would take minutes to sweep four times of it. *limit says which bound made
// it smaller than the rule asks for, NULL: none; static text. 0, or -1 with `err` (code 3). *out is the size of one
// array.
int kernel_bytes_param(const struct bench_context *context, unsigned arrays, size_t *out, const char **limit,
                       struct error *err);

// What to tell of that bound behind a result: "" for NULL.
void kernel_bytes_limit(const char *limit, char *out, size_t size);

// --- threads --------------------------------------------------------------------------------------------------------

// Sets the number of OpenMP threads and binds each to one CPU of the context, in the order of the set. With more
// threads than CPUs, CPUs are used in turn. 0, or -1 with `err` if the system gives fewer threads (code 4).
int kernel_threads_start(const struct bench_context *context, struct error *err);

// The n-th CPU of a set, wrapping round; -1 if the set is empty.
int kernel_cpu(const cpu_set_t *cpus, unsigned n);

// Binds the calling thread to the n-th CPU of a set.
void kernel_bind(const cpu_set_t *cpus, unsigned n);
