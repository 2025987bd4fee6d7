// SPDX-License-Identifier: Apache-2.0
// Chooses the CPUs of a case with hwloc: one per core before the second threads of cores.
#pragma once

#include "core/error.h"

#include <sched.h>

// From the CPUs that this process may use and, if `only` is not NULL, that are in `only`, takes `threads` CPUs spread
// over the cores (0: all of them). 0, or -1 with `err`: code 2 if `only` names CPUs that may not be used, code 4 if
// there are fewer CPUs than threads.
int place_choose(const cpu_set_t *only, unsigned threads, cpu_set_t *out, struct error *err);
