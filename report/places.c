// SPDX-License-Identifier: Apache-2.0
// Who lost the time; see the header. May include: core, report/stats.h.
#include "report/places.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const place_kind_names[PLACE_KIND_COUNT] = {"rank", "node", "cpu"};

static const double UNEVEN_SES = 3;
static const double UNEVEN_PCT = 0.1;

// Better ones first, as in the ledger.
static int rank_of(enum obs_basis basis) {
    static const int ranks[BASIS_COUNT] = {
        [BASIS_TIMED] = 0, [BASIS_SAMPLED] = 1, [BASIS_CALIBRATED] = 2, [BASIS_COUNTED] = 3};
    return ranks[basis];
}

static bool is_loss(const struct observation *o) {
    return o->basis != BASIS_COUNTED && o->scope != SCOPE_LATENCY &&
           cause_family_is_direct(cause_info(o->cause)->family);
}

static bool best_of_its_cause(const struct observations *obs, const struct observation *o) {
    for (size_t i = 0; i < obs->count; i++) {
        const struct observation *other = &obs->items[i];
        if (other->cause == o->cause && other->scope == o->scope && rank_of(other->basis) < rank_of(o->basis))
            return false;
    }
    return true;
}

static struct place *find(struct place_list *list, const char *name) {
    for (size_t step = 0; step < list->count; step++) {
        size_t i = (list->next + step) % list->count;
        if (strcmp(list->items[i].name, name) != 0)
            continue;
        list->next = i + 1;
        return &list->items[i];
    }
    struct place place = {.name = mem_strdup(name)};
    ARRAY_PUSH(list->items, list->count, list->capacity, place);
    return &list->items[list->count - 1];
}

static void count(struct place *place, double share) {
    place->sum += share;
    place->squares += share * share;
    place->samples++;
}

// The line's loss and its CPU time; false if no source says anything.
static bool loss_of(const struct journal_sample *s, double *lost, double *active) {
    const cJSON *cpu_s = cJSON_GetObjectItemCaseSensitive(s->circumstances, "cpu_s");
    double steal = 0;
    bool told = false;
    *lost = 0;
    for (size_t i = 0; i < s->obs.count; i++) {
        const struct observation *o = &s->obs.items[i];
        if (!is_loss(o) || !best_of_its_cause(&s->obs, o))
            continue;
        told = true;
        *lost += o->seconds;
        steal += o->cause == CAUSE_HOST_STEAL ? o->seconds : 0;
    }
    *active = cJSON_IsNumber(cpu_s) && cpu_s->valuedouble > 0 ? cpu_s->valuedouble + steal : s->roi_s;
    return told && *active > 0;
}

static void add_line(struct places *places, const struct journal_sample *s) {
    double lost;
    double active;
    char rank[24];
    bool told = loss_of(s, &lost, &active);
    snprintf(rank, sizeof rank, "%lld", (long long)s->rank);
    if (s->rank >= 0 && told)
        count(find(&places->kind[PLACE_RANK], rank), lost / active);
    places->kind[PLACE_RANK].partial |= s->rank >= 0 && !told;
    if (s->node && told)
        count(find(&places->kind[PLACE_NODE], s->node), lost / active);
}

// Sources that know it tell seconds by CPU in their detail.
static void add_cpus(struct places *places, const struct journal_sample *s) {
    struct place_list *list = &places->kind[PLACE_CPU];
    bool told = false;
    for (size_t i = 0; i < s->obs.count; i++) {
        const struct observation *o = &s->obs.items[i];
        const cJSON *cpus = cJSON_GetObjectItemCaseSensitive(o->detail, "cpu_s");
        if (!cpus || !is_loss(o) || !best_of_its_cause(&s->obs, o))
            continue;
        told = true;
        const cJSON *cpu;
        cJSON_ArrayForEach(cpu, cpus) {
            char name[160];
            snprintf(name, sizeof name, "%s%s%s", s->node ? s->node : "", s->node ? " " : "", cpu->string);
            if (cJSON_IsNumber(cpu))
                find(list, name)->pending += cpu->valuedouble / s->roi_s;
        }
    }
    list->samples += told;
    for (size_t i = 0; told && i < list->count; i++) {
        if (list->items[i].pending > 0)
            count(&list->items[i], list->items[i].pending);
        list->items[i].pending = 0;
    }
}

