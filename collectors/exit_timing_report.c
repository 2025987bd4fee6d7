// SPDX-License-Identifier: Apache-2.0
// From durations to observations. See exit_timing.h.
#include "collectors/exit_timing.h"

#include "core/hist.h"
#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ENOUGH 100U // touches that make a mean of backed ones

static const char NO_WHOLE[] = "it happened, and not once was it seen whole";
static const char NO_BACKED[] = "how long a touch takes that the host has backed is not known here";

static void add_row(struct timing_row *into, const struct timing_row *from, const struct timing_row *to) {
    into->count += to->count - from->count;
    into->ns += to->ns - from->ns;
    into->unpaired += to->unpaired - from->unpaired;
    into->over += to->over - from->over;
    into->over_ns += to->over_ns - from->over_ns;
    for (int i = 0; i < TIMING_HIST; i++)
        into->hist[i] += to->hist[i] - from->hist[i];
}

void timing_sum(const struct timing_cpu *from, const struct timing_cpu *to, size_t count, const cpu_set_t *cpus,
                enum probe_whose whose, struct timing_row *out) {
    memset(out, 0, TIMING_EVENTS * sizeof *out);
    for (size_t cpu = 0; cpu < count; cpu++) {
        if (cpus && !CPU_ISSET(cpu, cpus))
            continue;
        for (int w = 0; w < WHOSE_COUNT; w++) {
            for (int e = 0; (whose == WHOSE_COUNT || (int)whose == w) && e < TIMING_EVENTS; e++)
                add_row(&out[e], &from[cpu].rows[w][e], &to[cpu].rows[w][e]);
        }
    }
}

static void add_hist(struct hist *into, const struct timing_row *row) {
    for (int i = 0; i < TIMING_HIST; i++)
        into->count[i] += row->hist[i];
}

struct timing_backed timing_backed_from(const struct timing_row *row, double slack_ns) {
    struct timing_backed backed = {.known = row->count >= ENOUGH};
    struct hist hist = {{0}};
    add_hist(&hist, row);
    if (!backed.known)
        return backed;
    backed.mean_ns = (double)row->ns / (double)row->count;
    backed.limit_ns = hist_quantile_ns(&hist, 0.95) + slack_ns;
    return backed;
}

double timing_plain_limit_ns(const struct timing_row *row) {
    struct hist hist = {{0}};
    add_hist(&hist, row);
    return 20 * hist_quantile_ns(&hist, 0.5) + 50e3;
}

// One event's share of an observation.
struct share {
    double count;
    double seconds;
    double se;
};

// Of those that happened not all were timed whole: the others count with the mean.
static struct share share_of(const struct timing_row *row, const struct timing_meaning *meaning,
                             const struct timing_backed *backed) {
    double all = (double)(row->count + row->unpaired);
    double whole = (double)row->count;
    double count = all;
    double ns = (double)row->ns;
    if (meaning->over == OVER_HOST) {
        whole -= (double)row->over;
        ns -= (double)row->over_ns;
    } else if (meaning->over == OVER_LOSS) {
        double over = (double)row->over;
        count = whole > 0 ? over * all / whole : 0;
        ns = fmax((double)row->over_ns - over * backed->mean_ns, 0);
    }
    if (whole <= 0)
        return (struct share){count, 0, 0};
    double mean_s = ns / whole * 1e-9;
    return (struct share){count, mean_s * all, mean_s * sqrt(all - whole)};
}

static struct observation *observation_of(struct observations *list, const struct timing_meaning *meaning) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].cause == meaning->cause && list->items[i].scope == meaning->scope)
            return &list->items[i];
    }
    struct observation o = {.cause = meaning->cause, .scope = meaning->scope, .basis = BASIS_TIMED, .has_hist = true};
    o.detail = cJSON_CreateObject();
    observations_add(list, o);
    return &list->items[list->count - 1];
}

