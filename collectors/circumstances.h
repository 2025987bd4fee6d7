// SPDX-License-Identifier: Apache-2.0
// What can make two runs differ that is neither of them's hypervisor: kernel, mitigations, governor, huge pages,
// clock source, limits. Read once per run; the report shows what differs between two runs.
#pragma once

#include "core/json.h"

// An object of strings, one key for each row of the table in circumstances.c; what cannot be read is left out.
// The caller owns it.
cJSON *circumstances_to_json(void);
