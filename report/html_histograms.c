// SPDX-License-Identifier: Apache-2.0
// How long exits and other losses took, cause by cause. May include: core, report.
#include "report/chart.h"
#include "report/html.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_HISTOGRAMS = 12 };

static void duration_text(double ns, char *out, size_t size) {
    static const struct {
        double scale;
        const char *unit;
    } UNITS[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "\xc2\xb5s"}, {1, "ns"}};
    size_t u = 0;
    while (u + 1 < ARRAY_LEN(UNITS) && ns < UNITS[u].scale)
        u++;
    snprintf(out, size, "%.3g %s", ns / UNITS[u].scale, UNITS[u].unit);
}

// The merged histogram of a cause on a side; true if anything was counted. Timing samples first: no probe slows them.
static bool side_histogram(const struct side *side, enum cause cause, struct hist *out) {
    memset(out, 0, sizeof *out);
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        for (size_t r = 0; r < side->count; r++)
            if (side->run[r].c->mode[mode].hist[cause])
                hist_merge(out, side->run[r].c->mode[mode].hist[cause]);
        if (hist_total(out) > 0)
            return true;
    }
    return false;
}

static void draw_histogram(struct str *out, enum cause cause, const struct hist *hist, const char *label) {
    enum { WIDTH = 280, HEIGHT = 96, TOP = 30 };
    int first = 0;
    int last = HIST_BUCKETS - 1;
    while (hist->count[first] == 0)
        first++;
    while (hist->count[last] == 0)
        last--;
    uint64_t most = 0;
    for (int b = first; b <= last; b++)
        most = hist->count[b] > most ? hist->count[b] : most;
    char text[200];
    char from[40];
    char to[40];
    snprintf(text, sizeof text, "Durations of %s on %.60s", cause_info(cause)->id, label);
    chart_open(out, WIDTH, TOP + HEIGHT + 20, text);
    chart_text(out, 0, 12, "start", "strong", cause_info(cause)->id);
    duration_text(hist_quantile_ns(hist, 0.5), from, sizeof from);
    duration_text(hist_quantile_ns(hist, 0.99), to, sizeof to);
    snprintf(text, sizeof text, "half below %s, 99 %% below %s", from, to);
    chart_text(out, 0, 26, "start", "tick", text);
    char css[32];
    snprintf(css, sizeof css, "f-%s", cause_family_name(cause_info(cause)->family));
    double step = (double)WIDTH / (last - first + 1);
    double width = fmin(step, 36);
    for (int b = first; b <= last; b++) {
        double height = (double)hist->count[b] / (double)most * (HEIGHT - 6);
        if (hist->count[b] > 0)
            height = fmax(height, 1);
        duration_text(ldexp(1, b), from, sizeof from);
        duration_text(ldexp(1, b + 1), to, sizeof to);
        snprintf(text, sizeof text, "%s to %s: %llu", from, to, (unsigned long long)hist->count[b]);
        chart_rect(out, (b - first) * width, TOP + HEIGHT - height, width - 1, height, css, text);
    }
    double end = (last - first + 1) * width;
    chart_line(out, 0, TOP + HEIGHT, end, TOP + HEIGHT, "axis");
    duration_text(ldexp(1, first), from, sizeof from);
    duration_text(ldexp(1, last + 1), to, sizeof to);
    chart_text(out, 0, TOP + HEIGHT + 15, "start", "tick", from);
    chart_text(out, fmax(end, 130), TOP + HEIGHT + 15, "end", "tick", to);
    chart_close(out);
}

void html_histograms(struct str *out, const struct model_case *c) {
    size_t drawn = 0;
    for (int cause = 0; cause < CAUSE_COUNT && drawn < MAX_HISTOGRAMS; cause++) {
        struct hist hist;
        if (!side_histogram(&c->subject, (enum cause)cause, &hist))
            continue;
        if (drawn++ == 0)
            str_add(out, "<h4>How long each took</h4><div class=\"small\">\n");
        draw_histogram(out, (enum cause)cause, &hist, c->subject.run[0].set->name);
    }
    if (drawn)
        str_add(out,
                "</div><p class=\"soft\">Each bar is twice as long a duration as the one before; percentiles from such "
                "bars are known to a factor of two.</p>\n");
}
