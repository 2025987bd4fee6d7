// SPDX-License-Identifier: Apache-2.0
// The report as text that fits 80 columns, its sentences fewer; colours only where asked. May include: core, report.
#include "report/escape.h"
#include "report/history.h"
#include "report/model_shared.h"
#include "report/render.h"
#include "report/text.h"

#include "core/memory.h"
#include "core/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *verdict_style(enum stats_verdict verdict) {
    static const char *const STYLES[] = {
        [STATS_CANNOT_TELL] = "\033[33m", [STATS_SLOWER] = "\033[31m", [STATS_NOT_SLOWER] = "\033[32m"};
    return STYLES[verdict];
}

static void comparison_row(const struct text_page *page, const struct model_case *c) {
    char overhead[120] = "-";
    char value[32];
    char range[72];
    model_number(c->pct, text_half_width(c->ci), value, sizeof value);
    model_range(c->ci, range, sizeof range);
    if (*range)
        snprintf(overhead, sizeof overhead, "%s (%s)", value, range);
    else if (c->cmp.has_baseline)
        snprintf(overhead, sizeof overhead, "%s (?)", value);
    text_name_cell(page, c->name, 18);
    text_number_cell(page, c->cmp.baseline.median, stats_summary_uncertainty(&c->cmp.baseline), -9);
    text_number_cell(page, c->cmp.subject.median, stats_summary_uncertainty(&c->cmp.subject), -9);
    fputc(' ', page->out);
    text_cell(page, c->unit, 7);
    text_cell(page, overhead, -22);
    fputs("  ", page->out);
    if (c->cmp.has_baseline)
        text_styled(page, verdict_style(c->verdict), stats_verdict_name(c->verdict));
    else
        text_styled(page, TEXT_DIM, "no baseline");
    fputc('\n', page->out);
}

static void comparison_table(const struct text_page *page, const struct model *model) {
    text_styled(page, TEXT_BOLD, "CASE               BASELINE  SUBJECT UNIT    OVERHEAD % (95 %)       VERDICT");
    fputc('\n', page->out);
    for (size_t i = 0; i < model->case_count; i++)
        comparison_row(page, &model->cases[i]);
}

static void single_row(const struct text_page *page, const struct model_case *c) {
    char ci[72];
    double half = stats_summary_uncertainty(&c->cmp.subject);
    model_range(c->cmp.subject.median_ci, ci, sizeof ci);
    char n[24];
    snprintf(n, sizeof n, "%zu", c->cmp.subject.count);
    text_name_cell(page, c->name, 20);
    text_number_cell(page, c->cmp.subject.median, half, -10);
    fputc(' ', page->out);
    text_cell(page, c->unit, 8);
    text_cell(page, *ci ? ci : "-", -20);
    text_cell(page, n, -5);
    text_number_cell(page, c->cmp.subject.cv_pct, NAN, -7);
    text_number_cell(page, c->noise_floor_pct, NAN, -8);
    fputc('\n', page->out);
}

static void single_table(const struct text_page *page, const struct model *model) {
    text_styled(page, TEXT_BOLD, "CASE                    MEDIAN UNIT           95 % INTERVAL    N   CV %  NOISE %");
    fputc('\n', page->out);
    for (size_t i = 0; i < model->case_count; i++)
        single_row(page, &model->cases[i]);
    text_styled(page, TEXT_DIM, "NOISE %: two such sets of samples differ by up to this though nothing differs.\n");
}

static void ledgers(const struct text_page *page, const struct model *model) {
    for (size_t i = 0; i < model->case_count; i++) {
        if (model->cases[i].ledger.count == 0 || model_repeats_ledger(model, i))
            continue;
        char *repeating = model_repeating_sentence(model, i);
        text_ledger(page, &model->cases[i]);
        if (repeating)
            text_paragraph(page, "  ", "  ", repeating);
        free(repeating);
    }
    if (model->baseline_count)
        text_styled(page, TEXT_DIM, "\nTail: what rare slow samples add to the mean, not to the robust overhead.\n");
}

static void unmeasured(const struct text_page *page, const struct dataset *set, bool *titled) {
    const cJSON *collector;
    cJSON_ArrayForEach(collector, cJSON_GetObjectItemCaseSensitive(set->header, "collectors")) {
        if (strcmp(json_text(collector, "state"), "active") == 0)
            continue;
        if (!*titled) {
            fputc('\n', page->out);
            text_styled(page, TEXT_BOLD, "Not or not fully measured\n");
        }
        *titled = true;
        char *text = mem_printf("%s on %s: %s (%s)%s%s", json_text(collector, "name"), set->name,
                                json_text(collector, "reason"), json_text(collector, "state"),
                                *json_text(collector, "hint") ? ". To enable it: " : "", json_text(collector, "hint"));
        text_paragraph(page, "  ", "    ", text);
        free(text);
    }
}

