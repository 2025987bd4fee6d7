// SPDX-License-Identifier: Apache-2.0
// What a person sees on standard error during a run: on a terminal one line that is drawn over, with an estimate of the
// time left; elsewhere one line when a case is complete.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct progress;

struct progress *progress_new(void);
void progress_free(struct progress *p); // also ends the line

// Says in words what is happening ("calibrating"). Drawn over by the next call on a terminal.
void progress_say(struct progress *p, const char *text);

// Before a sample: `done` of `planned` samples are there; left_s is the estimate for the rest, NaN if there is none.
void progress_sample(struct progress *p, const char *name, const char *mode, size_t done, size_t planned,
                     double left_s);

// A line that stays.
void progress_line(struct progress *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
