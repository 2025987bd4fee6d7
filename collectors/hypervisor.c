// SPDX-License-Identifier: Apache-2.0
// See hypervisor.h.
#include "collectors/hypervisor.h"

#include "core/arch.h"
#include "core/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool hypervisor_below(void) {
    struct arch_cpuid r;
    return !arch_cpuid(1, 0, &r) || (r.ecx & (1U << 31)) || access("/sys/hypervisor/type", F_OK) == 0;
}

bool hypervisor_is_xen(void) {
    size_t length;
    char *type = json_read_file("/sys/hypervisor/type", 64, &length, NULL);
    bool is = type && strncmp(type, "xen", strlen("xen")) == 0;
    free(type);
    return is;
}
