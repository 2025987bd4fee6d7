// SPDX-License-Identifier: Apache-2.0
// Weighs the evidence. May include: core.
#pragma once

#include "detect/evidence.h"

// Fills kind, hypervisor, VMM, type, mode, role, cloud, instance type, outer, confidential mode, container and
// confidence of `out` from the evidence, and marks what was explained away.
void decide(struct evidence_set *set, struct platform *out);
