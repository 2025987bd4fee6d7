// SPDX-License-Identifier: Apache-2.0
// What the parts of the text report share: paragraphs and cells of a page. Tables take 80 columns. May include: core,
// report.
#pragma once

#include "report/model.h"

#include <stdbool.h>
#include <stdio.h>

struct text_page {
    FILE *out;
    bool colour;
    int columns; // of paragraphs
};

#define TEXT_COLUMNS 80 // the widest page

#define TEXT_BOLD   "\033[1m"
#define TEXT_DIM    "\033[2m"
#define TEXT_YELLOW "\033[33m"

void text_styled(const struct text_page *page, const char *style, const char *text);

// Writes text as a paragraph: cleaned, broken at spaces; `first` indents the first line, `rest` the others.
void text_paragraph(const struct text_page *page, const char *first, const char *rest, const char *text);

// A cell of exactly `width` columns, negative: flush right.
void text_cell(const struct text_page *page, const char *text, int width);

// The first cell of a row. A name that is longer stands on a line of its own: the names of a sweep differ at their
// ends.
void text_name_cell(const struct text_page *page, const char *name, int width);
void text_number_cell(const struct text_page *page, double value, double uncertainty, int width);

double text_half_width(struct stats_interval ci);

// One side's devices in a case (text_devices.c); nothing for NULL. `of`: whose, "" if that is clear.
void text_devices(const struct text_page *page, const struct devices *devices, const char *of);

// The ledger of one case (text_ledger.c).
void text_ledger(const struct text_page *page, const struct model_case *c);

// Requests split by Dom0's record (text_io.c); nothing where there are none.
void text_io(const struct text_page *page, const struct model *model);
