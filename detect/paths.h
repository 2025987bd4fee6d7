// SPDX-License-Identifier: Apache-2.0
// Which way each resource's requests go. May include: core.
#pragma once

#include "detect/evidence.h"

// Adds the paths to `out`, whose verdict decide() has filled.
void find_paths(struct evidence_set *set, struct platform *out);
