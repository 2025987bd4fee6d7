// SPDX-License-Identifier: Apache-2.0
// A host's journal lines: what kvm_host has summed up since the last look, one line for each vCPU, stamped with the
// TSC. Keys: docs/journal.md, "window". May include: core, probes.
#pragma once

#include "collectors/kvm_host.h"

#define HOST_WINDOW_S 0.1

struct host_windows;

// The host stays the caller's and must outlive it. The first window begins now.
struct host_windows *host_windows_begin(struct kvm_host *host);

// Ends the window and begins the next. An array of lines, of the vCPUs that have been seen; the caller owns it.
cJSON *host_windows_next(struct host_windows *windows);

// What a reader must know of the whole recording (events without a place, a kvm_exit that never fired): an array of
// strings, empty if there is nothing. The caller owns it.
cJSON *host_windows_notes(const struct host_windows *windows);

void host_windows_end(struct host_windows *windows); // NULL is fine
