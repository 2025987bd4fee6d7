// SPDX-License-Identifier: Apache-2.0
// What a group of samples says of itself: its costs, its active CPU time, which causes it knows. May include: core,
// report/compare.h.
#include "report/ledger_group.h"

#include "core/memory.h"
#include "report/ledger_told.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *ledger_pass_of(const struct dataset_case *c, const struct point *point) {
    return c->pass_count ? c->passes[point->pass] : "";
}

bool ledger_group_has(const struct ledger_group *group, const struct dataset_case *c, const struct point *point) {
    return point_counts(point) && (group->mode == MODE_TIMING || strcmp(group->pass, ledger_pass_of(c, point)) == 0);
}

// One sample that counts, with what was told of it and what could not be.
struct told_sample {
    const struct point *point;
    const struct loss *loss;
    const struct gap *gaps;
    size_t loss_count, gap_count;
};

// Causes that take the CPU from the job while its threads could run, told by clocks that do not count it as theirs.
static bool beside_cpu_time(enum cause cause) {
    return cause == CAUSE_HOST_STEAL || cause == CAUSE_GUEST_THREADS || cause == CAUSE_GUEST_IRQ ||
           cause == CAUSE_GUEST_SOFTIRQ;
}

// Where a better source tells the same cause's seconds as well, the worse one's are not taken beside them. Bases are
// numbered from the best on.
static bool is_outdone(const struct loss *list, size_t count, const struct loss *loss) {
    for (size_t j = 0; j < count; j++)
        if (list[j].cause == loss->cause && list[j].scope == loss->scope && list[j].basis < loss->basis)
            return true;
    return false;
}

static bool outside_cpu_time(enum cause cause, enum obs_scope scope) {
    return scope == SCOPE_BLOCKED || (scope == SCOPE_CPU && beside_cpu_time(cause));
}

// Lost time that the job's CPU time does not hold.
static double lost_beside_cpu_time(const struct loss *loss, size_t count) {
    double lost = 0;
    for (size_t i = 0; i < count; i++)
        if (loss[i].basis != BASIS_COUNTED && !is_outdone(loss, count, &loss[i]) &&
            outside_cpu_time((enum cause)loss[i].cause, (enum obs_scope)loss[i].scope))
            lost += loss[i].seconds;
    return lost;
}

// True if there is nothing that the loss's source could not tell: of several ranks' lines some may have told.
static bool is_whole(const struct loss *loss, const struct told_sample *s) {
    return !gap_find(s->gaps, s->gap_count, (enum cause)loss->cause, (enum obs_scope)loss->scope,
                     (enum obs_basis)loss->basis);
}

// True if some of that time could not be told, and no other source told it.
static bool lacks_lost_time(const struct told_sample *s) {
    for (size_t i = 0; i < s->gap_count; i++) {
        const struct gap *gap = &s->gaps[i];
        bool told = !outside_cpu_time((enum cause)gap->cause, (enum obs_scope)gap->scope);
        for (size_t j = 0; j < s->loss_count && !told; j++) {
            const struct loss *loss = &s->loss[j];
            told = loss->cause == gap->cause && loss->scope == gap->scope && loss->basis != BASIS_COUNTED &&
                   is_whole(loss, s);
        }
        if (!told)
            return true;
    }
    return false;
}

// What the probes took of the job's CPUs, seconds.
static double observed(const struct loss *loss, size_t count) {
    double seconds = 0;
    for (size_t i = 0; i < count; i++)
        if (loss[i].cause == CAUSE_OBSERVER && loss[i].scope == SCOPE_CPU && loss[i].basis != BASIS_COUNTED)
            seconds += loss[i].seconds;
    return seconds;
}

// The time of an attribution sample in which its share of a cause is taken: without the probes, which timing samples,
// whose cost the share is multiplied with, do not have. Probes that are said to have had all of it say nothing.
static double without_probes(double active, const struct loss *loss, size_t count) {
    double probes = observed(loss, count);
    return probes < active ? active - probes : active;
}

