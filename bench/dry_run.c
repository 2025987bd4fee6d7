// SPDX-License-Identifier: Apache-2.0
// What would run, and how long it takes. See runner.h. A sample's time is what its case took in the journal of -o, if
// there is one, else what the suite's author says is typical; where neither is known, the total says what it leaves
// out.
#include "bench/plan.h"
#include "collectors/collector.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_GAP_S 600.0 // between two samples; a longer one is an interruption

static const char *const basis_names[] = {NULL, "journal", "suite"};
enum basis { BASIS_UNKNOWN, BASIS_JOURNAL, BASIS_SUITE };

struct estimate {
    double *seen; // seconds of its samples in the journal, set-up included
    size_t count;
    size_t capacity;
    double sample_s; // NaN: not known
    enum basis basis;
    unsigned left; // samples that are still to be made
    double left_s; // what they take
};

enum { MOST_PASSES = 16 };

// The passes of attribution, and how much of a job's CPU time each wants at least.
struct passes {
    double least_cpu_s[MOST_PASSES];
    size_t count;
};

// --- knowing how long ------------------------------------------------------------------------------------------------

static double end_of(const struct journal_sample *s) {
    return (double)s->start_ns * 1e-9 + s->wall_s;
}

// From the end of one sample to that of the next: so the next one's set-up is in it. Returns this one's end.
static double note_sample(struct plan *plan, struct estimate *estimates, const struct journal_sample *s, double last) {
    const struct planned_case *c = plan_find(plan, s->case_name);
    double gap = end_of(s) - last;
    double took = gap >= s->wall_s && gap < s->wall_s + LONGEST_GAP_S ? gap : s->wall_s;
    if (s->rank > 0) // the ranks of one sample took their time together
        return last;
    if (c) {
        struct estimate *e = &estimates[c - plan->cases];
        ARRAY_PUSH(e->seen, e->count, e->capacity, took);
    }
    return end_of(s);
}

