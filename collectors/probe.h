// SPDX-License-Identifier: Apache-2.0
// What all collectors with eBPF probes need: quiet libbpf, reasons in the user's terms, and what the probes cost.
#pragma once

#include "collectors/collectors.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

// Keeps libbpf from writing to standard error; reasons go into statuses instead. Call before any other use of libbpf.
void probe_quiet(void);

// True if this process may load tracing programs (CAP_BPF and CAP_PERFMON, or root); otherwise what would enable it.
bool probe_permitted(char *hint, size_t size);

// A status for a probe whose load or attach failed with `error` (an errno value).
void probe_refused(struct collector_status *status, const char *what, int error);

// Does the running kernel, whose types these are, or its module (NULL: none) have a function of this name?
bool probe_has_function(struct btf *types, const char *name, const char *module);

// An array that may be mapped (BPF_F_MMAPABLE), in this process's memory: reads and writes the kernel's own. NULL with
// errno. The caller unmaps as many bytes.
void *probe_map(const struct bpf_map *map, size_t bytes);

// Runs a program of type raw_tp once on each of the CPUs, through an interrupt there: it sees the task that runs. For
// what a probe otherwise learns at context switches. Does nothing where the kernel cannot do that.
void probe_look(const struct bpf_program *program, const cpu_set_t *cpus);

// What programs have cost so far, from the kernel's statistics, which count only while they are switched on.
struct probe_cost {
    uint64_t run_ns; // time inside the program, with one reading of the kernel's clock
    uint64_t runs;
};

// Switches the statistics on until the file descriptor is closed. -1 with errno if that is not permitted (Linux 5.8+).
int probe_stats_on(void);
int probe_cost_read(const struct bpf_program *program, struct probe_cost *out); // 0 or -1
struct probe_cost probe_cost_of(const struct bpf_program *program);             // zeros if it cannot be read

// What of such a machine-wide cost fell to these CPUs where nothing tells: as if it were spread evenly. 0 to 1.
double probe_share(const cpu_set_t *cpus);
