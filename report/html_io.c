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
    chart_open(out, WIDTH, BAR_HEIGHT + 36, "The way of a request as a stacked bar; the list below has the numbers");
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

static void part(struct str *out, const char *name, double seconds) {
    if (isfinite(seconds) && seconds != 0)
        str_printf(out, "<li>%s <b>%.1f&nbsp;us</b></li>", name, 1e6 * seconds);
}

// What the bar's numbers stand for, and what is not in the bar.
static void legend(struct str *out, const struct io_split *split, const struct io_stretch *parts, size_t count) {
    str_add(out, "<ul class=\"legend\">");
    for (size_t i = 0; i < count; i++)
        str_printf(out, "<li><span class=\"mark %s\">%zu</span> %s <b>%.1f&nbsp;us</b></li>",
                   !split->receives && i + 1 == count ? "blank" : "f-hop", i + 1, parts[i].name,
                   1e6 * parts[i].seconds);
    str_add(out, "</ul><ul class=\"legend\">");
    part(out, "in the guest, issue to completion:", split->whole_s);
    part(out, "queued in the guest before:", split->part_s[GUEST_QUEUE]);
    part(out, "until its thread is woken after:", split->part_s[GUEST_WAKE]);
    part(out, "a request of the disk under it:", split->disk_s);
    str_add(out, "</ul>");
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
        legend(out, split, parts, count);
        str_add(out, "</figure>");
    }
}