static int read_journal(struct plan *plan, struct estimate *estimates, struct error *err) {
    const char *path = plan->options->journal;
    struct journal_record record;
    double last = 0;
    int got;
    if (!path || strcmp(path, "-") == 0 || access(path, R_OK))
        return 0;
    struct journal_reader *reader = journal_read(path, err);
    if (!reader)
        return -1;
    while ((got = journal_next(reader, &record, err)) > 0) {
        if (record.type != JOURNAL_SAMPLE)
            continue;
        struct planned_case *c = plan_find(plan, record.sample.case_name);
        last = note_sample(plan, estimates, &record.sample, last);
        if (c && plan->options->resume && record.sample.seq >= c->done[record.sample.mode])
            c->done[record.sample.mode]++;
    }
    journal_end_reading(reader);
    return got;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static unsigned missing(const struct planned_case *c, enum sample_mode mode) {
    return c->planned[mode] > c->done[mode] ? c->planned[mode] - c->done[mode] : 0;
}

// How much longer an attribution sample of a typical time is on average: where a pass wants so much of a job's CPU
// time, a bench that can is repeated.
static double repeated_s(const struct planned_case *c, const struct passes *passes) {
    double sum = 0;
    int cpus = CPU_COUNT(&c->cpus);
    for (size_t pass = 0; c->suite_case->ops->repeatable && cpus > 0 && pass < passes->count; pass++)
        sum += fmax(0, passes->least_cpu_s[pass] / cpus - c->suite_case->typical_s);
    return passes->count ? sum / (double)passes->count : 0;
}

static void conclude(const struct planned_case *c, const struct passes *passes, struct estimate *e) {
    unsigned attribution = missing(c, MODE_ATTRIBUTION);
    e->left = missing(c, MODE_TIMING) + attribution;
    e->sample_s = c->suite_case->typical_s;
    e->basis = isnan(e->sample_s) ? BASIS_UNKNOWN : BASIS_SUITE;
    e->left_s = e->left * e->sample_s + attribution * repeated_s(c, passes);
    if (!e->count)
        return;
    qsort(e->seen, e->count, sizeof *e->seen, compare);
    e->sample_s = e->seen[e->count / 2];
    e->basis = BASIS_JOURNAL;
    e->left_s = e->left * e->sample_s;
}

// --- telling ---------------------------------------------------------------------------------------------------------

struct total {
    double seconds; // of the cases whose time is known
    unsigned timing, attribution;
    unsigned by[3]; // cases, by enum basis
};

static struct total sum_up(const struct plan *plan, const struct estimate *estimates) {
    struct total t = {0};
    for (size_t i = 0; i < plan->count; i++) {
        const struct planned_case *c = &plan->cases[i];
        if (c->skipped)
            continue;
        t.timing += c->planned[MODE_TIMING];
        t.attribution += c->planned[MODE_ATTRIBUTION];
        t.by[estimates[i].basis]++;
        if (estimates[i].basis && plan_leads(plan, c))
            t.seconds += estimates[i].left_s;
    }
    return t;
}

static char *duration(double seconds) {
    if (seconds < 9.95)
        return mem_printf("%.1f s", seconds);
    unsigned long whole = (unsigned long)(seconds + 0.5);
    if (whole < 120)
        return mem_printf("%lu s", whole);
    if (whole < 7200)
        return mem_printf("%lu min %02lu s", whole / 60, whole % 60);
    return mem_printf("%lu h %02lu min", whole / 3600, whole / 60 % 60);
}

// What is said behind the numbers.
static char *remark(const struct plan *plan, const struct planned_case *c) {
    if (c->skipped)
        return mem_strdup(c->why);
    char *params = json_print_line(c->suite_case->params);
    if (plan_leads(plan, c))
        return params;
    char *with = mem_printf("read from the same runs as %s: %s", plan->cases[c->group].suite_case->name, params);
    free(params);
    return with;
}

static void print_case(const struct plan *plan, const struct planned_case *c, const struct estimate *e) {
    char *said = remark(plan, c);
    bool known = e->basis && !c->skipped && plan_leads(plan, c);
    char *each = known ? duration(e->sample_s) : mem_strdup("-");
    printf("%-24s %-11s %6u %6u %5d %11s  %s\n", c->suite_case->name, c->suite_case->ops->name, c->planned[MODE_TIMING],
           c->planned[MODE_ATTRIBUTION], CPU_COUNT(&c->cpus), each, said);
    free(said);
    free(each);
}

static void print_total(const struct plan *plan, const struct total *t) {
    const struct run_options *o = plan->options;
    double budget_s = isfinite(o->budget_s) ? o->budget_s : o->suite->budget_s;
    if (!t->timing && !t->attribution) {
        puts("\nNone of these cases can run here; the reasons stand behind them.");
        return;
    }
    char *seconds = duration(t->seconds);
    printf("\n%u timing and %u attribution samples.", t->timing, t->attribution);
    if (t->by[BASIS_JOURNAL] || t->by[BASIS_SUITE])
        printf(" About %s%s", seconds, t->by[BASIS_UNKNOWN] ? " for those whose time is known" : "");
    if (t->by[BASIS_JOURNAL])
        printf(", by what they took in %s", o->journal);
    if (t->by[BASIS_SUITE])
        printf("%s by what the suite says is typical", t->by[BASIS_JOURNAL] ? ", else" : ",");
    printf("%s\n", t->by[BASIS_JOURNAL] || t->by[BASIS_SUITE] ? "." : "");
    if (t->by[BASIS_UNKNOWN])
        printf(
            "Nobody knows how long %u of the cases take here: no journal of them is at -o, and the suite does not "
            "say.\n",
            t->by[BASIS_UNKNOWN]);
    if (strcmp(o->collectors, "none") != 0)
        puts("Before them, what VM exits cost here is measured (2 s).");
    if (o->quiet_wait_s > 0)
        printf("A machine that is not quiet is waited for, %.0f s at most.\n", o->quiet_wait_s);
    free(seconds);
    if (!isfinite(budget_s))
        return;
    seconds = duration(budget_s);
    printf("No sample starts after %s, the time budget.\n", seconds);
    free(seconds);
}

static void print_text(const struct plan *plan, const struct estimate *estimates) {
    struct total total = sum_up(plan, estimates);
    printf("%-24s %-11s %6s %6s %5s %11s  %s\n", "case", "bench", "timing", "attrib", "cpus", "each takes",
           "parameters");
    for (size_t i = 0; i < plan->count; i++)
        print_case(plan, &plan->cases[i], &estimates[i]);
    print_total(plan, &total);
}

static cJSON *case_json(const struct plan *plan, const struct planned_case *c, const struct estimate *e) {
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "case", c->suite_case->name);
    json_add_string(object, "bench", c->suite_case->ops->name);
    json_add_u64(object, "timing_samples", c->planned[MODE_TIMING]);
    json_add_u64(object, "attribution_samples", c->planned[MODE_ATTRIBUTION]);
    json_add_u64(object, "samples_left", e->left);
    json_add_u64(object, "cpus", (uint64_t)CPU_COUNT(&c->cpus));
    json_add_double(object, "sample_s", e->sample_s);
    json_add_string(object, "sample_s_basis", basis_names[e->basis]);
    if (!plan_leads(plan, c))
        json_add_string(object, "with", plan->cases[c->group].suite_case->name);
    json_add_double(object, "until_pct", c->until_pct);
    cJSON_AddItemToObject(object, "params", cJSON_Duplicate(c->suite_case->params, 1));
    if (c->suite_case->environment)
        cJSON_AddItemToObject(object, "environment", cJSON_Duplicate(c->suite_case->environment, 1));
    json_add_string(object, "skipped", c->skipped ? c->why : NULL);
    return object;
}

