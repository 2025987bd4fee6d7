// SPDX-License-Identifier: Apache-2.0
// Log2 histograms of durations. See hist.h.
#include "core/hist.h"

#include <math.h>
#include <string.h>

unsigned hist_bucket(uint64_t ns) {
    return ns ? 63U - (unsigned)__builtin_clzll(ns) : 0;
}

void hist_add(struct hist *h, uint64_t ns) {
    h->count[hist_bucket(ns)]++;
}

void hist_merge(struct hist *into, const struct hist *from) {
    for (unsigned b = 0; b < HIST_BUCKETS; b++)
        into->count[b] += from->count[b];
}

uint64_t hist_total(const struct hist *h) {
    uint64_t total = 0;
    for (unsigned b = 0; b < HIST_BUCKETS; b++)
        total += h->count[b];
    return total;
}

double hist_quantile_ns(const struct hist *h, double q) {
    double target = q * (double)hist_total(h);
    double below = 0;
    for (unsigned b = 0; b < HIST_BUCKETS; b++) {
        double here = (double)h->count[b];
        if (here > 0 && below + here >= target)
            return exp2((double)b + (target - below) / here);
        below += here;
    }
    return NAN;
}

cJSON *hist_to_json(const struct hist *h) {
    cJSON *array = cJSON_CreateArray();
    for (unsigned b = 0; b < HIST_BUCKETS; b++) {
        if (!h->count[b])
            continue;
        cJSON *pair = cJSON_CreateArray();
        cJSON_AddItemToArray(pair, cJSON_CreateNumber(b));
        cJSON_AddItemToArray(pair, cJSON_CreateNumber((double)h->count[b]));
        cJSON_AddItemToArray(array, pair);
    }
    return array;
}

static bool whole_below(const cJSON *value, double limit) {
    return cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble < limit &&
           value->valuedouble == floor(value->valuedouble);
}

int hist_from_json(const cJSON *array, struct hist *out, struct error *err) {
    memset(out, 0, sizeof *out);
    const cJSON *pair;
    cJSON_ArrayForEach(pair, array) {
        const cJSON *bucket = cJSON_IsArray(pair) ? pair->child : NULL;
        const cJSON *count = bucket ? bucket->next : NULL;
        if (!count || count->next || !whole_below(bucket, HIST_BUCKETS) || !whole_below(count, 0x1p53)) {
            error_set(err, EXIT_CODE_INPUT, "reading a histogram");
            if (err)
                err->node = pair;
            return error_why(err, "expected pairs [bucket 0..63, count]");
        }
        out->count[(unsigned)bucket->valuedouble] += (uint64_t)count->valuedouble;
    }
    return 0;
}
