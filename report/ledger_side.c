// SPDX-License-Identifier: Apache-2.0
// One side of a ledger; the header says what it is, docs/method.md the rules. May include: core, report/compare.h.
#include "report/ledger_side.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Where a number is best taken from: for seconds how well they are known, for counts who counts each event.
static const enum obs_basis SECONDS_ORDER[] = {BASIS_TIMED, BASIS_SAMPLED, BASIS_CALIBRATED};
static const enum obs_basis COUNT_ORDER[] = {BASIS_TIMED, BASIS_COUNTED, BASIS_CALIBRATED, BASIS_SAMPLED};

// --- groups ----------------------------------------------------------------------------------------------------------

static bool same_group(const struct ledger_group *group, enum sample_mode mode, const char *pass) {
    return group->mode == mode && (mode == MODE_TIMING || strcmp(group->pass, pass) == 0);
}

static const char *pass_of(const struct dataset_case *c, const struct point *point) {
    return c->pass_count ? c->passes[point->pass] : "";
}

static bool in_group(const struct ledger_group *group, const struct dataset_case *c, const struct point *point) {
    return group->mode == MODE_TIMING || strcmp(group->pass, pass_of(c, point)) == 0;
}

bool ledger_group_has(const struct ledger_group *group, const struct dataset_case *c, const struct point *point) {
    return point_counts(point) && in_group(group, c, point);
}

static void add_group(struct ledger_side *a, enum sample_mode mode, const char *pass) {
    for (size_t i = 0; i < a->count; i++)
        if (same_group(&a->groups[i], mode, pass))
            return;
    struct ledger_group group = {.mode = mode, .pass = pass};
    ARRAY_PUSH(a->groups, a->count, a->capacity, group);
}

static void find_groups(struct ledger_side *a) {
    add_group(a, MODE_TIMING, "");
    for (size_t r = 0; r < a->side->count; r++) {
        const struct dataset_case *c = a->side->run[r].c;
        const struct series *series = &c->mode[MODE_ATTRIBUTION];
        for (size_t i = 0; i < series->count; i++)
            add_group(a, MODE_ATTRIBUTION, pass_of(c, &series->point[i]));
    }
}

// Causes that take the CPU from the job while its threads could run, told by clocks that do not count it as theirs.
static bool beside_cpu_time(enum cause cause) {
    return cause == CAUSE_HOST_STEAL || cause == CAUSE_GUEST_THREADS || cause == CAUSE_GUEST_IRQ ||
           cause == CAUSE_GUEST_SOFTIRQ;
}

// Where a better source tells the same cause's seconds as well, the worse one's are not taken beside them.
static bool is_outdone(const struct loss *list, size_t count, const struct loss *loss) {
    for (size_t i = 0; i < ARRAY_LEN(SECONDS_ORDER) && SECONDS_ORDER[i] != loss->basis; i++)
        for (size_t j = 0; j < count; j++)
            if (list[j].cause == loss->cause && list[j].scope == loss->scope && list[j].basis == SECONDS_ORDER[i])
                return true;
    return false;
}

