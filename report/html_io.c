// SPDX-License-Identifier: Apache-2.0
// Requests split by Dom0's record: a stacked bar and a table row for each device. May include: core, report.
#include "report/chart.h"
#include "report/escape.h"
#include "report/html.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 704, BAR_HEIGHT = 22, PARTS = IO_SEGMENTS + 2 };

static const char *part_name(int part) {
    return part < IO_SEGMENTS ? io_segment_names[part] : part == IO_SEGMENTS ? "guest's driver" : "rest";
}

static double part_s(const struct io_split *split, int part) {
    if (part < IO_SEGMENTS)
        return split->segment_s[part];
    return part == IO_SEGMENTS ? split->submit_s + split->complete_s : split->rest_s;
}

static void bar(struct str *out, const struct io_split *split) {
    double at = 0;
    double sum = 0;
    for (int i = 0; i < PARTS; i++)
        sum += fmax(0, part_s(split, i));
    if (!(sum > 0) || !isfinite(sum))
        return;
    struct chart_scale scale = {0, sum * 1e6, 16, WIDTH - 24};
    chart_open(out, WIDTH, BAR_HEIGHT + 36, "The way of a request as a stacked bar; the table has the numbers");
    for (int i = 0; i < PARTS; i++) {
        char tip[120];
        char mark[2] = {(char)('1' + i), '\0'};
        double us = fmax(0, part_s(split, i)) * 1e6;
        double x = chart_place(&scale, at);
        double width = chart_place(&scale, at + us) - x;
        snprintf(tip, sizeof tip, "%d: %s %.1f us", i + 1, part_name(i), us);
        chart_rect(out, x, 8, width, BAR_HEIGHT, i <= IO_SEGMENTS ? "seg f-hop" : "rest", tip);
        if (width >= 12)
            chart_text(out, x + width / 2, 23, "middle", i <= IO_SEGMENTS ? "onfill" : "strong halo", mark);
        at += us;
    }
    chart_axis(out, &scale, 8 + BAR_HEIGHT + 4, 6, " us");
    chart_close(out);
}

static void number(struct str *out, double value, const char *format) {
    str_add(out, "<td class=\"n\">");
    if (isfinite(value))
        str_printf(out, format, value);
    else
        str_add(out, "-");
    str_add(out, "</td>");
}

static void table(struct str *out, const struct io_split *split) {
    str_add(out, "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>");
    for (int i = 0; i < PARTS; i++)
        str_printf(out, "<th class=\"n\">%d %s</th>", i + 1, part_name(i));
    str_add(out, "<th class=\"n\">in the guest</th><th class=\"n\">a disk's</th></tr></thead><tbody><tr>");
    for (int i = 0; i < PARTS; i++)
        number(out, 1e6 * part_s(split, i), "%.1f us");
    number(out, 1e6 * split->whole_s, "%.1f us");
    number(out, 1e6 * split->disk_s, "%.1f us");
    str_add(out, "</tr></tbody></table></div>");
}

void html_io(struct str *out, const struct dataset_case *c) {
    for (size_t i = 0; c && i < c->splits.count; i++) {
        const struct io_split *split = &c->splits.items[i];
        str_printf(out, "<figure><figcaption>The way of a %s of ", split->nic ? "packet" : "request");
        escape_html(out, split->device, 30);
        str_printf(out, " through Dom0: %.0f %s the guest, %.0f answered by ", split->requests,
                   split->nic ? "sent by" : "requests in", split->answers);
        escape_html(out, *split->backend ? split->backend : "its backend", 30);
        if (!split->nic)
            str_printf(out, ", %.0f completed by the disks under it", split->disk_requests);
        str_add(out, ". Rest: what neither side sees.</figcaption>");
        bar(out, split);
        str_add(out, "</figure>");
        table(out, split);
    }
}
