// SPDX-License-Identifier: Apache-2.0
// Requests split by Dom0's record: a stacked bar and a table row for each device. May include: core, report.
#include "report/chart.h"
#include "report/escape.h"
#include "report/html.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 704, BAR_HEIGHT = 22, PARTS = IO_STRETCHES + 1 };

// What was timed, and the rest behind it; a packet that the guest receives has none.
static size_t parts_of(const struct io_split *split, struct io_stretch parts[PARTS]) {
    size_t count = io_split_way(split, parts);
    if (!split->receives)
        parts[count++] = (struct io_stretch){"rest", split->rest_s};
    return count;
}

static void bar(struct str *out, const struct io_split *split, const struct io_stretch *parts, size_t count) {
    double at = 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += fmax(0, parts[i].seconds);
    if (!(sum > 0) || !isfinite(sum))
        return;
    struct chart_scale scale = {0, sum * 1e6, 16, WIDTH - 24};
    chart_open(out, WIDTH, BAR_HEIGHT + 36, "The way of a request as a stacked bar; the table has the numbers");
    for (size_t i = 0; i < count; i++) {
        bool rest = !split->receives && i + 1 == count;
        char tip[120];
        char mark[24];
        double us = fmax(0, parts[i].seconds) * 1e6;
        double x = chart_place(&scale, at);
        double width = chart_place(&scale, at + us) - x;
        snprintf(mark, sizeof mark, "%zu", i + 1);
        snprintf(tip, sizeof tip, "%zu: %s %.1f us", i + 1, parts[i].name, us);
        chart_rect(out, x, 8, width, BAR_HEIGHT, rest ? "rest" : "seg f-hop", tip);
        if (width >= 12)
            chart_text(out, x + width / 2, 23, "middle", rest ? "strong halo" : "onfill", mark);
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

static void table(struct str *out, const struct io_split *split, const struct io_stretch *parts, size_t count) {
    str_add(out, "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>");
    for (size_t i = 0; i < count; i++)
        str_printf(out, "<th class=\"n\">%zu %s</th>", i + 1, parts[i].name);
    str_add(out,
            "<th class=\"n\">in the guest</th><th class=\"n\">queued before</th><th class=\"n\">woken after</th>"
            "<th class=\"n\">a disk's</th></tr></thead><tbody><tr>");
    for (size_t i = 0; i < count; i++)
        number(out, 1e6 * parts[i].seconds, "%.1f us");
    number(out, 1e6 * split->whole_s, "%.1f us");
    number(out, split->part_s[GUEST_QUEUE] > 0 ? 1e6 * split->part_s[GUEST_QUEUE] : NAN, "%.1f us");
    number(out, split->part_s[GUEST_WAKE] > 0 ? 1e6 * split->part_s[GUEST_WAKE] : NAN, "%.1f us");
    number(out, 1e6 * split->disk_s, "%.1f us");
    str_add(out, "</tr></tbody></table></div>");
}

static void caption(struct str *out, const struct io_split *split) {
    struct io_words words = io_split_words(split);
    str_printf(out, "<figcaption>The way of a %s%s of ", split->receives ? "received " : "", words.one);
    escape_html(out, split->device, 30);
    str_printf(out, " through Dom0: %.0f %s the guest, %.0f %s ", split->requests, words.counted, split->answers,
               words.answered);
    escape_html(out, *split->backend ? split->backend : "its backend", 30);
    if (!split->nic)
        str_printf(out, ", %.0f completed by the disks under it", split->disk_requests);
    str_add(out, split->receives ? ". It begins where Dom0 has the packet.</figcaption>"
                                 : ". Rest: what neither side sees.</figcaption>");
}

void html_io(struct str *out, const struct dataset_case *c) {
    for (size_t i = 0; c && i < c->splits.count; i++) {
        const struct io_split *split = &c->splits.items[i];
        struct io_stretch parts[PARTS];
        size_t count = parts_of(split, parts);
        str_add(out, "<figure>");
        caption(out, split);
        bar(out, split, parts, count);
        str_add(out, "</figure>");
        table(out, split, parts, count);
    }
}
