// SPDX-License-Identifier: Apache-2.0
// What the parts of the OpenMetrics report share. May include: core, report.
#pragma once

#include "report/history.h"

#include <stdio.h>

// KEY="VALUE", escaped.
void openmetrics_label(FILE *out, const char *key, const char *value);

// openmetrics_history.c: how many runs a case has, its changes, and the last one's size and time.
void openmetrics_history(FILE *out, const struct history *history);
