// SPDX-License-Identifier: Apache-2.0
// A watched interval as text: a screen, or a line.
#pragma once

#include "bench/watch.h"
#include "core/str.h"

struct watch_page {
    const char *subject; // "kvm guest on firecracker"
    const char *time;    // "18:03:01"
    double interval_s;   // as asked for
    int columns;
    int rows;
    bool colour;
    bool redraw; // with the control sequences that draw over what stood there
};

// At most `rows` lines of at most `columns` characters. What came from other programs (names of functions and files)
// cannot bring control characters in.
void watch_text_screen(const struct watch_view *view, const struct watch_page *page, struct str *out);

// One line, ended: the time, how busy the CPUs are, the hypervisor's share, then the causes.
void watch_text_line(const struct watch_view *view, const char *time, struct str *out);
