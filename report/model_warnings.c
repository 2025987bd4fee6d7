// SPDX-License-Identifier: Apache-2.0
// What a reader has to mind; see the header. May include: core, report (not the renderers).
#include "report/model_warnings.h"

#include "core/memory.h"
#include "core/str.h"
#include "report/notes.h"
#include "report/unit_costs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// A sample is marked where others used more than this share of its CPUs ...
static const double FOREIGN_SHARE = 0.05;
// ... or the host took more than this share of its time.
static const double STEAL_SHARE = 0.005;
// A sample stands out beyond this many robust standard deviations (Iglewicz & Hoaglin 1993).
static const double OUTLIER_DEVIATIONS = 3.5;
// Autocorrelation is worth a word when samples count for less than two thirds.
static const double TOLD_CORRELATION_TIME = 1.5;

// --- outliers --------------------------------------------------------------------------------------------------------

void model_spread(const struct side *side, double *centre, double *spread) {
    struct side_values values = side_values(side, MODE_TIMING, SIDE_LOG_COST);
    stats_sort(values.store, values.count);
    *centre = stats_quantile_sorted(values.store, values.count, 0.5);
    for (size_t i = 0; i < values.count; i++)
        values.store[i] = fabs(values.store[i] - *centre);
    stats_sort(values.store, values.count);
    *spread = 1.4826 * stats_quantile_sorted(values.store, values.count, 0.5);
    side_values_free(&values);
}

static bool steal_marks(const struct point *p) {
    return p->wall_s > 0 && p->steal_s > STEAL_SHARE * p->wall_s;
}

static bool neighbours_mark(const struct point *p) {
    return p->foreign > FOREIGN_SHARE;
}

const char *model_outlier(const struct point *point, double centre, double spread) {
    if (!point_counts(point) || !(log(point->cost) - centre > OUTLIER_DEVIATIONS * spread) || !(spread > 0))
        return NULL;
    if (steal_marks(point))
        return "steal";
    return neighbours_mark(point) ? "other programs on its CPUs" : "no cause known";
}

// --- warnings of one case --------------------------------------------------------------------------------------------

static void warn_invalid(struct model_case *c, const struct side *side) {
    for (size_t r = 0; r < side->count; r++) {
        const struct dataset_case *d = side->run[r].c;
        if (d->invalid)
            strings_add(&c->warnings, "%s: %zu sample%s not valid and left out (%s)", side->run[r].set->name,
                        d->invalid, d->invalid == 1 ? " is" : "s are", d->invalid_why ? d->invalid_why : "");
    }
}

// " (2, 3)": which samples of a run had neighbours. Empty for several runs, for all samples, and for a long list.
static void name_neighbours(const struct side *side, size_t foreign, size_t total, struct str *out) {
    enum { MANY = 8 };
    if (side->count != 1 || foreign == total || foreign > MANY)
        return;
    const struct series *series = &side->run[0].c->mode[MODE_TIMING];
    for (size_t i = 0; i < series->count; i++) {
        const struct point *p = &series->point[i];
        if (point_counts(p) && neighbours_mark(p))
            str_printf(out, "%s%llu", out->length ? ", " : " (", (unsigned long long)p->seq);
    }
    str_add(out, ")");
}

static void warn_neighbours(struct model_case *c, const struct side *side, size_t foreign, size_t total) {
    struct str numbers = {0};
    if (foreign * 4 <= total)
        return;
    name_neighbours(side, foreign, total, &numbers);
    strings_add(
        &c->warnings,
        "%s: other programs used more than %.0f %% of the CPUs during %zu of %zu samples%s; repeat it on a quiet "
        "machine",
        side->run[0].set->name, 100 * FOREIGN_SHARE, foreign, total, str_text(&numbers));
    str_free(&numbers);
}