static void add_event(struct observation *o, const struct timing_row *row, const struct timing_meaning *meaning,
                      const char *source, const struct timing_backed *backed) {
    struct share share = share_of(row, meaning, backed);
    o->count += meaning->counts ? (uint64_t)llround(share.count) : 0;
    o->seconds += share.seconds;
    o->se = hypot(o->se, share.se);
    add_hist(&o->hist, row);
    cJSON *detail = cJSON_AddObjectToObject(o->detail, meaning->name);
    json_add_string(detail, "source", source);
    json_add_double(detail, "seconds", share.seconds);
    json_add_u64(detail, "timed", row->count);
    json_add_u64(detail, "unpaired", row->unpaired);
    if (meaning->over == OVER_HOST)
        json_add_u64(detail, "host_cut_in", row->over);
    if (row->count)
        json_add_double(detail, "mean_s", (double)row->ns / (double)row->count * 1e-9);
    if (meaning->over == OVER_LOSS)
        json_add_double(detail, "backed_s", backed->mean_ns * 1e-9);
    if (meaning->upper_bound && row->count && !cJSON_HasObjectItem(o->detail, "upper_bound"))
        cJSON_AddBoolToObject(o->detail, "upper_bound", true);
}

// An event that happened, but of which no pair was seen whole, is not known: then nothing is said of it, and its cause
// is not known in this sample.
static bool has_whole(const struct timing_row *row, const struct timing_meaning *meaning) {
    uint64_t whole = row->count - (meaning->over == OVER_HOST ? row->over : 0);
    return whole > 0 || row->count + row->unpaired == 0;
}

static bool is_known(const struct timing_row *row, const struct timing_meaning *meaning,
                     const struct timing_backed *backed) {
    return has_whole(row, meaning) && (meaning->over != OVER_LOSS || backed->known);
}

// An event of this cause happened and could not be timed. That the time of a backed page is not known holds for the
// whole run: then the cause's other events are told, as a lower bound.
static bool lost_event(const struct timing_row *rows, const struct timing_facts *facts, const struct observation *o) {
    for (int e = 0; e < TIMING_EVENTS; e++) {
        const struct timing_meaning *meaning = &timing_meanings[e];
        bool mine = facts->sources[e] && meaning->cause == o->cause && meaning->scope == o->scope;
        if (mine && !has_whole(&rows[e], meaning))
            return true;
    }
    return false;
}

static void cannot_tell(const struct timing_meaning *meaning, const char *why, struct collector_output *out) {
    observations_untold(out->obs, (struct untold){meaning->cause, meaning->scope, BASIS_TIMED, (char *)why}); // copied
}

static bool has(const struct observations *list, const struct timing_meaning *meaning) {
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].cause == meaning->cause && list->items[i].scope == meaning->scope)
            return true;
    return false;
}

// Causes of which nothing at all could be told.
static void report_silence(const struct timing_row *rows, const struct timing_facts *facts,
                           const struct observations *found, struct collector_output *out) {
    for (int e = 0; e < TIMING_EVENTS; e++) {
        const struct timing_meaning *meaning = &timing_meanings[e];
        if (!facts->sources[e] || has(found, meaning))
            continue;
        cannot_tell(meaning, has_whole(&rows[e], meaning) ? NO_BACKED : NO_WHOLE, out);
    }
}

void timing_report(const struct timing_row *rows, const struct timing_facts *facts, struct collector_output *out) {
    struct observations found = {0};
    for (int e = 0; e < TIMING_EVENTS; e++) {
        const struct timing_meaning *meaning = &timing_meanings[e];
        if (facts->sources[e] && is_known(&rows[e], meaning, &facts->backed[e]))
            add_event(observation_of(&found, meaning), &rows[e], meaning, facts->sources[e], &facts->backed[e]);
    }
    report_silence(rows, facts, &found, out);
    for (size_t i = 0; i < found.count; i++) {
        found.items[i].has_hist = hist_total(&found.items[i].hist) > 0;
        if (lost_event(rows, facts, &found.items[i])) // what was timed of it is too little; the report leaves it out
            observations_untold(out->obs, (struct untold){found.items[i].cause, found.items[i].scope, BASIS_TIMED,
                                                          (char *)NO_WHOLE}); // copied
        observations_add(out->obs, found.items[i]);
    }
    free(found.items); // the details are the other list's now
}
