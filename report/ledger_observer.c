// SPDX-License-Identifier: Apache-2.0
// What measuring costs; the header states the formula. May include: core, report.
#include "report/ledger_observer.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>

// 1 + 2 ((2/3)^2 + (1/6)^2): how many neighbouring differences make an independent one.
static const double DIFFERENCE_TIME = 1 + 2 * (4.0 / 9 + 1.0 / 36);

struct moment {
    uint64_t start_ns;
    double log_cost;
};

struct moments {
    struct moment *items;
    size_t count;
};

static int compare_moments(const void *a, const void *b) {
    uint64_t x = ((const struct moment *)a)->start_ns;
    uint64_t y = ((const struct moment *)b)->start_ns;
    return (x > y) - (x < y);
}

static struct moments moments_of(const struct ledger_group *group, const struct dataset_case *c) {
    const struct series *series = &c->mode[group->mode];
    struct moments m = {.items = mem_alloc((series->count + 1) * sizeof *m.items)};
    for (size_t i = 0; i < series->count; i++) {
        const struct point *p = &series->point[i];
        if (ledger_group_has(group, c, p))
            m.items[m.count++] = (struct moment){p->start_ns, log(p->cost)};
    }
    qsort(m.items, m.count, sizeof *m.items, compare_moments);
    return m;
}

// Mean and scatter of differences.
struct spread {
    double sum;
    double squares;
    size_t count;
};

static void add(struct spread *s, double difference) {
    s->sum += difference;
    s->squares += difference * difference;
    s->count++;
}

// Each timing sample against those around it: how far such a difference scatters where nothing differs.
static void add_timing(struct spread *noise, const struct moments *timing) {
    for (size_t i = 1; i + 1 < timing->count; i++)
        add(noise, timing->items[i].log_cost - 0.5 * (timing->items[i - 1].log_cost + timing->items[i + 1].log_cost));
}

static double mean_of(const struct moments *m) {
    double sum = 0;
    for (size_t i = 0; i < m->count; i++)
        sum += m->items[i].log_cost;
    return sum / (double)m->count;
}

// The level of the timing samples around a moment.
static double level_at(const struct moments *timing, uint64_t start_ns) {
    if (start_ns == 0)
        return mean_of(timing);
    size_t after = 0;
    while (after < timing->count && timing->items[after].start_ns < start_ns)
        after++;
    const struct moment *next = &timing->items[after < timing->count ? after : timing->count - 1];
    const struct moment *previous = &timing->items[after > 0 ? after - 1 : 0];
    return 0.5 * (previous->log_cost + next->log_cost);
}

static void add_pass(struct spread *found, const struct moments *attribution, const struct moments *timing) {
    for (size_t i = 0; timing->count > 0 && i < attribution->count; i++)
        add(found, attribution->items[i].log_cost - level_at(timing, attribution->items[i].start_ns));
}

static double percent(double log_shift) {
    return 100 * expm1(log_shift);
}

static struct ledger_observer conclude(const char *pass, const struct spread *found, const struct spread *noise) {
    struct ledger_observer observer = {.pass = pass, .count = found->count, .pct = NAN, .ci = {NAN, NAN}};
    if (found->count == 0)
        return observer;
    double n = (double)found->count;
    struct stats_mean mean = {.mean = found->sum / n};
    double own = fmax(0, found->squares - n * mean.mean * mean.mean);
    double noise_df = (double)noise->count / DIFFERENCE_TIME;
    mean.df = n - 1 + noise_df;
    double variance = mean.df > 0 ? (own + noise->squares / DIFFERENCE_TIME) / mean.df : NAN;
    mean.se = sqrt(variance / n);
    struct stats_interval ci = stats_mean_interval(&mean);
    observer.pct = percent(mean.mean);
    observer.ci = (struct stats_interval){percent(ci.low), percent(ci.high)};
    return observer;
}

void ledger_observe(const struct ledger_side *subject, struct ledger *ledger) {
    ledger->observers = mem_alloc(subject->count * sizeof *ledger->observers);
    for (size_t g = 1; g < subject->count; g++) {
        const struct ledger_group *group = &subject->groups[g];
        struct spread found = {0};
        struct spread noise = {0};
        for (size_t r = 0; r < subject->side->count; r++) {
            const struct dataset_case *c = subject->side->run[r].c;
            struct moments timing = moments_of(&subject->groups[0], c);
            struct moments attribution = moments_of(group, c);
            add_timing(&noise, &timing);
            add_pass(&found, &attribution, &timing);
            free(timing.items);
            free(attribution.items);
        }
        ledger->observers[ledger->observer_count++] = conclude(group->pass, &found, &noise);
    }
}
