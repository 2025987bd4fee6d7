// SPDX-License-Identifier: Apache-2.0
// The key `cases[].requests` of the JSON report. May include: core, report.
#pragma once

#include "core/json.h"
#include "report/dataset.h"

// An array, empty where nothing was split; NULL is a case without data. The caller owns it.
cJSON *json_io(const struct dataset_case *c);
