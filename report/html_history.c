// SPDX-License-Identifier: Apache-2.0
// The page's section about time: each case run by run, its levels and where they change. May include: core, report.
#include "report/chart.h"
#include "report/escape.h"
#include "report/history.h"
#include "report/html.h"

#include <math.h>
#include <stdio.h>

enum { NARROW = 280, TOP = 50, HEIGHT = 110, LEFT = 52, MAX_DIFFERENCES = 20 };

// Runs further from all levels than this many robust standard deviations are drawn at the edge.
static const double REACH = 6;

struct frame {
    const struct history *history;
    const struct history_case *c;
    struct chart_scale x; // run
    struct chart_scale y; // speed, percent of the first level
    double reference;     // log cost of the first level
};

static double speed(const struct frame *f, double level) {
    return 100 * exp(f->reference - level);
}

static struct frame make_frame(const struct history *history, const struct history_case *c, double width) {
    struct frame f = {.history = history, .c = c, .reference = history_level(c, 0)};
    double low = 100;
    double high = 100;
    for (size_t i = 0; i < c->count; i++) {
        double level = speed(&f, history_level(c, i));
        double reach = fmax(REACH * c->spread_pct, 0.1);
        low = fmin(low, fmax(speed(&f, c->points[i].level), level - reach));
        high = fmax(high, fmin(speed(&f, c->points[i].level), level + reach));
    }
    double margin = fmax(0.08 * (high - low), 0.05);
    f.x = (struct chart_scale){0, (double)history->run_count - 1, LEFT + 8, width - 12};
    f.y = (struct chart_scale){low - margin, high + margin, TOP + HEIGHT, TOP};
    return f;
}

static double place_of(const struct frame *f, size_t point) {
    return chart_place(&f->x, (double)f->c->points[point].run);
}

static void draw_point(struct str *out, const struct frame *f, size_t i) {
    const struct history_point *p = &f->c->points[i];
    const struct dataset *run = &f->history->runs[p->run];
    char tip[300];
    double x = place_of(f, i);
    double value = speed(f, p->level);
    double y = chart_place(&f->y, value);
    snprintf(tip, sizeof tip, "run %zu, %.40s: %.6g %.40s (%.2f %%), %zu samples, %.80s", p->run + 1,
             history_started(run), p->median, f->c->unit, value, p->count, run->path);
    if (isfinite(p->low) && isfinite(p->high))
        chart_line(out, x, chart_place(&f->y, speed(f, p->low)), x, chart_place(&f->y, speed(f, p->high)), "whisker");
    if (value < f->y.low || value > f->y.high)
        chart_cross(out, x, y, 3.5, "out-subj", tip);
    else
        chart_dot(out, x, y, f->c->count > 200 ? 1.5 : 3, "dot-subj", tip);
}

static void draw_levels(struct str *out, const struct frame *f) {
    double half = 0.5 * (f->x.to - f->x.from) / fmax(1, (double)f->history->run_count - 1);
    for (size_t i = 0; i <= f->c->change_count; i++) {
        size_t from = i ? f->c->changes[i - 1].at : 0;
        size_t last = (i < f->c->change_count ? f->c->changes[i].at : f->c->count) - 1;
        double y = chart_place(&f->y, speed(f, history_level(f->c, from)));
        chart_line(out, place_of(f, from) - half, y, place_of(f, last) + half, y, "level");
    }
}

static void draw_changes(struct str *out, const struct frame *f) {
    for (size_t i = 0; i < f->c->change_count; i++) {
        const struct history_change *change = &f->c->changes[i];
        char text[100];
        char number[32];
        double x = 0.5 * (place_of(f, change->at - 1) + place_of(f, change->at));
        model_number(fabs(change->pct), 0.5 * (change->ci.high - change->ci.low), number, sizeof number);
        snprintf(text, sizeof text, "run %zu: %s %% %s", f->c->points[change->at].run + 1, number,
                 change->pct < 0 ? "faster" : "slower");
        chart_line(out, x, TOP - 26, x, TOP + HEIGHT, "limit");
        bool left = x > 0.6 * f->x.to;
        chart_text(out, left ? x - 4 : x + 4, TOP - 18 + (i % 2 ? 13 : 0), left ? "end" : "start", "tick strong halo",
                   text);
    }
}

