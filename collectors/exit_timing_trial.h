// SPDX-License-Identifier: Apache-2.0
// Trying the sources of the collector exit_timing on what this process does itself, while they are attached. May
// include: core, the probe's structures.
#pragma once

#include "collectors/exit_timing_sources.h"

// Takes what times touches and tries functions on it: before other sources are taken, as none may be of a function
// where no function is to be trusted.
void timing_try_functions(struct exit_timing *t);

// Takes another source for timers where the one at hand sees none, and limits what counts as an exit.
void timing_try_timer(struct exit_timing *t);

// Measures what touches of pages take that the host has backed.
void timing_try_touches(struct exit_timing *t);
