// SPDX-License-Identifier: Apache-2.0
// See hypervisor.h.
#include "collectors/hypervisor.h"

#include "core/arch.h"

#include <unistd.h>

bool hypervisor_below(void) {
    struct arch_cpuid r;
    return !arch_cpuid(1, 0, &r) || (r.ecx & (1U << 31)) || access("/sys/hypervisor/type", F_OK) == 0;
}
