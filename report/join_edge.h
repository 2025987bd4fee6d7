// SPDX-License-Identifier: Apache-2.0
// How much of a window lies in a sample. The windows at a sample's ends lie in it by a part f only, and what happened
// in them need not be spread evenly: a storm ends with its sample, and a calibration may follow. The next window
// inwards tells at which rate events came in the sample: of the n events of one cause the sample has f n_in, n_in being
// the neighbour's, all of them at most, and a share of
//
//     min(1, f n_in / n)
//
// of what they took. Without a neighbour or without events it is f. May include: core, report/host.h.
#pragma once

#include "report/host.h"

struct join_edge {
    double part;                  // f
    const struct host_window *in; // the neighbour; NULL: the window is whole, or there is none
};

// The window number `index` of a virtual machine against the sample from `begin` to `end` (ticks of the host's
// counter). `part` is 0 if they do not overlap.
struct join_edge join_edge(const struct host_vm *vm, size_t index, double begin, double end);

// The share, 0 to 1, of a window's events (losses[loss]).
double join_share(const struct host_vm *vm, const struct join_edge *edge, size_t loss);
