// SPDX-License-Identifier: Apache-2.0
// A run's notes, for reading: equal ones of several samples and cases are one. May include: core, report/dataset.h.
#pragma once

#include "report/dataset.h"
#include "report/said.h"

// Adds the notes of this level ("LABEL: text") with the cases that they name at their beginning.
void notes_say(const struct dataset *set, bool warn, struct said *said);
