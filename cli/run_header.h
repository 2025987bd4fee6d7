// SPDX-License-Identifier: Apache-2.0
// What a run's journal says of the machine and of the command line, gathered from the rooms that know.
#pragma once

#include "core/json.h"

// The header's members but those that the runner adds (id, suite, collectors, calibration). `label` and `role` NULL: as
// detected. argv are the words behind "metalgap". The caller owns the result.
cJSON *run_header(const char *label, const char *role, int argc, char **argv);
