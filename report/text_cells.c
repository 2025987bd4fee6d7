// SPDX-License-Identifier: Apache-2.0
// Paragraphs and cells of the text report; see report/text.h. May include: core, report.
#include "report/escape.h"
#include "report/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void text_styled(const struct text_page *page, const char *style, const char *text) {
    if (page->colour)
        fprintf(page->out, "%s%s\033[0m", style, text);
    else
        fputs(text, page->out);
}

void text_paragraph(const struct text_page *page, const char *first, const char *rest, const char *text) {
    struct str clean = {0};
    escape_plain(&clean, text, 4000);
    const char *p = str_text(&clean);
    const char *indent = first;
    do {
        size_t room = (size_t)page->columns - 1 - strlen(indent);
        size_t columns = 0;
        size_t end = 0;   // bytes that fit
        size_t space = 0; // bytes up to the last space that fits
        while (p[end] && (columns < room || ((unsigned char)p[end] & 0xc0) == 0x80)) {
            if (p[end] == ' ' && p[end + 1] != '%')
                space = end;
            columns += ((unsigned char)p[end] & 0xc0) != 0x80;
            end++;
        }
        if (p[end] && (p[end] != ' ' || p[end + 1] == '%') && space > 0)
            end = space;
        fprintf(page->out, "%s%.*s\n", indent, (int)end, p);
        p += end;
        while (*p == ' ')
            p++;
        indent = rest;
    } while (*p);
    str_free(&clean);
}

void text_cell(const struct text_page *page, const char *text, int width) {
    struct str clean = {0};
    size_t columns = (size_t)abs(width);
    size_t used = escape_plain(&clean, text, columns);
    int pad = used < columns ? (int)(columns - used) : 0;
    if (width < 0)
        fprintf(page->out, "%*s%s", pad, "", str_text(&clean));
    else
        fprintf(page->out, "%s%*s", str_text(&clean), pad, "");
    str_free(&clean);
}

void text_name_cell(const struct text_page *page, const char *name, int width) {
    struct str clean = {0};
    if (escape_plain(&clean, name, TEXT_COLUMNS - 1) <= (size_t)width)
        text_cell(page, name, width);
    else
        fprintf(page->out, "%s\n%*s", str_text(&clean), width, "");
    str_free(&clean);
}

void text_number_cell(const struct text_page *page, double value, double uncertainty, int width) {
    char text[60];
    model_number(value, uncertainty, text, sizeof text);
    text_cell(page, isfinite(value) ? text : "-", width);
}

double text_half_width(struct stats_interval ci) {
    return 0.5 * (ci.high - ci.low);
}
