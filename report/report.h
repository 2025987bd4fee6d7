// SPDX-License-Identifier: Apache-2.0
// Makes a report from journals: the room's front door. May include: core.
#pragma once

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define REPORT_SCHEMA            "metalgap.report/1"
#define REPORT_DEFAULT_LIMIT_PCT 0.5

struct report_options {
    const char *const *journals; // subjects; at least one
    size_t journal_count;
    const char *const *baselines; // may be none
    size_t baseline_count;
    bool history; // the journals are runs of one subject at different times: the newest is the subject, all are its
                  // history
    const char *const *hosts; // journals of the subjects' hosts; may be none
    size_t host_count;
    double limit_pct;    // verdicts are against this; REPORT_DEFAULT_LIMIT_PCT unless the user said otherwise
    const char *format;  // "text", "json", ...: see report_formats()
    bool colour;         // escape sequences are wanted (a terminal): text only
    int columns;         // 40 to 80, that sentences are to fit; 0: 80. Text only
    const char *command; // the command line, for the page; may be NULL
};

// Reads the journals, compares and writes. 0, or -1 with `err`: code 2 for an unknown format, 3 for a bad journal (its
// place named), 5 if `out` cannot be written.
int report_make(const struct report_options *options, FILE *out, struct error *err);

// The names of the formats, "text, json, ...", for help and errors. `out` is terminated.
void report_formats(char *out, size_t size);

// The format that a file's name asks for ("x.html": "html"), or NULL if it asks for none.
const char *report_format_of_file(const char *path);
