// SPDX-License-Identifier: Apache-2.0
// Which CPU this is, as PMU metric files name it. See pmu_file.h. Sources: Intel SDM vol. 2, CPUID leaves 0 and 1; Arm
// ARM, MIDR_EL1, which the kernel shows in sysfs (Documentation/arch/arm64/cpu-feature-registers.rst).
#include "collectors/pmu_file.h"
#include "core/arch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIDR "/sys/devices/system/cpu/cpu0/regs/identification/midr_el1"

static bool from_cpuid(char *out, size_t size) {
    struct arch_cpuid r;
    char vendor[13] = {0};
    if (!arch_cpuid(0, 0, &r))
        return false;
    memcpy(vendor, &r.ebx, 4);
    memcpy(vendor + 4, &r.edx, 4);
    memcpy(vendor + 8, &r.ecx, 4);
    arch_cpuid(1, 0, &r);
    unsigned family = (r.eax >> 8) & 0xf;
    unsigned model = (r.eax >> 4) & 0xf;
    if (family == 6 || family == 15)
        model |= (r.eax >> 12) & 0xf0;
    if (family == 15)
        family += (r.eax >> 20) & 0xff;
    snprintf(out, size, "%s-%u-%X", vendor, family, model);
    return true;
}

static bool from_midr(char *out, size_t size) {
    size_t length;
    char *text = json_read_file(MIDR, 64, &length, NULL);
    unsigned long long midr = text ? strtoull(text, NULL, 16) : 0;
    free(text);
    if (!midr)
        return false;
    snprintf(out, size, "%02llX-%03llX", (midr >> 24) & 0xff, (midr >> 4) & 0xfff);
    return true;
}

void pmu_cpu_id(char *out, size_t size) {
    if (!from_cpuid(out, size) && !from_midr(out, size))
        out[0] = '\0';
}