static void said(const struct text_page *page, const struct said *said) {
    for (size_t i = 0; i < said->count; i++) {
        char *sentence = said_sentence(said, i);
        text_paragraph(page, "  - ", "    ", sentence);
        free(sentence);
    }
}

static void warnings(const struct text_page *page, const struct model *model) {
    if (model->mind.count + model->case_mind.count == 0)
        return;
    fputc('\n', page->out);
    text_styled(page, TEXT_YELLOW, "Mind\n");
    said(page, &model->mind);
    said(page, &model->case_mind);
}

static void sides(const struct text_page *page, const struct dataset *sets, size_t count, const char *word) {
    for (size_t i = 0; i < count; i++) {
        const cJSON *platform = cJSON_GetObjectItemCaseSensitive(sets[i].header, "platform");
        char *text = mem_printf("%s (%s%s%s) %s", sets[i].name, *sets[i].role ? sets[i].role : "role not told",
                                *json_text(platform, "hypervisor") ? ", hypervisor " : "",
                                json_text(platform, "hypervisor"), sets[i].path);
        text_paragraph(page, word, "            ", text);
        free(text);
    }
}

static void differences(const struct text_page *page, const struct model *model) {
    if (model->differences.count == 0)
        return;
    fputc('\n', page->out);
    text_styled(page, TEXT_BOLD, "What differs besides");
    fprintf(page->out, "\n  %-30s%-24s%-24s\n", "", "baseline", "subject");
    for (size_t i = 0; i < model->differences.count; i++) {
        fputs("  ", page->out);
        text_cell(page, model->differences.items[i].key, 29);
        fputc(' ', page->out);
        text_cell(page, model->differences.items[i].baseline, 23);
        fputc(' ', page->out);
        text_cell(page, model->differences.items[i].subject, 23);
        fputc('\n', page->out);
    }
}

// The first few of what else differs across a change.
static void change_differences(const struct text_page *page, const struct history_change *change) {
    enum { MOST = 5 };
    struct str text = {0};
    for (size_t i = 0; i < change->differs.count && i < MOST; i++) {
        const struct difference *d = &change->differs.items[i];
        str_printf(&text, "%s%.60s %.40s -> %.40s", i ? ", " : "what else changed then: ", d->key, d->baseline,
                   d->subject);
    }
    if (change->differs.count > MOST)
        str_printf(&text, " and %zu more", change->differs.count - MOST);
    if (text.length)
        text_paragraph(page, "      ", "      ", text.text);
    str_free(&text);
}

static void history(const struct text_page *page, const struct history *history) {
    fputc('\n', page->out);
    text_styled(page, TEXT_BOLD, "History\n");
    for (size_t i = 0; i < history->count; i++) {
        const struct history_case *c = &history->cases[i];
        if (history_unchanged(c))
            continue;
        text_paragraph(page, c->change_count ? "  ! " : "  - ", "    ", c->sentence);
        for (size_t k = 0; k < c->change_count; k++)
            change_differences(page, &c->changes[k]);
    }
    if (history->unchanged)
        text_paragraph(page, "  - ", "    ", history->unchanged);
    if (history->warning)
        text_paragraph(page, "  Mind: ", "    ", history->warning);
}

void render_text(const struct model *model, bool colour, FILE *out) {
    struct text_page page = {out, colour, model->columns ? model->columns : TEXT_COLUMNS};
    text_paragraph(&page, "", "", model->sentence);
    fputc('\n', out);
    text_paragraph(&page, "", "", model->scope);
    fputc('\n', out);
    sides(&page, model->baselines, model->baseline_count, "  baseline  ");
    sides(&page, model->subjects, model->subject_count, "  subject   ");
    fputc('\n', out);
    if (model->baseline_count)
        comparison_table(&page, model);
    else
        single_table(&page, model);
    if (model->history)
        history(&page, model->history);
    ledgers(&page, model);
    text_io(&page, model);
    warnings(&page, model);
    bool titled = false;
    for (size_t i = 0; i < model->subject_count; i++)
        unmeasured(&page, &model->subjects[i], &titled);
    for (size_t i = 0; i < model->baseline_count; i++)
        unmeasured(&page, &model->baselines[i], &titled);
    differences(&page, model);
}
