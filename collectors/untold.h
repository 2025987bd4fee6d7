// SPDX-License-Identifier: Apache-2.0
// What a collector normally tells: where it takes no part in a sample, all of that is not known there. May include:
// core, collectors.
#pragma once

#include "collectors/collector.h"

// Says of every cause that the collector `name` tells in samples of this mode that it could not be told.
void untold_by(const char *name, enum sample_mode mode, const char *why, struct observations *obs);

// The same for all collectors.
void untold_by_all(enum sample_mode mode, const char *why, struct observations *obs);

// True if it tells causes of the job's tasks only, which it knows by their session (window_session()).
bool follows_session(const char *name);
