// SPDX-License-Identifier: Apache-2.0
// Cases that were read from the same runs: a program that prints many figures is run once for all of them, and what
// these runs lost is theirs in common. Renderers show it once. May include: report/model.h.
#pragma once

#include "report/model.h"

// Fills in first_of_runs and next_of_runs of all cases, in linear time: cases share runs that have the same
// observations, each of the same beginning (start_ns; journals without it tell nothing of that) and as valid.
void model_find_shared_runs(struct model *model);

// Whether a case's ledger is that of the first of its runs as well: against a baseline it is not, since there the
// percent are of each figure's own cost.
bool model_repeats_ledger(const struct model *model, size_t place);

// "The same holds for b, c, read from the same runs.": the cases behind this one that repeat its ledger. NULL where
// there are none; free() it.
char *model_repeating_sentence(const struct model *model, size_t place);
