// SPDX-License-Identifier: Apache-2.0
// See wrap.h.
#include "cli/wrap.h"

#include "cli/terminal.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void print_wrapped(const char *text, int indent, int at) {
    const int width = terminal_text_columns();
    if (indent > width / 2)
        indent = width / 8;
    bool first = true; // a line's first word is never moved to the next one
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (!first && at + 1 + length > width) {
            printf("\n%*s", indent, "");
            at = indent;
            first = true;
        }
        printf("%s%.*s", first ? "" : " ", length, text);
        at += length + !first;
        first = false;
        text += length;
        text += strspn(text, " ");
    }
    putchar('\n');
}