static void draw_case(struct str *out, const struct history *history, const struct history_case *c, double width) {
    struct frame f = make_frame(history, c, width);
    char text[200];
    snprintf(text, sizeof text, "History of %.80s, run by run; higher is faster. %s", c->name,
             c->change_count ? "The table says where it changes." : "No change was found.");
    chart_open(out, width, TOP + HEIGHT + 36, text);
    chart_text(out, 0, 13, "start", "strong", c->name);
    chart_axis_left(out, &f.y, f.x.from - 8, f.x.to + 6, 3, " %");
    draw_changes(out, &f);
    draw_levels(out, &f);
    for (size_t i = 0; i < c->count; i++)
        draw_point(out, &f, i);
    chart_line(out, f.x.from - 8, f.y.from, f.x.to + 6, f.y.from, "axis");
    snprintf(text, sizeof text, "run 1 %.10s", history_started(history->runs));
    chart_text(out, f.x.from - 8, f.y.from + 16, "start", "tick", text);
    snprintf(text, sizeof text, "run %zu %.10s", history->run_count,
             history_started(&history->runs[history->run_count - 1]));
    chart_text(out, f.x.to + 6, f.y.from + 16, "end", "tick", text);
    chart_close(out);
}

static void differences_cell(struct str *out, const struct differences *differs) {
    if (differs->count == 0)
        str_add(out, "nothing that the journals tell");
    for (size_t i = 0; i < differs->count && i < MAX_DIFFERENCES; i++) {
        const struct difference *d = &differs->items[i];
        str_add(out, i ? "<br><code>" : "<code>");
        escape_html(out, d->key, 80);
        str_add(out, "</code> ");
        escape_html(out, d->baseline, 60);
        str_add(out, " &rarr; ");
        escape_html(out, d->subject, 60);
    }
    if (differs->count > MAX_DIFFERENCES)
        str_printf(out, "<br>and %zu more", differs->count - MAX_DIFFERENCES);
}

static void change_row(struct str *out, const struct history *history, const struct history_case *c,
                       const struct history_change *change) {
    char amount[120];
    size_t run = c->points[change->at].run;
    str_add(out, "<tr><td class=\"text\">");
    escape_html(out, c->name, 80);
    str_add(out, "<td class=\"n\">");
    model_percent(change->pct, change->ci, amount, sizeof amount);
    str_printf(out, "%s<td class=\"n\">%zu<td class=\"text\">", amount, run + 1);
    escape_html(out, history_started(&history->runs[run]), 40);
    str_add(out, "<br><span class=\"soft\">");
    escape_html(out, history->runs[run].path, 160);
    str_printf(out, "</span><td class=\"n\">%.2g<td class=\"text\">", change->p);
    differences_cell(out, &change->differs);
    str_add(out, "</tr>\n");
}

static void change_table(struct str *out, const struct history *history) {
    str_add(out,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"changes\"><table>\n<tr><th>workload"
            "<th class=\"n\">slower by (95 %)<th class=\"n\">from run<th>when<th class=\"n\">p<th>what else changed "
            "then</tr>\n");
    for (size_t i = 0; i < history->count; i++)
        for (size_t k = 0; k < history->cases[i].change_count; k++)
            change_row(out, history, &history->cases[i], &history->cases[i].changes[k]);
    str_add(out, "</table></div>\n");
}

void html_history(struct str *out, const struct history *history) {
    size_t changed = 0;
    size_t rest = 0;
    str_add(out, "<section id=\"history\"><h2>History</h2>\n");
    if (history->warning) {
        str_add(out, "<div class=\"mind\"><b>Mind</b> ");
        escape_html(out, history->warning, 1000);
        str_add(out, "</div>\n");
    }
    for (size_t i = 0; i < history->count; i++) {
        if (history->cases[i].change_count == 0)
            continue;
        changed++;
        str_add(out, "<figure>");
        draw_case(out, history, &history->cases[i], HTML_CHART_WIDTH);
        str_add(out, "</figure>\n");
    }
    if (changed)
        change_table(out, history);
    for (size_t i = 0; i < history->count; i++) {
        const struct history_case *c = &history->cases[i];
        if (c->change_count || c->count < 2)
            continue;
        if (rest++ == 0)
            str_printf(out, "<h3>%s</h3><div class=\"small\">\n", changed ? "Without a change" : "Run by run");
        draw_case(out, history, c, NARROW);
    }
    str_add(out, rest ? "</div>\n" : "");
    str_printf(out,
               "<p class=\"soft\">A dot is the median of a run with its 95 %% interval, a line the level of the runs "
               "between two changes; 100 %% is the first level, higher is faster. Changes are found by E-divisive "
               "(Matteson and James 2014), at a false discovery rate of %g %% over the cases.</p></section>\n",
               100 * HISTORY_FALSE_DISCOVERY_RATE);
}
