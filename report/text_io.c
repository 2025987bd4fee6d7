// SPDX-License-Identifier: Apache-2.0
// Requests split by Dom0's record, in the text report. May include: core, report.
#include "core/memory.h"
#include "core/str.h"
#include "report/text.h"

#include <math.h>
#include <stdlib.h>

static void counts(struct str *text, const char *name, const struct io_split *split) {
    struct io_words words = io_split_words(split);
    str_printf(text, "%.60s, %.30s: %.0f %s the guest, ", name, split->device, split->requests, words.counted);
    if (split->answers_high - split->answers_low > 0.02 * split->requests)
        str_printf(text, "%.0f to %.0f (about %.0f)", split->answers_low, split->answers_high, split->answers);
    else
        str_printf(text, "%.0f", split->answers);
    str_printf(text, " %s %.30s", words.answered, *split->backend ? split->backend : "its backend");
    if (split->disk_requests > 0)
        str_printf(text, ", %.0f completed by the disks under it", split->disk_requests);
    if (split->unannounced >= 1)
        str_printf(text, "; %.0f came without a notification", split->unannounced);
    str_add(text, ".");
}

static void outside(struct str *text, const struct io_split *split) {
    if (split->part_s[GUEST_QUEUE] > 0)
        str_printf(text, "; before it, in the guest's queues %.1f", 1e6 * split->part_s[GUEST_QUEUE]);
    if (split->receives && split->part_s[GUEST_CPU_WAIT] > 0)
        str_printf(text, "; the guest, ready for this or an earlier event, waited for a CPU for %.1f",
                   1e6 * split->part_s[GUEST_CPU_WAIT]);
    if (split->part_s[GUEST_WAKE] > 0)
        str_printf(text, "; after it, until its thread runs %.1f", 1e6 * split->part_s[GUEST_WAKE]);
}

static void parts(struct str *text, const struct io_split *split) {
    struct io_stretch way[IO_STRETCHES];
    size_t count = io_split_way(split, way);
    double whole_s = split->receives ? io_split_timed_s(split) : split->whole_s;
    str_printf(text, "us a %s%s: %.1f =", io_split_words(split).one, split->receives ? ", from where Dom0 has it" : "",
               1e6 * whole_s);
    for (size_t i = 0; i < count; i++)
        str_printf(text, " %s%s %.1f", i ? "+ " : "", way[i].name, 1e6 * way[i].seconds);
    if (!split->receives)
        str_printf(text, " + rest %.1f", 1e6 * split->rest_s);
    if (isfinite(split->disk_s))
        str_printf(text, " (a disk's request: %.1f)", 1e6 * split->disk_s);
    outside(text, split);
    if (split->blocked_s > 0)
        str_printf(text, "; the job's CPUs stood idle for them for %.3g s", split->blocked_s);
}

void text_io(const struct text_page *page, const struct model *model) {
    bool titled = false;
    for (size_t i = 0; i < model->subject_count; i++)
        for (size_t k = 0; k < model->subjects[i].case_count; k++) {
            const struct dataset_case *c = &model->subjects[i].cases[k];
            for (size_t n = 0; n < c->splits.count; n++) {
                struct str text = {0};
                if (!titled) {
                    fputc('\n', page->out);
                    text_styled(page, TEXT_BOLD, "The way of a request through Dom0\n");
                }
                titled = true;
                counts(&text, c->name, &c->splits.items[n]);
                text_paragraph(page, "  ", "    ", text.text);
                str_free(&text);
                parts(&text, &c->splits.items[n]);
                text_paragraph(page, "    ", "      ", text.text);
                str_free(&text);
            }
        }
    if (titled)
        text_styled(page, TEXT_DIM, "Rest: what neither side times: event channels in Xen, waiting on the ring.\n");
}
