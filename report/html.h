// SPDX-License-Identifier: Apache-2.0
// The HTML page's parts, each appended to `out`. render_html.c puts them in order. May include: core, report.
#pragma once

#include "core/str.h"
#include "report/model.h"

extern const char html_style[]; // the page's CSS (html_style.c)

// Width of a full drawing, in units; it scales with the page.
enum { HTML_CHART_WIDTH = 560 };

// html_words.c. All text is escaped; `label` is ours.
void html_words(struct str *out, const char *text);                    // no line break between a number and its "%"
void html_element(struct str *out, const char *tag, const char *text); // `tag` may have attributes of ours
void html_number(struct str *out, double value, double uncertainty);   // as model_number(); a dash where not known
void html_percent(struct str *out, double pct, struct stats_interval ci);
void html_plain_percent(struct str *out, double pct);
double html_half_width(struct stats_interval ci);
void html_open_table(struct str *out, const char *label);
void html_open_cards(struct str *out, const char *label); // rows become cards on a phone
void html_named_cell(struct str *out, const char *name);  // a cell that is told as `name` in a card
void html_close_table(struct str *out);
void html_badge(struct str *out, const struct model_case *c); // the verdict
void html_mind(struct str *out, const struct strings *list, bool loud);
void html_add_said(struct strings *list, const struct said *said, size_t i); // for html_mind()

// html_tables.c: all cases, against a baseline or by themselves.
void html_comparison_table(struct str *out, const struct model *model);
void html_single_table(struct str *out, const struct model *model);

// html_case.c: the section of the i-th case.
void html_case(struct str *out, const struct model *model, size_t i);

// Drawings; nothing is appended where there is nothing to draw.
void html_samples(struct str *out, const struct model *model, const struct model_case *c); // every sample as a dot
void html_ledger_bar(struct str *out, const struct model_case *c);                         // stacked, with the rest
void html_histograms(struct str *out, const struct model_case *c);                         // durations per cause
void html_steps(struct str *out, const struct model *model, const struct model_case *c);   // per-step jitter
void html_forest(struct str *out, const struct model *model);                              // all cases on one scale

// The letter that marks the i-th summed line in bar and table.
char html_mark(size_t i);

// html_devices.c: a table of the disks and network interfaces; nothing where none did anything.
void html_devices(struct str *out, const struct model_case *c);

// html_history.c: the section about time.
void html_history(struct str *out, const struct history *history);

// html_io.c: requests split by Dom0's record; nothing where there are none. `c` may be NULL.
void html_io(struct str *out, const struct dataset_case *c);

// html_machine.c: the drawn machine and its tables.
void html_machine(struct str *out, const struct dataset *set);
void html_unmeasured(struct str *out, const struct model *model);