// One rank's word of mpi.wait: {"rank", "node", "late", ...}.
static void add_late(struct places *places, const cJSON *word) {
    const cJSON *late = cJSON_GetObjectItemCaseSensitive(word, "late");
    const cJSON *rank = cJSON_GetObjectItemCaseSensitive(word, "rank");
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(word, "node");
    char name[24];
    if (!cJSON_IsNumber(late) || !cJSON_IsNumber(rank))
        return;
    snprintf(name, sizeof name, "%.0f", rank->valuedouble);
    find(&places->kind[PLACE_RANK], name)->late += late->valuedouble;
    if (cJSON_IsString(node))
        find(&places->kind[PLACE_NODE], node->valuestring)->late += late->valuedouble;
}

// It stands on each rank's line, or summed with the ranks in a list.
static void add_waits(struct places *places, const struct journal_sample *s) {
    for (size_t i = 0; i < s->obs.count; i++) {
        const cJSON *detail = s->obs.items[i].detail;
        const cJSON *ranks = cJSON_GetObjectItemCaseSensitive(detail, "ranks");
        const cJSON *word;
        if (s->obs.items[i].cause != CAUSE_MPI_WAIT)
            continue;
        add_late(places, detail);
        cJSON_ArrayForEach(word, ranks) add_late(places, word);
    }
}

void places_add(struct places *places, const struct journal_sample *s) {
    if (s->valid)
        add_waits(places, s);
    if (!s->valid || s->mode != MODE_TIMING || !(s->roi_s > 0))
        return;
    if (s->rank >= 0 || s->node)
        add_line(places, s);
    add_cpus(places, s);
}

void places_free(struct places *places) {
    for (int kind = 0; kind < PLACE_KIND_COUNT; kind++) {
        for (size_t i = 0; i < places->kind[kind].count; i++)
            free(places->kind[kind].items[i].name);
        free(places->kind[kind].items);
    }
    *places = (struct places){0};
}

// A CPU that a sample does not name lost nothing in it.
static struct stats_mean share_of(const struct place_list *list, enum place_kind kind, const struct place *place) {
    double n = (double)(kind == PLACE_CPU ? list->samples : place->samples);
    double mean = place->sum / n;
    double variance = n > 1 ? fmax(0, place->squares - n * mean * mean) / (n - 1) : NAN;
    return (struct stats_mean){.mean = 100 * mean, .se = 100 * sqrt(variance / n), .df = n - 1};
}

struct place_summary places_summary(const struct places *places, enum place_kind kind) {
    const struct place_list *list = &places->kind[kind];
    struct place_summary summary = {.mean_pct = NAN, .worst_pct = NAN, .last_pct = NAN, .worst_ci = {NAN, NAN}};
    struct stats_mean worst = {.mean = -INFINITY};
    double sum = 0;
    double weighted = 0;
    double late = 0;
    size_t known = 0;
    for (size_t i = 0; i < list->count; i++)
        known += list->items[i].samples > 0;
    if (list->partial || known < 2)
        return summary;
    for (size_t i = 0; i < list->count; i++) {
        late += list->items[i].late;
        if (list->items[i].samples == 0)
            continue;
        struct stats_mean share = share_of(list, kind, &list->items[i]);
        sum += share.mean;
        weighted += share.mean * list->items[i].late;
        if (share.mean > worst.mean) {
            worst = share;
            summary.worst = list->items[i].name;
        }
    }
    summary.count = known;
    summary.mean_pct = sum / (double)known;
    if (late > 0 && known == list->count)
        summary.last_pct = weighted / late;
    summary.worst_pct = worst.mean;
    summary.worst_ci = stats_mean_interval(&worst);
    double above = worst.mean - summary.mean_pct;
    summary.uneven = above > UNEVEN_PCT && above > UNEVEN_SES * worst.se;
    return summary;
}

char *places_sentence(const struct places *places, enum place_kind kind) {
    struct place_summary s = places_summary(places, kind);
    if (s.count < 2 || (kind == PLACE_CPU && !s.uneven))
        return NULL;
    char interval[80] = "";
    if (isfinite(s.worst_ci.low))
        snprintf(interval, sizeof interval, " (%.2g to %.2g %%)", s.worst_ci.low, s.worst_ci.high);
    if (kind == PLACE_CPU)
        return mem_printf(
            "the hypervisor's share is uneven: %s loses %.2g %%%s of its time, %zu CPUs on average %.2g %%", s.worst,
            s.worst_pct, interval, s.count, s.mean_pct);
    char last[80] = "";
    if (isfinite(s.last_pct))
        snprintf(last, sizeof last, "; weighted by who came last, %.2g %%", s.last_pct);
    return mem_printf(
        "the hypervisor's share is %.2g %% on average over %zu %ss, %.2g %%%s on the worst, %s: where all wait "
        "for the last one, a job loses at least the former and at most the latter%s",
        s.mean_pct, s.count, place_kind_names[kind], s.worst_pct, interval, s.worst, last);
}
