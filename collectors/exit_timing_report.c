// SPDX-License-Identifier: Apache-2.0
// From durations to observations. See exit_timing.h.
#include "collectors/exit_timing.h"

#include "core/hist.h"
#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENOUGH 100U // touches that make a mean of backed ones

// Why an event is not known; the same words for all that are not known for the same reason.
struct reason {
    char text[128]; // empty: it is known
};

static void add_row(struct timing_row *into, const struct timing_row *from, const struct timing_row *to) {
    into->count += to->count - from->count;
    into->ns += to->ns - from->ns;
    into->unpaired += to->unpaired - from->unpaired;
    into->over += to->over - from->over;
    into->over_ns += to->over_ns - from->over_ns;
    into->inner += to->inner - from->inner;
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
                             const struct timing_backed *backed, double programs_ns) {
    double all = (double)(row->count + row->unpaired);
    double whole = (double)row->count;
    double count = all;
    double ns = fmax((double)row->ns - (double)row->inner * programs_ns, 0);
    if (meaning->over == OVER_HOST) {
        whole -= (double)row->over;
        ns = fmax(ns - (double)row->over_ns, 0);
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
                      const char *source, const struct timing_backed *backed, double programs_ns) {
    struct share share = share_of(row, meaning, backed, programs_ns);
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

static bool has_whole(const struct timing_row *row, const struct timing_meaning *meaning) {
    uint64_t whole = row->count - (meaning->over == OVER_HOST ? row->over : 0);
    return whole > 0 || row->count + row->unpaired == 0;
}

// Why what there is of an event in this sample is not all of it. What was not attached saw nothing, which says nothing.
static struct reason why_lost(const struct timing_row *rows, const struct timing_facts *facts, int e) {
    struct reason why = {""};
    if (facts->lost[e])
        snprintf(why.text, sizeof why.text, "what times it could not be attached: %s", strerror(facts->lost[e]));
    else if (!has_whole(&rows[e], &timing_meanings[e]))
        snprintf(why.text, sizeof why.text, "it happened, and not once was it seen whole");
    return why;
}

// Why nothing is said of an event. That the time of a backed page is not known holds for the whole run.
static struct reason why_unknown(const struct timing_row *rows, const struct timing_facts *facts, int e) {
    struct reason why = why_lost(rows, facts, e);
    if (!why.text[0] && timing_meanings[e].over == OVER_LOSS && !facts->backed[e].known)
        snprintf(why.text, sizeof why.text, "how long a touch takes that the host has backed is not known here");
    return why;
}

static bool has(const struct observations *list, const struct timing_meaning *meaning) {
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].cause == meaning->cause && list->items[i].scope == meaning->scope)
            return true;
    return false;
}

// A cause of which an event was lost, or nothing at all could be told, is not known in this sample: what was timed of
// it is too little, and the report leaves it out. Where only the time of a backed page is not known the cause's other
// events are told, as a lower bound.
static void report_unknown(const struct timing_row *rows, const struct timing_facts *facts,
                           const struct observations *found, struct collector_output *out) {
    for (int e = 0; e < TIMING_EVENTS; e++) {
        const struct timing_meaning *meaning = &timing_meanings[e];
        if (!facts->sources[e])
            continue;
        struct reason why = has(found, meaning) ? why_lost(rows, facts, e) : why_unknown(rows, facts, e);
        if (why.text[0])
            observations_untold(out->obs, (struct untold){meaning->cause, meaning->scope, BASIS_TIMED, why.text});
    }
}

void timing_report(const struct timing_row *rows, const struct timing_facts *facts, struct collector_output *out) {
    struct observations found = {0};
    for (int e = 0; e < TIMING_EVENTS; e++) {
        const struct timing_meaning *meaning = &timing_meanings[e];
        if (facts->sources[e] && !why_unknown(rows, facts, e).text[0])
            add_event(observation_of(&found, meaning), &rows[e], meaning, facts->sources[e], &facts->backed[e],
                      facts->programs_ns);
    }
    report_unknown(rows, facts, &found, out);
    for (size_t i = 0; i < found.count; i++) {
        found.items[i].has_hist = hist_total(&found.items[i].hist) > 0;
        observations_add(out->obs, found.items[i]);
    }
    free(found.items); // the details are the other list's now
}
