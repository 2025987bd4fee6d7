// SPDX-License-Identifier: Apache-2.0
// A watched interval of Xen's Dom0: the requests of a guest's devices, as lines of the view. May include: core.
#pragma once

#include "bench/watch.h"

// Adds a journal line of Dom0 (docs/journal.md, "window") of the guest `name`: `hop.dom0` with the rate of its
// requests, the backends' CPU time as "busy", a note for each device with the way of its requests, and the same in
// circumstances as "requests".
void watch_add_requests(struct watch_view *view, const cJSON *line, const char *name);
