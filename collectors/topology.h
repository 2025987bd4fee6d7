// SPDX-License-Identifier: Apache-2.0
// The machine's topology for the journal's header, through hwloc. Nothing else in collectors/ includes hwloc.
#pragma once

#include "core/json.h"

// {"cpus","cores","packages","numa","smt": threads per core (0: differs),"memory_bytes","page_bytes",
//  "caches":[{"level","type":"unified|data|instruction","bytes","line_bytes","count","cpus_sharing"}]}
// cpus are logical CPUs that are online. The caller owns it. NULL with `err` (code 5) if hwloc cannot read the machine.
cJSON *topology_to_json(struct error *err);
