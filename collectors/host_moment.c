// SPDX-License-Identifier: Apache-2.0
// Reads both clocks of a host. See host_moment.h.
#include "collectors/host_moment.h"

#include "core/arch.h"
#include "core/clock.h"

struct host_moment host_moment_now(void) {
    // The counter is read between two readings of the clock; a pair that was torn apart is read again.
    struct host_moment m = {0};
    for (int i = 0; i < 10; i++) {
        uint64_t before = clock_now_ns();
        m.tsc = arch_ticks();
        m.ns = clock_now_ns();
        if (m.ns - before < 1000)
            break;
    }
    return m;
}
