// SPDX-License-Identifier: Apache-2.0
// What a reader has to mind: about one sample, a case, a journal, both sides. May include: core, report/model.h.
#pragma once

#include "report/model.h"

// Appends to the warnings of the case, or of the model.
void model_warn_case(struct model_case *c, const struct model *model);
void model_warn_journal(struct model *model, const struct dataset *set);
void model_warn_sides(struct model *model);
void model_warn_notes(struct model *model, const struct dataset *set); // to those that are said once as well

// Whether a sample stands out (more than 3.5 robust standard deviations slower), and by which cause it is marked:
// "steal", "other programs on its CPUs", or "no cause known". NULL: it does not stand out.
// `centre` and `spread` from model_spread().
const char *model_outlier(const struct point *point, double centre, double spread);
void model_spread(const struct side *side, double *centre, double *spread);
