// SPDX-License-Identifier: Apache-2.0
// Architectures whose trapping instructions are not known to us. See traps.h.
#if !defined(__x86_64__) && !defined(__aarch64__)
#include "bench/kernels/traps.h"

trap_instruction traps_instruction(enum trap trap, const char **why) {
    (void)trap;
    *why = "this architecture's trapping instructions are not known";
    return NULL;
}

double traps_native_cycles(enum trap trap) {
    (void)trap;
    return 0;
}
#endif
