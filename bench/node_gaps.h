// SPDX-License-Identifier: Apache-2.0
// A node that lacks a collector which others of the run have: what only they tell is not known of all of the job, and a
// sum over the nodes would be too small. May include: collectors, core.
#pragma once

#include "core/journal.h"

#include <stddef.h>

struct node_sources {
    const char *node;
    const cJSON *collectors; // of its header: [{"name","state","reason","hint"}, ...]
};

// Says of each node's first line what could not be told there: every cause that a collector which is unavailable on the
// node normally tells, and that the line of another node holds. `lines` are one sample's.
void node_gaps_add(const struct node_sources *nodes, size_t node_count, struct journal_sample *lines,
                   size_t line_count);
