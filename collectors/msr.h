// SPDX-License-Identifier: Apache-2.0
// Which cause a write of a model-specific register belongs to.
#pragma once

#include "core/cause.h"

#include <stdint.h>

// Hyper-V's four synthetic timers: configuration and count of each.
#define MSR_HV_STIMER_FIRST 0x400000b0U
#define MSR_HV_STIMER_LAST  0x400000b7U

// The cause of a write of this register; CAUSE_COUNT: hypervisors let it through, so it is no exit.
enum cause msr_cause(uint32_t msr);

// A short name such as "TSC_DEADLINE", or NULL.
const char *msr_name(uint32_t msr);
