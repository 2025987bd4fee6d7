// SPDX-License-Identifier: Apache-2.0
// Which cause a write of a model-specific register belongs to.
#pragma once

#include "core/cause.h"

#include <stdint.h>

// The cause of a write of this register; CAUSE_COUNT: hypervisors let it through, so it is no exit.
enum cause msr_cause(uint32_t msr);

// A short name such as "TSC_DEADLINE", or NULL.
const char *msr_name(uint32_t msr);
