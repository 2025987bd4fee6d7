// SPDX-License-Identifier: Apache-2.0
// Progress on standard error. See progress.h.
#include "bench/progress.h"

#include "core/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct progress {
    bool terminal;
    bool drawn; // a line that must be drawn over
};

struct progress *progress_new(void) {
    struct progress *p = mem_alloc(sizeof *p);
    p->terminal = isatty(STDERR_FILENO);
    return p;
}

static void erase(struct progress *p) {
    if (p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = false;
}

void progress_free(struct progress *p) {
    if (!p)
        return;
    erase(p);
    free(p);
}

void progress_say(struct progress *p, const char *text) {
    erase(p);
    fprintf(stderr, p->terminal ? "%s ..." : "%s\n", text);
    p->drawn = p->terminal;
    fflush(stderr);
}

static void format_left(double left_s, char *out, size_t size) {
    if (isnan(left_s))
        out[0] = '\0';
    else if (left_s < 100)
        snprintf(out, size, ", about %.0f s left", left_s);
    else
        snprintf(out, size, ", about %.0f min left", ceil(left_s / 60));
}

void progress_sample(struct progress *p, const char *name, const char *mode, size_t done, size_t planned,
                     double left_s) {
    char left[64];
    if (!p->terminal)
        return;
    erase(p);
    format_left(left_s, left, sizeof left);
    fprintf(stderr, "[%zu/%zu] %.40s, %s sample%s", done + 1, planned, name, mode, left);
    p->drawn = true;
    fflush(stderr);
}

void progress_line(struct progress *p, const char *format, ...) {
    erase(p);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}
