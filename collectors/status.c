// SPDX-License-Identifier: Apache-2.0
// Filling a collector's status. See collectors.h.
#include "collectors/collectors.h"

#include <stdarg.h>
#include <stdio.h>

void collector_say(struct collector_status *status, enum collector_state state, const char *hint, const char *reason,
                   ...) {
    va_list args;
    status->state = state;
    snprintf(status->hint, sizeof status->hint, "%s", hint);
    va_start(args, reason);
    vsnprintf(status->reason, sizeof status->reason, reason, args);
    va_end(args);
}
