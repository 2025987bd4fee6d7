// SPDX-License-Identifier: Apache-2.0
// x86-64: TSC and CPUID. See arch.h. Leaves: Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E.
#if defined(__x86_64__)
#include "core/arch.h"

#include <cpuid.h>
#include <x86intrin.h>

const char *const arch_name = "x86_64";

uint64_t arch_ticks(void) {
    _mm_lfence(); // with it RDTSC waits for what comes before, as RDTSCP does, which CPU models such as qemu64 lack
    return __rdtsc();
}

double arch_ticks_stated_hz(void) {
    struct arch_cpuid r;
    if (__get_cpuid_max(0, NULL) < 0x15)
        return 0;
    arch_cpuid(0x15, 0, &r);
    // TSC frequency = crystal (ecx, Hz) * numerator (ebx) / denominator (eax); any of them may be 0 = not stated.
    return r.eax && r.ebx && r.ecx ? (double)r.ecx * r.ebx / r.eax : 0;
}

bool arch_ticks_invariant(void) {
    struct arch_cpuid r;
    if ((unsigned)__get_cpuid_max(0x80000000, NULL) < 0x80000007)
        return false;
    arch_cpuid(0x80000007, 0, &r);
    return r.edx & (1U << 8);
}

bool arch_cpuid(uint32_t leaf, uint32_t subleaf, struct arch_cpuid *out) {
    __asm__ volatile("cpuid"
                     : "=a"(out->eax), "=b"(out->ebx), "=c"(out->ecx), "=d"(out->edx)
                     : "a"(leaf), "c"(subleaf), "D"((uint64_t)leaf), "S"((uint64_t)subleaf));
    return true;
}

void arch_serialize(void) {
    _mm_lfence();
}
#endif
