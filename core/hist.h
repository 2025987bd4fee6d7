// SPDX-License-Identifier: Apache-2.0
// Log2 histograms of durations in nanoseconds: bucket b counts values in [2^b, 2^(b+1)); bucket 0 also counts 0.
// The same shape is filled by eBPF programs in the kernel (probes/), so a histogram can be copied from a map.
#pragma once

#include "core/json.h"

#define HIST_BUCKETS 64

struct hist {
    uint64_t count[HIST_BUCKETS];
};

unsigned hist_bucket(uint64_t ns);          // the bucket of a value: floor(log2(ns)), 0 for 0
void hist_add(struct hist *h, uint64_t ns); // counts one value
void hist_merge(struct hist *into, const struct hist *from);
uint64_t hist_total(const struct hist *h); // number of values

// The value below which a share of q (0..1) of the counted values lies, in ns, interpolated on a log scale inside its
// bucket; NaN if nothing was counted. It is known to a factor of 2 only: say so where it is printed.
double hist_quantile_ns(const struct hist *h, double q);

// The journal's form [[bucket, count], ...] of the buckets that are not empty. The caller owns the array.
cJSON *hist_to_json(const struct hist *h);

// Reads that form. 0, or -1 with `err` (code 3) if it is malformed.
int hist_from_json(const cJSON *array, struct hist *out, struct error *err);
