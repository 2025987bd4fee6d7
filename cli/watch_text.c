// SPDX-License-Identifier: Apache-2.0
// A watched interval as text. See watch_text.h.
#include "cli/watch_text.h"

#include "core/json.h"
#include "core/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAR = 10, MOST_CPU_LINES = 4, MOST_LINE = 400 };

// Emphasis of a whole line (ECMA-48 SGR). No meaning hangs on it alone.
#define PLAIN ""
#define BOLD  "\033[1m"
#define DIM   "\033[2m"
#define HOT   "\033[31m"

struct screen {
    const struct watch_page *page;
    struct str *out;
    int used; // lines
};

static void line(struct screen *s, const char *style, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void line(struct screen *s, const char *style, const char *format, ...) {
    char text[MOST_LINE];
    va_list args;
    if (s->used >= s->page->rows)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (s->page->columns < (int)sizeof text)
        text[s->page->columns] = '\0';
    for (char *c = text; *c; c++) {
        if (*c < ' ' || *c > '~') // control characters, and bytes that are no column each
            *c = '?';
    }
    const bool styled = s->page->colour && style[0];
    // The last line must not be ended: the screen would scroll.
    str_printf(s->out, "%s%s%s%s%s", s->used ? "\n" : "", styled ? style : "", text, styled ? "\033[0m" : "",
               s->page->redraw ? "\033[K" : "");
    s->used++;
}

static double busy_share(const struct watch_view *view) {
    double sum = 0;
    int count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(view->circumstances, "busy")) {
        sum += item->valuedouble;
        count++;
    }
    return count ? sum / count : NAN;
}

// Words over as many lines as they need.
static void wrapped(struct screen *s, const char *style, const char *text) {
    const size_t width = s->page->columns > 4 ? (size_t)s->page->columns - 2 : 2;
    for (const char *indent = ""; *text; indent = "  ") {
        size_t length = strlen(text);
        if (length > width) {
            length = width;
            while (length > 0 && text[length] != ' ')
                length--;
            length = length ? length : width; // a word that is longer than a line
        }
        line(s, style, "%s%.*s", indent, (int)length, text);
        text += length;
        text += strspn(text, " ");
    }
}

// --- the parts of the screen ----------------------------------------------------------------------------------------

static void head(struct screen *s, const struct watch_view *view) {
    const double busy = busy_share(view);
    const double pressure = json_number(view->circumstances, "cpu_pressure");
    line(s, BOLD, "metalgap watch  %s  every %.3g s  %s  (q quits)", s->page->time, s->page->interval_s,
         s->page->subject);
    if (!view->cpus)
        line(s, BOLD, "no %s was seen", view->of);
    else if (isfinite(view->taken))
        line(s, view->taken >= 0.01 ? HOT : BOLD, "hypervisor %.2f %% of %u %s, as far as seen", 100 * view->taken,
             view->cpus, view->of);
    else
        line(s, BOLD, "hypervisor: counted on %u %s, not timed", view->cpus, view->of);
    if (isfinite(busy) && isfinite(pressure))
        line(s, PLAIN, "busy %.0f %%, threads waited for a CPU %.0f %% of the time", 100 * busy, 100 * pressure);
    else if (isfinite(busy))
        line(s, PLAIN, "busy %.0f %%", 100 * busy);
}

// A bar for each CPU, as many side by side as fit.
static void cpus(struct screen *s, const struct watch_view *view) {
    enum { LONGEST = 20, REST = BAR + 12 };
    const cJSON *busy = cJSON_GetObjectItemCaseSensitive(view->circumstances, "busy");
    const cJSON *cpu;
    int name = 0;
    cJSON_ArrayForEach(cpu, busy) {
        const int length = (int)strlen(cpu->string);
        name = length > name ? length : name;
    }
    name = name < LONGEST ? name : LONGEST;
    const int across = s->page->columns / (name + REST) > 1 ? s->page->columns / (name + REST) : 1;
    const int most = across * MOST_CPU_LINES;
    char text[MOST_LINE] = "";
    size_t at = 0;
    int told = 0;
    cJSON_ArrayForEach(cpu, busy) {
        const int marks = (int)lround(cpu->valuedouble * BAR);
        if (told == most)
            break;
        at += (size_t)snprintf(text + at, sizeof text - at, "%-*.*s [%.*s%*s]%4.0f %%   ", name, name, cpu->string,
                               marks, "##########", BAR - marks, "", 100 * cpu->valuedouble);
        told++;
        if (told % across == 0 || !cpu->next || at + LONGEST + REST >= sizeof text) {
            line(s, PLAIN, "%s", text);
            at = 0;
        }
    }
    if (cJSON_GetArraySize(busy) > told)
        line(s, DIM, "... and %d more", cJSON_GetArraySize(busy) - told);
}

