// SPDX-License-Identifier: Apache-2.0
// The paths of disks, NICs and graphics. May include: core.
#pragma once

#include "detect/evidence.h"

// Adds a row for each disk, NIC and graphics device.
void find_devices(struct evidence_set *set, struct platform *out);

// Of paths.c: adds one row; strings are copied, but `reason`, which it takes over.
void path_add(struct platform *out, const char *resource, const char *device, enum path_kind path, const char *via,
              const char *driver, char *reason);

// Of paths.c: true if a hypervisor is below.
bool path_is_virtual(const struct platform *p);
