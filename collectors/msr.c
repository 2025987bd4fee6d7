// SPDX-License-Identifier: Apache-2.0
// The table of registers. Sources: Intel SDM vol. 4; arch/x86/include/asm/{msr-index,hyperv-tlfs,kvm_para}.h. "Let
// through": the registers that KVM takes out of the intercept bitmap (vmx_possible_passthrough_msrs in vmx.c,
// direct_access_msrs in svm.c).
#include "collectors/msr.h"

#include "core/memory.h"

#include <stddef.h>

static const struct {
    uint32_t first, last;
    enum cause cause;
    const char *name;
} registers[] = {
    {0x6e0, 0x6e0, CAUSE_EXIT_TIMER, "TSC_DEADLINE"},
    {0x830, 0x830, CAUSE_EXIT_IPI, "X2APIC_ICR"},
    {0x838, 0x838, CAUSE_EXIT_TIMER, "X2APIC_TMICT"},
    {0x83f, 0x83f, CAUSE_EXIT_IPI, "X2APIC_SELF_IPI"},
    {0x80b, 0x80b, CAUSE_EXIT_EOI, "X2APIC_EOI"},
    {0x40000070, 0x40000070, CAUSE_EXIT_EOI, "HV_EOI"},
    {0x40000071, 0x40000071, CAUSE_EXIT_IPI, "HV_ICR"},
    {MSR_HV_STIMER_FIRST, MSR_HV_STIMER_LAST, CAUSE_EXIT_TIMER, "HV_STIMER"},
    {0x48, 0x48, CAUSE_COUNT, "SPEC_CTRL"},
    {0x49, 0x49, CAUSE_COUNT, "PRED_CMD"},
    {0x10b, 0x10b, CAUSE_COUNT, "FLUSH_CMD"},
    {0x174, 0x176, CAUSE_COUNT, "SYSENTER"},
    {0x1c4, 0x1c5, CAUSE_COUNT, "XFD"},
    {0xc0000081, 0xc0000084, CAUSE_COUNT, "SYSCALL"},
    {0xc0000100, 0xc0000100, CAUSE_COUNT, "FS_BASE"},
    {0xc0000101, 0xc0000101, CAUSE_COUNT, "GS_BASE"},
    {0xc0000102, 0xc0000102, CAUSE_COUNT, "KERNEL_GS_BASE"},
    {0x38f, 0x390, CAUSE_EXIT_MSR, "PERF_GLOBAL"},
    {0x186, 0x18d, CAUSE_EXIT_MSR, "PERFEVTSEL"},
    {0xc0010200, 0xc001020b, CAUSE_EXIT_MSR, "AMD_PERF"},
    {0x4b564d00, 0x4b564d08, CAUSE_EXIT_MSR, "KVM"},
    {0x40000000, 0x400001ff, CAUSE_EXIT_MSR, "HV"},
};

enum cause msr_cause(uint32_t msr) {
    for (size_t i = 0; i < ARRAY_LEN(registers); i++) {
        if (msr >= registers[i].first && msr <= registers[i].last)
            return registers[i].cause;
    }
    return CAUSE_EXIT_MSR;
}

const char *msr_name(uint32_t msr) {
    for (size_t i = 0; i < ARRAY_LEN(registers); i++) {
        if (msr >= registers[i].first && msr <= registers[i].last)
            return registers[i].name;
    }
    return NULL;
}
