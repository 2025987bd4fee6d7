// SPDX-License-Identifier: Apache-2.0
// What a report says in one sentence. Each returns a text that the caller frees. May include: core, report/model.h.
#pragma once

#include "report/model.h"

char *model_case_sentence(const struct model_case *c, const struct model *model); // without a full stop
char *model_overall_sentence(const struct model *model);
char *model_scope_sentence(const struct model *model); // what the samples can and cannot speak for
