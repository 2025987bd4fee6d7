// SPDX-License-Identifier: Apache-2.0
// What is to be said of the unit costs that a journal's calibrated lines rest on. May include: core, report/dataset.h.
#pragma once

#include "report/dataset.h"

// A sentence if the cost of this trap moved by more than a tenth while the run went on, or if its two measurements
// contradict each other; NULL if there is nothing to say, or the trap does not leave the guest. free() it.
char *unit_cost_doubt(const struct dataset *set, enum trap trap);
