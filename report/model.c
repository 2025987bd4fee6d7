// SPDX-License-Identifier: Apache-2.0
// Builds the report's model from journals; see the header. May include: core, report (not the renderers).
#include "report/model.h"

#include "core/memory.h"
#include "core/str.h"
#include "report/unit_costs.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
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
// The false discovery rate that a list of findings is held to.
static const double DISCOVERY_RATE = 0.05;

// --- words and numbers -----------------------------------------------------------------------------------------------

static void strings_add(struct strings *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void strings_add(struct strings *list, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ARRAY_PUSH(list->items, list->count, list->capacity, mem_strdup(text));
}

static void strings_free(struct strings *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
}

void model_number(double value, double uncertainty, char *out, size_t size) {
    if (!isfinite(value)) {
        snprintf(out, size, "not known");
        return;
    }
    double scale = isfinite(uncertainty) && uncertainty > 0 ? uncertainty : fabs(value) / 10;
    int decimals = scale >= 10 ? 0 : scale >= 0.1 || !(scale > 0) ? 1 : scale >= 0.01 ? 2 : scale >= 0.001 ? 3 : 4;
    snprintf(out, size, "%.*f", decimals, value);
    if (strspn(out, "-0.") == strlen(out)) // no "-0.0"
        snprintf(out, size, "%.*f", decimals, 0.0);
}

void model_range(struct stats_interval ci, char *out, size_t size) {
    double half = 0.5 * (ci.high - ci.low);
    char low[32];
    char high[32];
    out[0] = '\0';
    if (!isfinite(half))
        return;
    model_number(ci.low, half, low, sizeof low);
    model_number(ci.high, half, high, sizeof high);
    snprintf(out, size, "%s to %s", low, high);
}

void model_percent(double pct, struct stats_interval ci, char *out, size_t size) {
    char value[32];
    char range[72];
    model_number(pct, 0.5 * (ci.high - ci.low), value, sizeof value);
    model_range(ci, range, sizeof range);
    if (*range)
        snprintf(out, size, "%s %% (%s %%)", value, range);
    else
        snprintf(out, size, isfinite(pct) ? "%s %% (no interval)" : "%s", value);
}

const char *model_scope_word(enum obs_scope scope) {
    static const char *const WORDS[SCOPE_COUNT] = {
        [SCOPE_CPU] = "", [SCOPE_BLOCKED] = " (waiting)", [SCOPE_LATENCY] = " (latency)"};
    return WORDS[scope];
}

static double to_pct(double log_shift) {
    return 100 * expm1(log_shift);
}

// --- outliers
// ----------------------------------------------------------------------------------------------------------

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

// --- warnings of one case
// ----------------------------------------------------------------------------------------------

static void warn_invalid(struct model_case *c, const struct side *side) {
    for (size_t r = 0; r < side->count; r++) {
        const struct dataset_case *d = side->run[r].c;
        if (d->invalid)
            strings_add(&c->warnings, "%s: %zu sample%s not valid and left out (%s)", side->run[r].set->name,
                        d->invalid, d->invalid == 1 ? " is" : "s are", d->invalid_why ? d->invalid_why : "");
    }
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
    if (foreign * 4 > total)
        strings_add(&c->warnings,
                    "%s: other programs used more than %.0f %% of the CPUs during %zu of %zu samples; repeat it on a "
                    "quiet machine",
                    label, 100 * FOREIGN_SHARE, foreign, total);
}

static void warn_modes(struct model_case *c, const char *label, const struct series_check *check, bool paired) {
    if (check->bimodal && !paired)
        strings_add(&c->warnings,
                    "%s: the samples stand on two levels, %.1f %% apart, %.0f %% of them on the slower; look for what "
                    "changes between samples (memory placement, frequency, a neighbour)",
                    label, to_pct(check->mode_high - check->mode_low), 100 * check->mode_high_share);
}

static void warn_shift(struct model_case *c, const char *subject, const char *baseline) {
    const struct stats_shift *shift = &c->cmp.shift;
    if (shift->drift_allowance > 0 && !shift->drifts)
        strings_add(
            &c->warnings,
            "too few samples to rule out a drift (trend of %s %.1f %%, of %s %.1f %%): the interval allows for it, "
            "%.1f %% at each end; take more samples or run both sides in turn (run --ab)",
            subject, to_pct(shift->subject.drift), baseline, to_pct(shift->baseline.drift),
            to_pct(shift->drift_allowance));
    if (shift->drift_allowance > 0 && shift->drifts)
        strings_add(&c->warnings,
                    "the level drifts while it is measured (%s by %.1f %%, %s by %.1f %%): the interval is widened by "
                    "%.1f %% at each end; run both sides in turn (run --ab) or warm up longer",
                    subject, to_pct(shift->subject.drift), baseline, to_pct(shift->baseline.drift),
                    to_pct(shift->drift_allowance));
    double count =
        (double)(shift->subject_count < shift->baseline_count ? shift->subject_count : shift->baseline_count);
    if (shift->method != STATS_UNITS && shift->effective > 0 && count / shift->effective > TOLD_CORRELATION_TIME)
        strings_add(&c->warnings,
                    "neighbouring samples resemble each other (autocorrelation %.2f): %.0f count for %.1f independent "
                    "ones, and the interval is wider for it",
                    shift->autocorrelation, count, shift->effective);
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

static void warn_case(struct model_case *c, const struct model *model) {
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

// --- one case
// ----------------------------------------------------------------------------------------------------------

// Runs whose case is another measurement or has other parameters are told; the former are left out. Two commands that
// took turns are meant to be different work.
static void check_sameness(struct model_case *c, struct side *side, const struct dataset_case *reference) {
    bool meant_to_differ = sides_interleaved(&c->subject, &c->baseline);
    size_t kept = 0;
    for (size_t r = 0; r < side->count; r++) {
        const struct dataset_case *d = side->run[r].c;
        if (!dataset_same_measure(reference, d)) {
            strings_add(&c->warnings, "%s measures another thing under this name (unit or direction differ): left out",
                        side->run[r].set->name);
            continue;
        }
        if (!meant_to_differ && reference->params && d->params && !cJSON_Compare(reference->params, d->params, 1))
            strings_add(&c->warnings, "the parameters differ between %s and %s: not the same work",
                        c->subject.run[0].set->name, side->run[r].set->name);
        side->run[kept++] = side->run[r];
    }
    side->count = kept;
}

static const char *units_word(const struct stats_shift *shift, bool paired) {
    if (paired)
        return "pairs";
    if (shift->method == STATS_UNITS)
        return shift->units_are_machines ? "machines a side" : "runs a side";
    return "samples a side";
}

static void refusal_words(const struct model_case *c, char *out, size_t size) {
    const struct stats_shift *shift = &c->cmp.shift;
    if (c->cmp.paired)
        snprintf(out, size, "%zu pairs are too few for a 95 %% interval (6 are needed)", c->cmp.pairs);
    else
        snprintf(out, size, "%zu against %zu samples are too few for a 95 %% interval (4 a side are needed)",
                 shift->subject_count, shift->baseline_count);
}

static void needed_words(const struct model_case *c, char *out, size_t size) {
    if (c->samples_needed > 0)
        snprintf(out, size, "about %.0f more %s would decide", c->samples_needed,
                 units_word(&c->cmp.shift, c->cmp.paired));
    else if (c->cmp.shift.drift_allowance > 0)
        snprintf(out, size, "more samples would not help, as the level drifts");
    else
        snprintf(out, size, "how many samples would decide is not known");
}

// "; of the 1.2 % by which the means differ, 0.4 is exit.timer, 0.2 exit.ipi and 0.6 unexplained": what the ledger
// says.
static char *ledger_words(const struct model_case *c) {
    enum { PARTS = 3 };
    const struct ledger *ledger = &c->ledger;
    struct str text = {0};
    char number[32];
    size_t parts = 0;
    for (size_t i = 0; i < ledger->count && parts < PARTS; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        if (!line->summed || !(line->pct > 0))
            continue;
        double half = 0.5 * (line->ci.high - line->ci.low);
        model_number(line->pct, fmax(half, 0.1 * line->pct), number, sizeof number); // two digits do in a sentence
        str_printf(&text, "%s%s %s%s", parts++ ? ", " : "", number, cause_info(line->cause)->id,
                   model_scope_word(line->scope));
    }
    if (parts == 0)
        return mem_strdup("");
    char mean[32];
    double half = 0.5 * (ledger->unexplained_ci.high - ledger->unexplained_ci.low);
    model_number(c->cmp.mean_pct.mean, half, mean, sizeof mean);
    model_number(ledger->unexplained.mean, half, number, sizeof number);
    char *words =
        mem_printf("; of the %s %% by which the means differ, %s and %s unexplained", mean, text.text, number);
    str_free(&text);
    return words;
}

static char *comparison_sentence(const struct model_case *c, const struct model *model) {
    char range[120];
    char more[200];
    model_percent(fabs(c->pct), c->pct < 0 ? (struct stats_interval){-c->ci.high, -c->ci.low} : c->ci, range,
                  sizeof range);
    const char *direction = c->pct < 0 ? "faster" : "slower";
    if (c->verdict == STATS_SLOWER) {
        char *parts = ledger_words(c);
        char *sentence = mem_printf("%s is %s slower on %s than on %s%s", c->name, range, model->subject_label,
                                    model->baseline_label, parts);
        free(parts);
        return sentence;
    }
    if (c->verdict == STATS_NOT_SLOWER && c->ci.high < 0)
        return mem_printf("%s is %s faster on %s than on %s", c->name, range, model->subject_label,
                          model->baseline_label);
    if (c->verdict == STATS_NOT_SLOWER)
        return mem_printf("%s is not slower by %g %% or more on %s than on %s: %s %s", c->name, model->limit_pct,
                          model->subject_label, model->baseline_label, range, direction);
    needed_words(c, more, sizeof more);
    if (c->cmp.shift.refusal != STATS_IDENTIFIED) {
        char why[200];
        refusal_words(c, why, sizeof why);
        return mem_printf("Whether %s is slower cannot be told: %s; %s", c->name, why, more);
    }
    return mem_printf("Whether %s is slower cannot be told: %s %s; differences below %.2g %% are not resolved; %s",
                      c->name, range, direction, c->mde_pct, more);
}

static char *single_sentence(const struct model_case *c, const struct model *model) {
    char amount[120];
    if (c->cmp.subject.count == 0)
        return mem_printf("%s has no valid timing sample on %s", c->name, model->subject_label);
    bool any = false;
    for (size_t i = 0; i < c->ledger.count; i++)
        any |= c->ledger.lines[i].summed && cause_family_is_direct(cause_info(c->ledger.lines[i].cause)->family);
    if (!any)
        return mem_printf("%s ran on %s; what the hypervisor took of its time was not measured", c->name,
                          model->subject_label);
    model_percent(c->ledger.direct.mean, c->ledger.direct_ci, amount, sizeof amount);
    return mem_printf("%s: %s of its CPU time was seen to go to the hypervisor on %s", c->name, amount,
                      model->subject_label);
}

static void add_case(struct model *model, const char *name, const struct dataset_case *reference) {
    struct model_case c = {.name = name,
                           .fom_name = reference->fom_name,
                           .unit = reference->unit ? reference->unit : "",
                           .better = reference->better,
                           .subject = side_collect(model->subjects, model->subject_count, name),
                           .baseline = side_collect(model->baselines, model->baseline_count, name),
                           .pct = NAN,
                           .ci = {NAN, NAN},
                           .mde_pct = NAN,
                           .samples_needed = NAN,
                           .q = NAN};
    check_sameness(&c, &c.subject, reference);
    check_sameness(&c, &c.baseline, reference);
    if (model->baseline_count && c.baseline.count == 0)
        strings_add(&c.warnings, "%s does not have this case: nothing to compare with", model->baseline_label);
    c.cmp = compare_sides(&c.subject, &c.baseline);
    c.noise_floor_pct = to_pct(c.cmp.noise_floor);
    for (size_t r = 0; r < c.subject.count; r++)
        c.subject_attribution += c.subject.run[r].c->mode[MODE_ATTRIBUTION].count;
    if (c.cmp.has_baseline) {
        double limit = log1p(model->limit_pct / 100);
        c.verdict = stats_verdict(&c.cmp.shift, limit);
        c.pct = to_pct(c.cmp.shift.estimate);
        c.ci = (struct stats_interval){to_pct(c.cmp.shift.ci.low), to_pct(c.cmp.shift.ci.high)};
        c.mde_pct = to_pct(c.cmp.shift.mde);
        c.samples_needed = stats_samples_needed(&c.cmp.shift, limit);
    }
    for (int kind = 0; kind < PLACE_KIND_COUNT && c.subject.count == 1; kind++) {
        char *sentence = places_sentence(&c.subject.run[0].c->places, (enum place_kind)kind);
        if (sentence)
            strings_add(&c.places, "%s", sentence);
        free(sentence);
    }
    for (int cause = 0; cause < CAUSE_COUNT && c.subject.count == 1; cause++) {
        char *sentence = sites_sentence(&c.subject.run[0].c->sites, (enum cause)cause);
        if (sentence)
            strings_add(&c.places, "%s", sentence);
        free(sentence);
    }
    c.ledger = ledger_make(&c.subject, &c.baseline, &c.cmp);
    warn_case(&c, model);
    c.sentence = c.cmp.has_baseline ? comparison_sentence(&c, model) : single_sentence(&c, model);
    names_add(&model->names, name);
    ARRAY_PUSH(model->cases, model->case_count, model->case_capacity, c);
}

static void add_cases(struct model *model) {
    for (size_t s = 0; s < model->subject_count; s++)
        for (size_t i = 0; i < model->subjects[s].case_count; i++)
            if (names_find(&model->names, model->subjects[s].cases[i].name) == NAMES_NONE)
                add_case(model, model->subjects[s].cases[i].name, &model->subjects[s].cases[i]);
    struct str missing = {0};
    for (size_t s = 0; s < model->baseline_count; s++)
        for (size_t i = 0; i < model->baselines[s].case_count; i++)
            if (names_find(&model->names, model->baselines[s].cases[i].name) == NAMES_NONE)
                str_printf(&missing, "%s%s", missing.length ? ", " : "", model->baselines[s].cases[i].name);
    if (missing.length)
        strings_add(&model->warnings, "in the baseline only, and left out: %s", missing.text);
    str_free(&missing);
}

// Among many cases some look slower by chance: tell which findings do not survive the correction.
static void correct_for_many(struct model *model) {
    double *p = mem_alloc((model->case_count + 1) * sizeof *p);
    double *q = mem_alloc((model->case_count + 1) * sizeof *q);
    for (size_t i = 0; i < model->case_count; i++)
        p[i] = model->cases[i].cmp.has_baseline ? model->cases[i].cmp.shift.p : NAN;
    stats_false_discovery(p, model->case_count, q);
    for (size_t i = 0; i < model->case_count; i++) {
        struct model_case *c = &model->cases[i];
        c->q = q[i];
        if (c->verdict == STATS_SLOWER && c->cmp.has_baseline && q[i] > DISCOVERY_RATE)
            strings_add(
                &c->warnings,
                "among %zu cases compared at once, a finding like this one is expected by chance (false discovery "
                "rate %.0f %%)",
                model->case_count, 100 * q[i]);
    }
    free(p);
    free(q);
}

// --- the whole report
// ----------------------------------------------------------------------------------------------------

static void warn_journal(struct model *model, const struct dataset *set) {
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
    for (size_t i = 0; i < set->note_count; i++)
        if (set->notes[i].warn)
            strings_add(&model->warnings, "%s: %s", set->name, set->notes[i].text);
}

// "" where the journal does not tell, or is of a command, which has no suite file.
static const char *suite_hash(const struct dataset *set) {
    const cJSON *suite = cJSON_GetObjectItemCaseSensitive(set->header, "suite");
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(suite, "name");
    const cJSON *hash = cJSON_GetObjectItemCaseSensitive(suite, "sha256");
    bool file = cJSON_IsString(hash) && !(cJSON_IsString(name) && strcmp(name->valuestring, "command") == 0);
    return file ? hash->valuestring : "";
}

static void warn_sides(struct model *model) {
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

static void add_count(struct str *text, size_t count, const char *what) {
    if (count == 0)
        str_printf(text, "none is shown to be %s", what);
    else
        str_printf(text, "%zu %s %s", count, count == 1 ? "is" : "are", what);
}

static char *overall_sentence(const struct model *model) {
    if (model->case_count == 0)
        return mem_printf("There is no case in what ran on %s.", model->subject_label);
    if (model->case_count == 1)
        return mem_printf("%s.", model->cases[0].sentence);
    size_t count[3] = {0};
    const struct model_case *worst = NULL;
    size_t compared = 0;
    for (size_t i = 0; i < model->case_count; i++) {
        const struct model_case *c = &model->cases[i];
        if (!c->cmp.has_baseline)
            continue;
        compared++;
        count[c->verdict]++;
        if (c->verdict == STATS_SLOWER && (!worst || c->pct > worst->pct))
            worst = c;
    }
    if (compared == 0) {
        const struct model_case *most = NULL;
        for (size_t i = 0; i < model->case_count; i++)
            if (model->cases[i].ledger.direct.mean > (most ? most->ledger.direct.mean : 0))
                most = &model->cases[i];
        if (!most)
            return mem_printf("%zu cases ran on %s; no cost of a hypervisor was measured.", model->case_count,
                              model->subject_label);
        char amount[120];
        model_percent(most->ledger.direct.mean, most->ledger.direct_ci, amount, sizeof amount);
        return mem_printf("%zu cases ran on %s; most was seen to go to the hypervisor in %s: %s of its CPU time.",
                          model->case_count, model->subject_label, most->name, amount);
    }
    struct str text = {0};
    if (count[STATS_CANNOT_TELL] == compared) {
        str_printf(&text, "Whether any of %zu cases is slower on %s than on %s cannot be told.", compared,
                   model->subject_label, model->baseline_label);
        return text.text;
    }
    str_printf(&text, "Of %zu cases, ", compared);
    add_count(&text, count[STATS_SLOWER], "slower on");
    str_printf(&text, " %s than on %s", model->subject_label, model->baseline_label);
    if (worst) {
        char amount[120];
        model_percent(worst->pct, worst->ci, amount, sizeof amount);
        str_printf(&text, ", the most %s by %s", worst->name, amount);
    }
    if (count[STATS_NOT_SLOWER]) {
        str_add(&text, "; ");
        add_count(&text, count[STATS_NOT_SLOWER], "not slower by");
        str_printf(&text, " %g %% or more", model->limit_pct);
    }
    if (count[STATS_CANNOT_TELL])
        str_printf(&text, "; %zu cannot be told", count[STATS_CANNOT_TELL]);
    str_add(&text, ".");
    return text.text;
}

static size_t hosts_of(const struct dataset *sets, size_t count) {
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < i && strcmp(sets[j].host, sets[i].host) != 0)
            j++;
        distinct += j == i;
    }
    return distinct;
}

static char *scope_sentence(const struct model *model) {
    if (!model->baseline_count)
        return mem_printf(
            "There is no baseline, so this is a direct-cost estimate: time that was seen to go to the "
            "hypervisor, in percent of the job's CPU time. Costs that no source sees (caches and page walks "
            "disturbed by exits, nested paging, frequency) are not in it; only a run on bare metal "
            "(--baseline) shows them.");
    size_t subjects = hosts_of(model->subjects, model->subject_count);
    size_t baselines = hosts_of(model->baselines, model->baseline_count);
    bool same_host = *model->subjects[0].host && strcmp(model->subjects[0].host, model->baselines[0].host) == 0;
    if (subjects == 1 && baselines == 1 && same_host)
        return mem_printf("Both sides ran on one machine: the finding speaks for this machine only.");
    if (subjects == 1 && baselines == 1)
        return mem_printf(
            "The finding speaks for these two machines only: one machine a side says nothing about how "
            "machines of a type differ among each other.");
    return mem_printf("The finding rests on %zu machine%s against %zu.", subjects, subjects == 1 ? "" : "s", baselines);
}

static const char *file_of(const struct dataset *set) {
    const char *slash = strrchr(set->path, '/');
    return slash ? slash + 1 : set->path;
}

// Two runs of one machine carry one label: then their files tell them apart.
static void name_sides(struct model *model) {
    model->subject_label = model->subjects[0].name;
    if (!model->baseline_count)
        return;
    model->baseline_label = model->baselines[0].name;
    if (strcmp(model->subject_label, model->baseline_label) != 0)
        return;
    model->subject_label = file_of(&model->subjects[0]);
    model->baseline_label = file_of(&model->baselines[0]);
}

void model_make(struct model *model, const struct dataset *subjects, size_t subject_count,
                const struct dataset *baselines, size_t baseline_count, double limit_pct) {
    *model = (struct model){.limit_pct = limit_pct,
                            .subjects = subjects,
                            .subject_count = subject_count,
                            .baselines = baselines,
                            .baseline_count = baseline_count};
    name_sides(model);
    for (size_t i = 0; i < subject_count; i++)
        warn_journal(model, &subjects[i]);
    for (size_t i = 0; i < baseline_count; i++)
        warn_journal(model, &baselines[i]);
    warn_sides(model);
    add_cases(model);
    correct_for_many(model);
    if (subject_count && baseline_count)
        model->differences = differences_find(baselines[0].header, subjects[0].header);
    model->sentence = overall_sentence(model);
    model->scope = scope_sentence(model);
    for (size_t i = 0; i < subject_count; i++)
        if (subjects[i].joined) {
            char *scope = mem_printf("%s %s", model->scope, subjects[i].joined);
            free(model->scope);
            model->scope = scope;
        }
}

void model_free(struct model *model) {
    for (size_t i = 0; i < model->case_count; i++) {
        free(model->cases[i].subject.run);
        free(model->cases[i].baseline.run);
        ledger_free(&model->cases[i].ledger);
        free(model->cases[i].sentence);
        strings_free(&model->cases[i].warnings);
        strings_free(&model->cases[i].places);
    }
    names_free(&model->names);
    free(model->cases);
    differences_free(&model->differences);
    free(model->sentence);
    free(model->scope);
    strings_free(&model->warnings);
    *model = (struct model){0};
}
