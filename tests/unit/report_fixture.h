// SPDX-License-Identifier: Apache-2.0
// Journals written by tests: a header, cases and samples as text, into a temporary file.
#pragma once

#include "core/memory.h"
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    struct str text;
    char path[64];
};

static inline void fixture_begin(struct fixture *f, const char *label, const char *role, const char *host) {
    *f = (struct fixture){.path = "/tmp/metalgap-report-test-XXXXXX"};
    str_printf(&f->text,
               "{\"t\":\"header\",\"schema\":\"metalgap.run/1\",\"id\":\"x\",\"started\":\"2026-01-02T03:04:05Z\","
               "\"tool\":{\"version\":\"0\"},\"label\":\"%s\",\"role\":\"%s\",\"host\":\"%s\"}\n",
               label, role, host);
}

static inline void fixture_end(struct fixture *f) {
    int fd = mkstemp(f->path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file)
        abort();
    fwrite(str_text(&f->text), 1, f->text.length, file);
    fclose(file);
}

static inline void fixture_remove(struct fixture *f) {
    unlink(f->path);
    str_free(&f->text);
}
