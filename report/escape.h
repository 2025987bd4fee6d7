// SPDX-License-Identifier: Apache-2.0
// Makes strings from journals harmless. A journal may come from anyone: its labels can hold markup, terminal control
// sequences, text direction overrides, invalid UTF-8 or ten thousand characters. May include: core/str.h.
#pragma once

#include "core/str.h"

// Appends `text` (NULL is nothing) as valid UTF-8 on one line: invalid bytes, control characters (C0, DEL, C1) and
// direction overrides become U+FFFD, line breaks and tabs a space. After `limit` characters it is cut, with "..." as
// the last three. Returns the number of characters appended.
size_t escape_plain(struct str *out, const char *text, size_t limit);

// The same, then escaped for the place where it goes. No limit but what the caller sets; ESCAPE_ALL is none.
#define ESCAPE_ALL ((size_t)-1)
void escape_html(struct str *out, const char *text, size_t limit);     // element content and quoted attributes
void escape_markdown(struct str *out, const char *text, size_t limit); // a table cell or a sentence
void escape_csv(struct str *out, const char *text);                    // a field, quoted where needed
void escape_openmetrics(struct str *out, const char *text);            // a label value, without its quotes

// A JSON text for a script element: what is not plain ASCII, and "<", can only stand inside its strings and becomes a
// \u escape there, so that nothing in it ends the element or changes the direction of the page's source.
void escape_embedded_json(struct str *out, const char *json);