static void print_json(const struct plan *plan, const struct estimate *estimates) {
    const struct run_options *o = plan->options;
    struct total total = sum_up(plan, estimates);
    cJSON *root = cJSON_CreateObject();
    json_add_string(root, "suite", o->suite->name);
    json_add_string(root, "size", bench_size_names[o->suite->size]);
    json_add_double(root, "known_s", total.seconds);
    json_add_u64(root, "cases_not_known", total.by[BASIS_UNKNOWN]);
    json_add_double(root, "budget_s", isfinite(o->budget_s) ? o->budget_s : o->suite->budget_s);
    cJSON *list = cJSON_AddArrayToObject(root, "cases");
    for (size_t i = 0; i < plan->count; i++)
        cJSON_AddItemToArray(list, case_json(plan, &plan->cases[i], &estimates[i]));
    char *text = json_print_line(root);
    puts(text);
    free(text);
    cJSON_Delete(root);
}

// --- the dry run -----------------------------------------------------------------------------------------------------

// How many attribution samples there are depends on what works here.
static int count_attribution(struct plan *plan, struct passes *passes, struct error *err) {
    const struct collect_options collect = {
        .platform = cJSON_GetObjectItemCaseSensitive(plan->options->header, "platform"),
    };
    struct collector_set *set = collector_set_open(plan->options->collectors, &collect, err);
    if (!set)
        return -1;
    plan_attribution(plan, collector_set_passes(set));
    for (; passes->count < MOST_PASSES && passes->count < collector_set_passes(set); passes->count++)
        passes->least_cpu_s[passes->count] = collector_set_pass_cpu_s(set, passes->count);
    collector_set_close(set);
    return 0;
}

int run_plan(const struct run_options *options, bool json, struct error *err) {
    struct plan plan;
    struct passes passes = {0};
    struct estimate *estimates = NULL;
    int result = plan_make(options, &plan, err) || count_attribution(&plan, &passes, err) ? -1 : 0;
    if (!result) {
        estimates = mem_alloc((plan.count + 1) * sizeof *estimates);
        result = read_journal(&plan, estimates, err);
    }
    for (size_t i = 0; !result && i < plan.count; i++)
        conclude(&plan.cases[i], &passes, &estimates[i]);
    if (!result && json)
        print_json(&plan, estimates);
    else if (!result)
        print_text(&plan, estimates);
    for (size_t i = 0; estimates && i < plan.count; i++)
        free(estimates[i].seen);
    free(estimates);
    plan_free(&plan);
    return result;
}