static double active_cpu_seconds(const struct dataset_case *c, const struct point *p, double lost, bool *unknown) {
    if (!(p->roi_s > 0))
        return INFINITY; // a window of no length holds no lost time
    double most = c->cpus * p->roi_s;
    if (isfinite(p->cpu_s) && p->cpu_s > 0) {
        double active = p->cpu_s + lost;
        return most > 0 && active > most ? most : active;
    }
    if (c->cpus > 0)
        return most;
    *unknown = true;
    return p->roi_s;
}

const struct loss *losses_of(const struct series *series, uint64_t seq, size_t *next, size_t *count) {
    while (*next < series->loss_count && series->loss[*next].seq < seq)
        (*next)++;
    size_t end = *next;
    while (end < series->loss_count && series->loss[end].seq == seq)
        end++;
    *count = end - *next;
    return *count ? series->loss + *next : NULL;
}

static size_t most_points(const struct side *side, enum sample_mode mode) {
    size_t count = 0;
    for (size_t r = 0; r < side->count; r++)
        count += side->run[r].c->mode[mode].count;
    return count;
}

// Walks through the samples of a case that belong to a group. Zeroed it stands at the beginning.
struct walk {
    size_t point, loss, gap;
};

static bool next_sample(const struct ledger_group *group, const struct dataset_case *c, struct walk *at,
                        struct told_sample *out) {
    const struct series *series = &c->mode[group->mode];
    // What only samples that do not count tell is not known: it must not make a sum unknown.
    while (at->point < series->count && !ledger_group_has(group, c, &series->point[at->point]))
        at->point++;
    if (at->point == series->count)
        return false;
    out->point = &series->point[at->point++];
    out->loss = losses_of(series, out->point->seq, &at->loss, &out->loss_count);
    out->gaps = gaps_of(series, out->point->seq, &at->gap, &out->gap_count);
    return true;
}

// What samples in which all of it was told lose beside their CPU time, as a share of their windows: it stands for those
// in which it was not.
static double lost_share(const struct ledger_group *group, const struct side *side) {
    double sum = 0;
    size_t count = 0;
    for (size_t r = 0; r < side->count; r++) {
        struct told_sample s;
        for (struct walk at = {0}; next_sample(group, side->run[r].c, &at, &s);) {
            if (lacks_lost_time(&s) || !(s.point->roi_s > 0))
                continue;
            sum += lost_beside_cpu_time(s.loss, s.loss_count) / s.point->roi_s;
            count++;
        }
    }
    return count ? sum / (double)count : NAN;
}

static double lost_time(const struct told_sample *s, double share) {
    return isfinite(share) && lacks_lost_time(s) ? share * s->point->roi_s
                                                 : lost_beside_cpu_time(s->loss, s->loss_count);
}

void ledger_group_prepare(struct ledger_group *group, const struct side *side, bool *cpus_unknown) {
    size_t most = most_points(side, group->mode);
    group->cpu_seconds = mem_alloc((most + 1) * sizeof *group->cpu_seconds);
    group->cost = (struct side_values){.run_count = side->count};
    group->cost.run = mem_alloc((side->count + 1) * sizeof *group->cost.run);
    group->cost.store = mem_alloc((most + 1) * sizeof *group->cost.store);
    double share = lost_share(group, side);
    size_t used = 0;
    for (size_t r = 0; r < side->count; r++) {
        const struct dataset_case *c = side->run[r].c;
        struct told_sample s;
        size_t from = used;
        for (struct walk at = {0}; next_sample(group, c, &at, &s);) {
            for (size_t j = 0; j < s.loss_count; j++)
                group->has[s.loss[j].cause][s.loss[j].scope][s.loss[j].basis] |= is_whole(&s.loss[j], &s);
            for (size_t j = 0; j < s.gap_count; j++)
                group->lacks[s.gaps[j].cause][s.gaps[j].scope] = true;
            double active = active_cpu_seconds(c, s.point, lost_time(&s, share), cpus_unknown);
            group->cpu_seconds[used] =
                group->mode == MODE_TIMING ? active : without_probes(active, s.loss, s.loss_count);
            group->cost.store[used++] = s.point->cost;
        }
        group->cost.run[r] = (struct stats_run){group->cost.store + from, used - from, side->run[r].machine};
    }
    group->cost.count = used;
}

void ledger_group_free(struct ledger_group *group) {
    side_values_free(&group->cost);
    free(group->cpu_seconds);
    *group = (struct ledger_group){.pass = ""};
}