static void warn_outliers(struct model_case *c, const struct side *side) {
    double centre = 0;
    double spread = 0;
    size_t outliers = 0;
    size_t steal = 0;
    size_t neighbours = 0;
    size_t foreign = 0;
    size_t total = 0;
    model_spread(side, &centre, &spread);
    for (size_t r = 0; r < side->count; r++) {
        const struct series *series = &side->run[r].c->mode[MODE_TIMING];
        for (size_t i = 0; i < series->count; i++) {
            const struct point *p = &series->point[i];
            if (!point_counts(p))
                continue;
            total++;
            foreign += neighbours_mark(p);
            if (!model_outlier(p, centre, spread))
                continue;
            outliers++;
            steal += steal_marks(p);
            neighbours += !steal_marks(p) && neighbours_mark(p);
        }
    }
    if (side->count == 0)
        return;
    const char *label = side->run[0].set->name;
    if (outliers) {
        struct str known = {0};
        if (steal)
            str_printf(&known, ", %zu with steal", steal);
        if (neighbours)
            str_printf(&known, ", %zu with other programs on their CPUs", neighbours);
        strings_add(&c->warnings, "%s: %zu of %zu samples stand out as slow%s%s; none is dropped", label, outliers,
                    total, str_text(&known), *str_text(&known) ? "" : ", no cause known");
        str_free(&known);
    }
    warn_neighbours(c, side, foreign, total);
}

static void warn_modes(struct model_case *c, const char *label, const struct series_check *check, bool paired) {
    if (check->bimodal && !paired)
        strings_add(&c->warnings,
                    "%s: the samples stand on two levels, %.1f %% apart, %.0f %% of them on the slower; look for what "
                    "changes between samples (memory placement, frequency, a neighbour)",
                    label, model_pct(check->mode_high - check->mode_low), 100 * check->mode_high_share);
}

// What the samples show, or what so few of them cannot rule out.
static void warn_dependence(struct model_case *c) {
    const struct stats_shift *shift = &c->cmp.shift;
    double count = fmin((double)shift->subject_count, (double)shift->baseline_count);
    if (shift->method == STATS_UNITS || !(shift->effective > 0) || count / shift->effective <= TOLD_CORRELATION_TIME)
        return;
    if (series_time_from_autocorrelation(shift->autocorrelation) > TOLD_CORRELATION_TIME)
        strings_add(&c->warnings,
                    "neighbouring samples resemble each other (autocorrelation %.2f): %.0f count for %.1f independent "
                    "ones, and the interval is wider for it",
                    shift->autocorrelation, count, shift->effective);
    else
        strings_add(&c->warnings,
                    "too few samples to rule out that neighbouring ones resemble each other: %.0f count for %.1f "
                    "independent ones, and the interval is wider for it",
                    count, shift->effective);
}

static void warn_shift(struct model_case *c, const char *subject, const char *baseline) {
    const struct stats_shift *shift = &c->cmp.shift;
    if (shift->drift_allowance > 0 && !shift->drifts)
        strings_add(
            &c->warnings,
            "too few samples to rule out a drift (trend of %s %.1f %%, of %s %.1f %%) or a level that wanders: "
            "the interval allows for it, %.1f %% at each end; take more samples or run both sides in turn (run --ab)",
            subject, model_pct(shift->subject.drift), baseline, model_pct(shift->baseline.drift),
            model_pct(shift->drift_allowance));
    if (shift->drift_allowance > 0 && shift->drifts)
        strings_add(&c->warnings,
                    "the level drifts while it is measured (%s by %.1f %%, %s by %.1f %%): the interval is widened by "
                    "%.1f %% at each end; run both sides in turn (run --ab) or warm up longer",
                    subject, model_pct(shift->subject.drift), baseline, model_pct(shift->baseline.drift),
                    model_pct(shift->drift_allowance));
    warn_dependence(c);
    if (shift->method == STATS_STEPS)
        strings_add(&c->warnings,
                    "few samples, so the comparison rests on the steps inside them, in batches whose autocorrelation "
                    "(%.2f) is paid for; what the program does before and after its steps is not in it",
                    shift->autocorrelation);
    warn_modes(c, subject, &shift->subject, c->cmp.paired);
    warn_modes(c, baseline, &shift->baseline, c->cmp.paired);
    if (shift->method == STATS_UNITS && (shift->subject_units == 1 || shift->baseline_units == 1))
        strings_add(
            &c->warnings,
            "only one side has several %s; how much the other side's would differ among each other is not known",
            shift->units_are_machines ? "machines" : "runs");
}

