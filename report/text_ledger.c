// SPDX-License-Identifier: Apache-2.0
// A case's ledger in the text report. What can't be seen at a glance is told in sentences. May include: core, report.
#include "report/escape.h"
#include "report/text.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SMALL_PCT = 0.05; // less than this is no row of the ledger's table

static void line_row(const struct text_page *page, const char *name, double pct, struct stats_interval ci, double count,
                     const char *basis) {
    char range[72];
    double half = text_half_width(ci);
    model_range(ci, range, sizeof range);
    char number[32] = "";
    if (count > 0 || (isfinite(count) && strcmp(basis, obs_basis_names[BASIS_COUNTED]) == 0))
        snprintf(number, sizeof number, count < 10 ? "%.2g" : "%.0f", count);
    fputs("  ", page->out);
    text_cell(page, name, 22);
    text_number_cell(page, pct, half, -9);
    text_cell(page, range, -22);
    text_cell(page, number, -12);
    fprintf(page->out, "  %s\n", basis);
}

static void ledger_sums(const struct text_page *page, const struct model_case *c) {
    const struct ledger *ledger = &c->ledger;
    struct stats_interval none = {NAN, NAN};
    if (!c->cmp.has_baseline) {
        line_row(page, "hypervisor, as seen", ledger->direct.mean, ledger->direct_ci, NAN, "");
        return;
    }
    line_row(page, "unexplained", ledger->unexplained.mean, ledger->unexplained_ci, NAN, "rest");
    line_row(page, "difference of means", c->cmp.mean_pct.mean, stats_mean_interval(&c->cmp.mean_pct), NAN, "timing");
    line_row(page, "of it tail", ledger->tail_pct, none, NAN, "");
}

struct cause_name {
    char text[64];
};

static struct cause_name cause_name(const struct ledger_line *line) {
    struct cause_name name;
    snprintf(name.text, sizeof name.text, "%s%s%s", cause_info(line->cause)->id, model_scope_word(line->scope),
             line->at_most ? " (at most)" : "");
    return name;
}

// What is worth a row of its own; the rest is told in a sentence, and in full in the other formats.
static bool stands_out(const struct ledger_line *line) {
    return fabs(line->pct) >= SMALL_PCT;
}

static double bound(const struct ledger_line *line) {
    double farthest = fmax(fabs(line->ci.low), fabs(line->ci.high));
    return isfinite(farthest) ? farthest : fabs(line->pct);
}

static void small_lines(const struct text_page *page, const struct ledger *ledger) {
    struct str names = {0};
    double most = 0;
    for (size_t i = 0; i < ledger->count; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        if (!isfinite(line->pct) || stands_out(line))
            continue;
        str_printf(&names, "%s%s", names.length ? ", " : "", cause_name(line).text);
        most = fmax(most, bound(line));
    }
    if (names.length) {
        char *text =
            mem_printf("under %.2g %% each, at most %.2g %%: %s", SMALL_PCT, fmax(most, SMALL_PCT), names.text);
        text_paragraph(page, "  ", "    ", text);
        free(text);
    }
    str_free(&names);
}

static void counted_lines(const struct text_page *page, const struct ledger *ledger) {
    struct str text = {0};
    for (size_t i = 0; i < ledger->count; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        if (isfinite(line->pct) || !(line->count > 0) || cause_info(line->cause)->family == FAMILY_OBSERVER)
            continue;
        str_printf(&text, "%s%s %.*f", text.length ? ", " : "counted only: ", cause_name(line).text,
                   line->count < 10 ? 1 : 0, line->count);
    }
    if (text.length)
        text_paragraph(page, "  ", "    ", text.text);
    str_free(&text);
}

static void observers(const struct text_page *page, const struct ledger *ledger) {
    struct str text = {0};
    for (size_t i = 0; i < ledger->observer_count; i++) {
        const struct ledger_observer *o = &ledger->observers[i];
        char pct[32];
        char range[72];
        model_number(o->pct, text_half_width(o->ci), pct, sizeof pct);
        model_range(o->ci, range, sizeof range);
        str_printf(&text, "%s%.40s %s %%", text.length ? ", " : "slower with probes on: ", *o->pass ? o->pass : "all",
                   pct);
        if (*range)
            str_printf(&text, " (%s)", range);
    }
    if (text.length)
        text_paragraph(page, "  ", "    ", text.text);
    str_free(&text);
}

void text_ledger(const struct text_page *page, const struct model_case *c) {
    const struct ledger *ledger = &c->ledger;
    fputc('\n', page->out);
    struct str title = {0};
    escape_plain(&title, c->name, 42);
    str_add(&title,
            c->cmp.has_baseline ? ": where the difference of the means goes" : ": time that was seen to be lost");
    text_styled(page, TEXT_BOLD, str_text(&title));
    str_free(&title);
    fprintf(page->out, "\n  %-22s%9s%22s%12s  %s\n", "cause", c->cmp.has_baseline ? "% of base" : "% of time",
            "95 % interval", "count", "known by");
    for (size_t i = 0; i < ledger->count; i++)
        if (stands_out(&ledger->lines[i]))
            line_row(page, cause_name(&ledger->lines[i]).text, ledger->lines[i].pct, ledger->lines[i].ci,
                     ledger->lines[i].count, ledger_basis_text(&ledger->lines[i]));
    ledger_sums(page, c);
    small_lines(page, ledger);
    counted_lines(page, ledger);
    for (size_t i = 0; i < c->told.count; i++)
        text_paragraph(page, "  ", "    ", c->told.items[i]);
    observers(page, ledger);
    for (size_t i = 0; i < c->places.count; i++)
        text_paragraph(page, "  ", "  ", c->places.items[i]);
    text_devices(page, c->baseline_devices, c->baseline_devices ? c->baseline.run[0].set->name : "");
    text_devices(page, c->devices, c->devices && c->cmp.has_baseline ? c->subject.run[0].set->name : "");
}
