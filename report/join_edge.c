// SPDX-License-Identifier: Apache-2.0
// Windows at the ends of samples. See join_edge.h.
#include "report/join_edge.h"

#include <math.h>

#define ENOUGH_INSIDE 0.5 // of a neighbour that is to tell the sample's rate

static double length(const struct host_window *w) {
    return (double)(w->end_tsc - w->start_tsc);
}

static double overlap(const struct host_window *w, double begin, double end) {
    double from = fmax((double)w->start_tsc, begin);
    double to = fmin((double)w->end_tsc, end);
    return to > from ? (to - from) / length(w) : 0;
}

// The next window of the same vCPU, before or after this one. NULL if there is none that adjoins it.
static const struct host_window *neighbour(const struct host_vm *vm, size_t index, bool before) {
    const struct host_window *here = &vm->windows[index];
    for (size_t i = index; before ? i-- > 0 : ++i < vm->window_count;) {
        const struct host_window *w = &vm->windows[i];
        uint64_t gap = before ? here->start_tsc - w->start_tsc : w->start_tsc - here->start_tsc;
        if (w->vcpu == here->vcpu && w->end_tsc > w->start_tsc)
            return (before ? w->end_tsc == here->start_tsc : w->start_tsc == here->end_tsc) ? w : NULL;
        if (gap > 2 * vm->longest)
            return NULL;
    }
    return NULL;
}

struct join_edge join_edge(const struct host_vm *vm, size_t index, double begin, double end) {
    const struct host_window *w = &vm->windows[index];
    struct join_edge edge = {.part = overlap(w, begin, end)};
    bool first = begin > (double)w->start_tsc; // the sample begins in this window
    bool last = end < (double)w->end_tsc;
    if (edge.part <= 0 || first == last) // a sample shorter than a window has no inside
        return edge;
    const struct host_window *in = neighbour(vm, index, last);
    if (in && overlap(in, begin, end) >= ENOUGH_INSIDE)
        edge.in = in;
    return edge;
}

static double events(const struct host_vm *vm, const struct host_window *w, const struct host_loss *like) {
    double count = 0;
    for (size_t i = 0; i < w->count; i++)
        if (vm->losses[w->first + i].cause == like->cause && vm->losses[w->first + i].scope == like->scope)
            count += (double)vm->losses[w->first + i].count;
    return count;
}

double join_share(const struct host_vm *vm, const struct join_edge *edge, size_t loss) {
    const struct host_loss *here = &vm->losses[loss];
    if (!edge->in || here->count == 0)
        return fmin(edge->part, 1);
    return fmin(edge->part * events(vm, edge->in, here) / (double)here->count, 1);
}
