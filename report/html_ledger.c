// SPDX-License-Identifier: Apache-2.0
// The ledger as a stacked bar, with what is left unexplained. May include: core, report.
#include "report/chart.h"
#include "report/html.h"

#include <math.h>
#include <stdio.h>

char html_mark(size_t i) {
    static const char MARKS[] = "abcdefghijklmnopqrstuvwxyz";
    return i < sizeof MARKS - 1 ? MARKS[i] : '*';
}

struct stack {
    const struct chart_scale *scale;
    double plus;  // where the next positive part starts
    double minus; // and the next negative one
};

// Places a part and returns its middle; its width in units goes to `width`.
static double stack_part(struct stack *stack, double value, double *x, double *width) {
    double from = value >= 0 ? stack->plus : stack->minus + value;
    double to = value >= 0 ? stack->plus + value : stack->minus;
    if (value >= 0)
        stack->plus = to;
    else
        stack->minus = from;
    *x = chart_place(stack->scale, from);
    *width = chart_place(stack->scale, to) - *x;
    return *x + *width / 2;
}

void html_ledger_bar(struct str *out, const struct model_case *c) {
    const struct ledger *ledger = &c->ledger;
    double rest = c->cmp.has_baseline ? ledger->unexplained.mean : 0;
    double plus = fmax(0, rest);
    double minus = fmin(0, rest);
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->lines[i].summed) {
            plus += fmax(0, ledger->lines[i].pct);
            minus += fmin(0, ledger->lines[i].pct);
        }
    if (!(plus - minus > 0) || !isfinite(plus - minus))
        return;
    struct chart_scale scale = {minus, plus, 16, HTML_CHART_WIDTH - 24};
    struct stack stack = {&scale, 0, 0};
    char tip[200];
    char value[48];
    snprintf(tip, sizeof tip, "Where the time of %.60s goes, as a stacked bar; the table below has the numbers",
             c->name);
    str_add(out, "<figure>");
    chart_open(out, HTML_CHART_WIDTH, 78, tip);
    for (size_t i = 0; i < ledger->count && ledger->lines[i].summed; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        const struct cause_info *info = cause_info(line->cause);
        char css[40];
        double x = 0;
        double width = 0;
        double middle = stack_part(&stack, line->pct, &x, &width);
        snprintf(css, sizeof css, "seg f-%s", cause_family_name(info->family));
        model_percent(line->pct, line->ci, value, sizeof value);
        snprintf(tip, sizeof tip, "%c: %s %s, %s", html_mark(i), info->id, value, info->explanation);
        chart_rect(out, x, 12, width, 28, css, tip);
        if (width >= 12)
            chart_text(out, middle, 30, "middle", "onfill", (char[]){html_mark(i), '\0'});
    }
    if (c->cmp.has_baseline) {
        double x = 0;
        double width = 0;
        double middle = stack_part(&stack, rest, &x, &width);
        model_percent(rest, ledger->unexplained_ci, value, sizeof value);
        snprintf(tip, sizeof tip, "unexplained: %s", value);
        chart_rect(out, x, 12, width, 28, "rest", tip);
        if (width >= 90)
            chart_text(out, middle, 30, "middle", "strong halo", "unexplained");
    }
    chart_line(out, chart_place(&scale, 0), 6, chart_place(&scale, 0), 46, "zero");
    chart_axis(out, &scale, 46, 6, " %");
    chart_text(out, HTML_CHART_WIDTH, 76, "end", "tick",
               c->cmp.has_baseline ? "percent of the baseline's cost" : "percent of the job's CPU time");
    chart_close(out);
    str_add(out,
            c->cmp.has_baseline
                ? "<figcaption>Letters are the rows of the table; hatched is what no source explains.</figcaption>"
                : "<figcaption>Letters are the rows of the table. What no source sees is not in this bar: its size is "
                  "not known without a baseline.</figcaption>");
    str_add(out, "</figure>\n");
}
