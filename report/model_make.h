// SPDX-License-Identifier: Apache-2.0
// Builds the report's model from journals. May include: core, report (not the renderers).
#pragma once

#include "report/model.h"

// Builds the model. The data sets stay the caller's and must outlive it. Never fails: what cannot be said is said.
void model_make(struct model *model, const struct dataset *subjects, size_t subject_count,
                const struct dataset *baselines, size_t baseline_count, double limit_pct);
void model_free(struct model *model);
