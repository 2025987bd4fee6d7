// SPDX-License-Identifier: Apache-2.0
// See paths.h. Each finder adds the rows of one resource. May include: core.
#include "detect/paths.h"

void find_paths(struct evidence_set *set, struct platform *out) {
    (void)set;
    (void)out;
}
