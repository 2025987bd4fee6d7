// SPDX-License-Identifier: Apache-2.0
// What a case's ledger could not be told of, in sentences. May include: core, report (not the renderers).
#pragma once

#include "report/model.h"

// Fills c->told from the ledger: causes that could not be told in some or all samples, those with one reason in one
// sentence.
void model_tell_gaps(struct model_case *c, const struct model *model);
