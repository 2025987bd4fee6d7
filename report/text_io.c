// SPDX-License-Identifier: Apache-2.0
// Requests split by Dom0's record, in the text report. May include: core, report.
#include "core/memory.h"
#include "core/str.h"
#include "report/text.h"

#include <math.h>
#include <stdlib.h>

static void counts(struct str *text, const char *name, const struct io_split *split) {
    str_printf(text, "%.60s, %.30s: %.0f %s the guest, ", name, split->device, split->requests,
               split->nic ? "packets sent by" : "requests in");
    if (split->answers_high - split->answers_low > 0.02 * split->requests)
        str_printf(text, "%.0f to %.0f (about %.0f)", split->answers_low, split->answers_high, split->answers);
    else
        str_printf(text, "%.0f", split->answers);
    str_printf(text, " answered by %.30s", *split->backend ? split->backend : "its backend");
    if (split->disk_requests > 0)
        str_printf(text, ", %.0f completed by the disks under it", split->disk_requests);
    if (split->unannounced >= 1)
        str_printf(text, "; %.0f came without a notification", split->unannounced);
    str_add(text, ".");
}

static void parts(struct str *text, const struct io_split *split) {
    str_printf(text, "us a %s: %.1f =", split->nic ? "packet" : "request", 1e6 * split->whole_s);
    for (int s = 0; s < IO_SEGMENTS; s++)
        if (s != IO_DEVICE || !split->nic)
            str_printf(text, " %s%s %.1f", s ? "+ " : "", io_segment_names[s], 1e6 * split->segment_s[s]);
    if (split->submit_s + split->complete_s > 0)
        str_printf(text, " + guest %.1f (submits %.1f, completes %.1f)", 1e6 * (split->submit_s + split->complete_s),
                   1e6 * split->submit_s, 1e6 * split->complete_s);
    str_printf(text, " + rest %.1f", 1e6 * split->rest_s);
    if (isfinite(split->disk_s))
        str_printf(text, " (a disk's request: %.1f)", 1e6 * split->disk_s);
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
        text_styled(page, TEXT_DIM, "Rest: outside Dom0: the guest's block layer, event channels, Xen's scheduling.\n");
}