// What the PMU says, where there is one.
static void metrics(struct screen *s, const struct watch_view *view) {
    char text[MOST_LINE] = "";
    size_t at = 0;
    const cJSON *metric;
    cJSON_ArrayForEach(metric, cJSON_GetObjectItemCaseSensitive(view->circumstances, "pmu_metrics")) {
        if (at < sizeof text && cJSON_IsNumber(metric))
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%s %.3g", at ? ", " : "pmu: ", metric->string,
                                   metric->valuedouble);
    }
    if (at)
        wrapped(s, PLAIN, text);
}

static bool is_shown(const struct watch_row *row) {
    return row->count || row->seconds > 0;
}

// Narrow terminals do without the error.
static void cause_line(struct screen *s, const char *style, const char *const cells[5]) {
    enum { ROOM_FOR_ALL = 58 };
    if (s->page->columns < ROOM_FOR_ALL)
        line(s, style, "%-14s%9s%9s  %s", cells[0], cells[1], cells[3], cells[4]);
    else
        line(s, style, "%-18s%9s%8s%11s  %s", cells[0], cells[1], cells[2], cells[3], cells[4]);
}

static void causes(struct screen *s, const struct watch_view *view) {
    cause_line(s, BOLD, (const char *const[]){"CAUSE", "% OF CPU", "+-", "PER S", "KNOWN BY"});
    for (size_t i = 0; i < view->row_count; i++) {
        const struct watch_row *row = &view->rows[i];
        char share[16] = "-";
        char error[16] = "";
        char rate[16] = "";
        if (!is_shown(row))
            continue;
        if (row->basis != BASIS_COUNTED)
            snprintf(share, sizeof share, "%.2f", 100 * row->share);
        if (row->share_se > 0)
            snprintf(error, sizeof error, "%.2f", 100 * row->share_se);
        if (row->count)
            snprintf(rate, sizeof rate, "%.0f", row->per_s);
        cause_line(s, row->direct ? PLAIN : DIM,
                   (const char *const[]){row->name, share, error, rate, obs_basis_names[row->basis]});
    }
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void sites(struct screen *s, const struct watch_view *view) {
    if (!view->site_count)
        return;
    line(s, PLAIN, "%s", "");
    line(s, BOLD, "%-18s%9s  %s", "EXITS FROM", "% OF CPU", "FUNCTION, PROGRAM, LINE");
    for (size_t i = 0; i < view->site_count; i++) {
        const struct watch_site *site = &view->sites[i];
        line(s, PLAIN, "%-18s%9.2f  %s  %s  %s", site->cause, 100 * site->share, site->where, last_part(site->module),
             last_part(site->line));
    }
}

static void one_gap(struct screen *s, const cJSON *source) {
    const char *hint = json_text(source, "hint");
    char *text = mem_printf("%s %s: %s%s%s", json_text(source, "name"), json_text(source, "state"),
                            json_text(source, "reason"), hint[0] ? "; try: " : "", hint);
    wrapped(s, DIM, text);
    free(text);
}

// What the picture lacks, and what the sources had to say.
static void gaps(struct screen *s, const struct watch_view *view) {
    const cJSON *source;
    const cJSON *note;
    line(s, PLAIN, "%s", "");
    cJSON_ArrayForEach(source, view->sources) {
        if (strcmp(json_text(source, "state"), "active") != 0)
            one_gap(s, source);
    }
    cJSON_ArrayForEach(note, view->notes) wrapped(s, DIM, note->valuestring);
}

void watch_text_screen(const struct watch_view *view, const struct watch_page *page, struct str *out) {
    struct screen s = {.page = page, .out = out};
    if (page->redraw)
        str_add(out, "\033[H");
    head(&s, view);
    cpus(&s, view);
    metrics(&s, view);
    line(&s, PLAIN, "%s", "");
    causes(&s, view);
    sites(&s, view);
    gaps(&s, view);
    str_add(out, page->redraw ? "\033[J" : "\n");
}

// --- a line -------------------------------------------------------------------------------------------------------

void watch_text_line(const struct watch_view *view, const char *time, struct str *out) {
    const double busy = busy_share(view);
    str_add(out, time);
    if (isfinite(busy))
        str_printf(out, "  busy %.1f %%", 100 * busy);
    if (isfinite(view->taken))
        str_printf(out, "  hypervisor %.2f %%", 100 * view->taken);
    for (size_t i = 0; i < view->row_count; i++) {
        const struct watch_row *row = &view->rows[i];
        if (!is_shown(row))
            continue;
        str_printf(out, "  %s", row->name);
        if (row->basis != BASIS_COUNTED)
            str_printf(out, " %.2f %%", 100 * row->share);
        if (row->count)
            str_printf(out, " %.0f/s", row->per_s);
    }
    str_add(out, "\n");
}