static void warn_ledger(struct model_case *c) {
    if (c->ledger.exceeds && !c->cmp.has_baseline)
        strings_add(&c->warnings,
                    "THE PARTS EXCEED THE WHOLE: the causes add up to %.0f %% of the time that there was. Something is "
                    "counted twice or calibrated wrong; this is not a finding",
                    c->ledger.explained.mean);
    if (c->ledger.exceeds && c->cmp.has_baseline)
        strings_add(
            &c->warnings,
            "THE PARTS EXCEED THE WHOLE: the causes add up to %.2f %%, the difference is %.2f %%, more than the "
            "intervals allow. Something is counted twice or calibrated wrong; this is not a finding",
            c->ledger.explained.mean, c->cmp.mean_pct.mean);
    struct str lone = {0};
    for (size_t i = 0; i < c->ledger.count; i++)
        if (c->ledger.lines[i].one_sided)
            str_printf(&lone, "%s%s", lone.length ? ", " : "", cause_info(c->ledger.lines[i].cause)->id);
    if (lone.length)
        strings_add(&c->warnings, "the baseline did not measure %s, which bare metal has, too: it is not in the sum",
                    lone.text);
    str_free(&lone);
    if (c->ledger.active_cpus_unknown)
        strings_add(&c->warnings, "neither CPU time nor `cpus` is told: the ledger takes one active CPU");
}

void model_warn_case(struct model_case *c, const struct model *model) {
    warn_invalid(c, &c->subject);
    warn_invalid(c, &c->baseline);
    if (c->cmp.uncomparable)
        strings_add(&c->warnings, "%zu valid sample%s without a positive figure of merit and cannot be compared",
                    c->cmp.uncomparable, c->cmp.uncomparable == 1 ? " is" : "s are");
    if (c->subject.count && c->cmp.subject.count == 0)
        strings_add(&c->warnings, "%s: no valid timing sample", c->subject.run[0].set->name);
    warn_outliers(c, &c->subject);
    warn_outliers(c, &c->baseline);
    if (c->cmp.has_baseline)
        warn_shift(c, model->subject_label, model->baseline_label);
    warn_ledger(c);
}

// --- journals and sides ----------------------------------------------------------------------------------------------

void model_warn_journal(struct model *model, const struct dataset *set) {
    if (set->truncated)
        strings_add(&model->warnings, "%s: the last line is cut off and was dropped; `run --resume` completes the run",
                    set->path);
    else if (!set->complete)
        strings_add(&model->warnings, "%s: the run did not end by itself; `run --resume` completes it", set->path);
    if (set->unknown)
        strings_add(&model->warnings, "%s: %zu lines or causes are of a newer version and were passed over", set->path,
                    set->unknown);
    for (int trap = 0; trap < TRAP_COUNT; trap++) {
        char *doubt = unit_cost_doubt(set, (enum trap)trap);
        if (doubt)
            strings_add(&model->warnings, "%s: %s", set->name, doubt);
        free(doubt);
    }
}

void model_warn_notes(struct model *model, const struct dataset *set) {
    for (size_t i = 0; i < set->note_count; i++)
        if (set->notes[i].warn)
            strings_add(&model->warnings, "%s: %s", set->name, set->notes[i].text);
    notes_say(set, true, &model->mind);
}

// "" where the journal does not tell, or is of a command, which has no suite file.
static const char *suite_hash(const struct dataset *set) {
    const cJSON *suite = cJSON_GetObjectItemCaseSensitive(set->header, "suite");
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(suite, "name");
    const cJSON *hash = cJSON_GetObjectItemCaseSensitive(suite, "sha256");
    bool file = cJSON_IsString(hash) && !(cJSON_IsString(name) && strcmp(name->valuestring, "command") == 0);
    return file ? hash->valuestring : "";
}

void model_warn_sides(struct model *model) {
    if (!model->baseline_count || !model->subject_count)
        return;
    const struct dataset *b = &model->baselines[0];
    const struct dataset *s = &model->subjects[0];
    if (*b->role && strcmp(b->role, "metal") != 0)
        strings_add(
            &model->warnings,
            "the baseline %s has the role \"%s\": this is a difference between two subjects, not a gap to bare metal",
            b->name, b->role);
    if (*suite_hash(b) && *suite_hash(s) && strcmp(suite_hash(b), suite_hash(s)) != 0)
        strings_add(&model->warnings,
                    "the two sides ran different suite files; cases of one name are compared all the same");
}
