// SPDX-License-Identifier: Apache-2.0
// The page's small change: escaped words, numbers, table cells, badges, warnings. May include: core, report.
#include "report/escape.h"
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Words of ours and of journals; no line break between a number and its percent sign.
void html_words(struct str *out, const char *text) {
    struct str clean = {0};
    escape_html(&clean, text, 4000);
    const char *rest = str_text(&clean);
    for (const char *at; (at = strstr(rest, " %")) != NULL; rest = at + 1) {
        str_add_bytes(out, rest, (size_t)(at - rest));
        str_add(out, "&nbsp;");
    }
    str_add(out, rest);
    str_free(&clean);
}

void html_element(struct str *out, const char *tag, const char *text) {
    str_printf(out, "<%s>", tag);
    html_words(out, text);
    str_printf(out, "</%.*s>\n", (int)strcspn(tag, " "), tag);
}

void html_number(struct str *out, double value, double uncertainty) {
    char text[60];
    model_number(value, uncertainty, text, sizeof text);
    str_add(out, isfinite(value) ? text : "&ndash;");
}

double html_half_width(struct stats_interval ci) {
    return 0.5 * (ci.high - ci.low);
}

void html_percent(struct str *out, double pct, struct stats_interval ci) {
    char text[120];
    model_percent(pct, ci, text, sizeof text);
    html_words(out, isfinite(pct) ? text : "\xe2\x80\x93");
}

void html_plain_percent(struct str *out, double pct) {
    html_number(out, pct, NAN);
    str_add(out, isfinite(pct) ? "&nbsp;%" : "");
}

void html_open_table(struct str *out, const char *label) {
    str_printf(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table>\n", label);
}

// A table whose rows become cards on a phone; a cell's `data-l` is its column's head there.
void html_open_cards(struct str *out, const char *label) {
    str_printf(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table class=\"cards\">\n",
               label);
}

void html_named_cell(struct str *out, const char *name) {
    str_add(out, "<td class=\"n\" data-l=\"");
    escape_html(out, name, 48);
    str_add(out, "\">");
}

void html_close_table(struct str *out) {
    str_add(out, "</table></div>\n");
}

void html_badge(struct str *out, const struct model_case *c) {
    const char *name = c->cmp.has_baseline ? stats_verdict_name(c->verdict) : "none";
    const char *words = c->cmp.has_baseline ? name : "no baseline";
    str_printf(out, "<span class=\"badge %s\">%s</span>", name, words);
}

void html_add_said(struct strings *list, const struct said *said, size_t i) {
    char *sentence = said_sentence(said, i);
    strings_add(list, "%s", sentence);
    free(sentence);
}

void html_mind(struct str *out, const struct strings *list, bool loud) {
    if (list->count == 0)
        return;
    str_printf(out, "<div class=\"mind%s\"><b>Mind</b><ul>\n", loud ? " loud" : "");
    for (size_t i = 0; i < list->count; i++)
        html_element(out, "li", list->items[i]);
    str_add(out, "</ul></div>\n");
}
