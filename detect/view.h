// SPDX-License-Identifier: Apache-2.0
// The result for people. May include: core.
#pragma once

#include "core/str.h"
#include "detect/platform.h"

// One screen, 80 columns: the verdict and the table of paths.
void platform_view(const struct platform *p, struct str *out);

// Plain words: what the verdict means on this machine, every path's full reason, the evidence for and against.
void platform_explain(const struct platform *p, struct str *out);

// The signature tables: NULL every row as Markdown (docs/detect.md), "summary" what is detected by which kinds of
// evidence, "man" the same as a table for the man page. -1 for another form.
int signatures_view(const char *form, struct str *out);

// Of view.c: adds `text` broken at 80 columns; the first line starts behind `first`, the others behind `rest` spaces.
void view_wrap(struct str *out, const char *first, size_t rest, const char *text);

// Of view.c: "a virtual machine: KVM, run by Firecracker".
void view_verdict(const struct platform *p, struct str *out);
