// SPDX-License-Identifier: Apache-2.0
// Keeps the symbols of the job's processes while they live: a thread waits for the exit profiler's program to tell of a
// process that it meets for the first time, and looks up at once what that process has mapped. The thread sleeps
// otherwise. May include: the probe's structures, symbols.h.
#pragma once

#include "collectors/symbols.h"

#include <bpf/libbpf.h>

struct process_watch;

// Empties `known` (the processes that were told before) and starts to listen to `told`. NULL if that does not work:
// addresses then stay without names.
struct process_watch *process_watch_start(const struct bpf_map *told, const struct bpf_map *known);

// Ends the thread; afterwards symbols can be asked for. NULL is fine.
void process_watch_stop(struct process_watch *watch);

// The symbols of what a process ran; NULL if it was gone before it could be looked at. Valid until
// process_watch_free().
struct symbols *process_watch_symbols(const struct process_watch *watch, unsigned process, unsigned image);

void process_watch_free(struct process_watch *watch); // stops it, too; NULL is fine
