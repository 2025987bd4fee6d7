// SPDX-License-Identifier: Apache-2.0
// The HTML page's parts, each appended to `out`. render_html.c puts them in order. May include: core, report.
#pragma once

#include "core/str.h"
#include "report/model.h"

extern const char html_style[]; // the page's CSS

// html_charts.c: drawings of one case; nothing is appended where there is nothing to draw.
void html_samples(struct str *out, const struct model *model, const struct model_case *c); // every sample as a dot
void html_ledger_bar(struct str *out, const struct model_case *c);                         // stacked, with the rest
void html_histograms(struct str *out, const struct model_case *c);                         // durations per cause
void html_steps(struct str *out, const struct model *model, const struct model_case *c);   // per-step jitter
void html_forest(struct str *out, const struct model *model);                              // all cases on one scale

// The letter that marks the i-th summed line in bar and table.
char html_mark(size_t i);

// html_history.c: the section about time.
void html_history(struct str *out, const struct history *history);

// html_machine.c: the drawn machine and its tables.
void html_machine(struct str *out, const struct dataset *set);
void html_unmeasured(struct str *out, const struct model *model);
