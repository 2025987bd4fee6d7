// SPDX-License-Identifier: Apache-2.0
// Dom0's journal lines: what xen_dom0 has summed up since the last look, one line for each guest that has a disk or
// network interface here, stamped with the TSC. Keys: docs/journal.md, "window". May include: core, probes.
#pragma once

#include "collectors/xen_dom0.h"

struct dom0_windows;

// The collector stays the caller's and must outlive it. The first window begins now. `domid`: as for xen_dom0_open().
struct dom0_windows *dom0_windows_begin(struct xen_dom0 *dom0, int domid);

// Ends the window and begins the next. An array of lines; the caller owns it.
cJSON *dom0_windows_next(struct dom0_windows *windows);

// What a reader must know of the whole recording: an array of strings, empty if there is nothing. The caller owns it.
cJSON *dom0_windows_notes(const struct dom0_windows *windows);

void dom0_windows_end(struct dom0_windows *windows); // NULL is fine

// --- for tests: the arithmetic alone ---------------------------------------------------------------------------------

// By how much the sums have grown.
struct dom0_sums dom0_sums_since(const struct dom0_sums *before, const struct dom0_sums *now);

// One entry of detail.devices.
cJSON *dom0_device_to_json(const char *device, const char *backend, enum dom0_kind kind, const struct dom0_sums *sums);