// Lost time that the job's CPU time does not hold.
static double lost_beside_cpu_time(const struct loss *loss, size_t count) {
    double lost = 0;
    for (size_t i = 0; i < count; i++) {
        bool waits = loss[i].scope == SCOPE_BLOCKED;
        bool taken = loss[i].scope == SCOPE_CPU && beside_cpu_time((enum cause)loss[i].cause);
        if (loss[i].basis != BASIS_COUNTED && (waits || taken) && !is_outdone(loss, count, &loss[i]))
            lost += loss[i].seconds;
    }
    return lost;
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

// The losses of one observation, NULL where it has none; both lists ascend by seq, `*next` is where to go on.
static const struct loss *losses_of(const struct series *series, uint64_t seq, size_t *next, size_t *count) {
    while (*next < series->loss_count && series->loss[*next].seq < seq)
        (*next)++;
    size_t end = *next;
    while (end < series->loss_count && series->loss[end].seq == seq)
        end++;
    *count = end - *next;
    return *count ? series->loss + *next : NULL;
}

static size_t most_points(const struct ledger_side *a, enum sample_mode mode) {
    size_t count = 0;
    for (size_t r = 0; r < a->side->count; r++)
        count += a->side->run[r].c->mode[mode].count;
    return count;
}

static void prepare_group(struct ledger_side *a, struct ledger_group *group) {
    size_t most = most_points(a, group->mode);
    group->cpu_seconds = mem_alloc((most + 1) * sizeof *group->cpu_seconds);
    group->cost = (struct side_values){.run_count = a->side->count};
    group->cost.run = mem_alloc((a->side->count + 1) * sizeof *group->cost.run);
    group->cost.store = mem_alloc((most + 1) * sizeof *group->cost.store);
    size_t used = 0;
    for (size_t r = 0; r < a->side->count; r++) {
        const struct dataset_case *c = a->side->run[r].c;
        const struct series *series = &c->mode[group->mode];
        size_t next = 0;
        size_t from = used;
        for (size_t i = 0; i < series->count; i++) {
            const struct point *p = &series->point[i];
            // What only samples that do not count tell is not known: it must not make a sum unknown.
            if (!in_group(group, c, p) || !point_counts(p))
                continue;
            size_t count;
            const struct loss *loss = losses_of(series, p->seq, &next, &count);
            for (size_t j = 0; j < count; j++)
                group->has[loss[j].cause][loss[j].scope][loss[j].basis] = true;
            double lost = lost_beside_cpu_time(loss, count);
            double active = active_cpu_seconds(c, p, lost, &a->cpus_unknown);
            group->cpu_seconds[used] = group->mode == MODE_TIMING ? active : without_probes(active, loss, count);
            group->cost.store[used++] = p->cost;
        }
        group->cost.run[r] = (struct stats_run){group->cost.store + from, used - from, a->side->run[r].machine};
    }
    group->cost.count = used;
}

struct ledger_side ledger_side_make(const struct side *side, double time) {
    struct ledger_side a = {.side = side, .time = time};
    find_groups(&a);
    for (size_t i = 0; i < a.count; i++)
        prepare_group(&a, &a.groups[i]);
    return a;
}

void ledger_side_free(struct ledger_side *a) {
    for (size_t i = 0; i < a->count; i++) {
        side_values_free(&a->groups[i].cost);
        free(a->groups[i].cpu_seconds);
    }
    free(a->groups);
    *a = (struct ledger_side){0};
}

static const struct ledger_group *groups_end(const struct ledger_side *a) {
    return a->groups + a->count;
}

bool ledger_side_knows(const struct ledger_side *a, enum cause cause, enum obs_scope scope) {
    for (const struct ledger_group *group = a->groups; group < groups_end(a); group++)
        for (int basis = 0; basis < BASIS_COUNT; basis++)
            if (group->has[cause][scope][basis])
                return true;
    return false;
}

// --- sources ---------------------------------------------------------------------------------------------------------

// The best basis; where several groups have it, timing samples before attribution samples.
static struct ledger_source seconds_source(const struct ledger_side *a, enum cause cause, enum obs_scope scope) {
    for (size_t i = 0; i < ARRAY_LEN(SECONDS_ORDER); i++)
        for (const struct ledger_group *group = a->groups; group < groups_end(a); group++)
            if (group->has[cause][scope][SECONDS_ORDER[i]])
                return (struct ledger_source){group, SECONDS_ORDER[i]};
    return (struct ledger_source){NULL, BASIS_COUNTED};
}

// Timing samples first: what perturbs them is off there.
static struct ledger_source count_source(const struct ledger_side *a, enum cause cause, enum obs_scope scope) {
    for (const struct ledger_group *group = a->groups; group < groups_end(a); group++)
        for (size_t i = 0; i < ARRAY_LEN(COUNT_ORDER); i++)
            if (group->has[cause][scope][COUNT_ORDER[i]])
                return (struct ledger_source){group, COUNT_ORDER[i]};
    return (struct ledger_source){NULL, BASIS_COUNTED};
}

// What one source says of one cause, per observation of its group.
struct column {
    struct side_values seconds;
    struct side_values se;
    struct side_values count;
    bool at_most;
    bool by_host;
};

static struct side_values zero_like(const struct side_values *shape) {
    struct side_values zero = {.run_count = shape->run_count, .count = shape->count};
    zero.run = mem_alloc((shape->run_count + 1) * sizeof *zero.run);
    zero.store = mem_alloc((shape->count + 1) * sizeof *zero.store);
    for (size_t r = 0, from = 0; r < shape->run_count; from += shape->run[r].count, r++)
        zero.run[r] = (struct stats_run){zero.store + from, shape->run[r].count, shape->run[r].machine};
    return zero;
}

// How far the unit cost of a calibrated loss moved in the course of its run, seconds.
static double unit_drift(const struct dataset *set, const struct loss *loss) {
    if (loss->basis != BASIS_CALIBRATED || loss->trap >= TRAP_COUNT || !(loss->seconds > 0))
        return 0;
    return calibration_drift(set->calibrations, set->calibration_count, (enum trap)loss->trap);
}

static struct column read_column(const struct ledger_side *a, enum cause cause, enum obs_scope scope,
                                 struct ledger_source source) {
    const struct side_values *shape = &source.group->cost;
    struct column column = {zero_like(shape), zero_like(shape), zero_like(shape), false, false};
    size_t place = 0;
    for (size_t r = 0; r < a->side->count; r++) {
        const struct dataset_case *c = a->side->run[r].c;
        const struct series *series = &c->mode[source.group->mode];
        size_t next = 0;
        for (size_t i = 0; i < series->count; i++) {
            if (!ledger_group_has(source.group, c, &series->point[i]))
                continue;
            size_t count;
            const struct loss *loss = losses_of(series, series->point[i].seq, &next, &count);
            double variance = 0;
            double drifted = 0;
            for (size_t j = 0; j < count; j++) {
                if (loss[j].cause != cause || loss[j].scope != scope || loss[j].basis != source.basis)
                    continue;
                column.seconds.store[place] += loss[j].seconds;
                column.count.store[place] += (double)loss[j].count;
                variance += loss[j].se * loss[j].se;
                drifted += unit_drift(a->side->run[r].set, &loss[j]) * (double)loss[j].count;
                column.at_most |= loss[j].at_most;
                column.by_host |= loss[j].by_host;
            }
            column.se.store[place++] = sqrt(variance + drifted * drifted);
        }
    }
    return column;
}

static void free_column(struct column *column) {
    side_values_free(&column->seconds);
    side_values_free(&column->se);
    side_values_free(&column->count);
}

static double plain_mean(const struct side_values *values) {
    return stats_mean(values->store, values->count, 1).mean;
}

// Share of time that the cause has, s / (k roi), or its cost, s C / (k roi). Attribution samples lend their share of
// time only: their cost is that of the probes, too.
static void weigh(const struct ledger_side *a, const struct ledger_group *group, bool shares,
                  struct side_values *seconds) {
    double timing_cost = plain_mean(&a->groups[0].cost);
    for (size_t i = 0; i < seconds->count; i++) {
        double cost = shares ? 1 : group->mode == MODE_TIMING ? group->cost.store[i] : timing_cost;
        seconds->store[i] *= cost / group->cpu_seconds[i];
    }
}

// Whether means scatter no more than their own errors explain: their variance against that of the source, by the 95 %
// point of chi-square over its degrees of freedom (Wilson and Hilferty 1931).
static bool explained_by(double own, const struct stats_mean *mean) {
    double part = 2 / (9 * mean->df);
    double limit = pow(1 - part + 1.645 * sqrt(part), 3);
    return own > 0 && mean->df > 0 && mean->se * mean->se <= own * own * limit;
}

// The mean of a column. A timer's or sampler's error is new in each observation, so it is in their spread already, if
// there is a spread to see; of a single observation it is all that is known, and of few that scatter no more than it
// says it is known better than their spread. A unit cost is wrong in all of them alike: that error is `common`, and
// does not shrink with their number.
static void conclude(const struct ledger_side *a, const struct column *column, struct ledger_entry *entry) {
    entry->cost = side_mean(&column->seconds, a->time);
    bool calibrated = entry->source.basis == BASIS_CALIBRATED;
    double squares = 0;
    for (size_t i = 0; i < column->se.count; i++)
        squares += column->se.store[i] * column->se.store[i];
    double own = calibrated ? 0 : sqrt(squares) / (double)column->se.count;
    entry->common = calibrated ? plain_mean(&column->se) : 0;
    if (isfinite(entry->cost.se)) {
        entry->cost.df = explained_by(own, &entry->cost) ? INFINITY : entry->cost.df;
        entry->cost.se = fmax(entry->cost.se, own);
    } else if (own > 0 || entry->common > 0) {
        entry->cost.se = own;
        entry->cost.df = INFINITY;
    }
}

struct ledger_entry ledger_side_entry(const struct ledger_side *a, enum cause cause, enum obs_scope scope, bool shares,
                                      struct side_values *residual) {
    struct ledger_entry entry = {.cost = {.mean = 0, .se = 0, .df = INFINITY}, .seconds = NAN, .count = NAN};
    struct ledger_source counts = count_source(a, cause, scope);
    if (counts.group) {
        struct column column = read_column(a, cause, scope, counts);
        entry.count = plain_mean(&column.count);
        free_column(&column);
    }
    entry.source = seconds_source(a, cause, scope);
    if (!entry.source.group)
        return entry;
    struct column column = read_column(a, cause, scope, entry.source);
    entry.seconds = plain_mean(&column.seconds);
    entry.at_most = column.at_most;
    entry.by_host = column.by_host;
    weigh(a, entry.source.group, shares, &column.seconds);
    weigh(a, entry.source.group, shares, &column.se);
    conclude(a, &column, &entry);
    if (residual && entry.source.group->mode == MODE_TIMING && scope != SCOPE_LATENCY)
        for (size_t i = 0; i < residual->count; i++)
            residual->store[i] -= column.seconds.store[i];
    free_column(&column);
    return entry;
}
