// SPDX-License-Identifier: Apache-2.0
// Is there a steal clock? See steal_clock.h. Sources: Documentation/virt/kvm/x86/cpuid.rst and msr.rst (KVM_FEATURE_
// STEAL_TIME is bit 5), arch/x86/xen/time.c (the run-state area is always there), arch/x86/kernel/cpu/vmware.c (by a
// hypercall, told in the kernel log only); Hyper-V has none.
#include "collectors/steal_clock.h"

#include "collectors/hypervisor.h"
#include "core/arch.h"
#include "core/json.h"
#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KVM_STEAL_TIME (1U << 5)

static void say(struct steal_clock *out, bool provided, const char *reason, const char *hint) {
    out->provided = provided;
    snprintf(out->reason, sizeof out->reason, "%s", reason);
    snprintf(out->hint, sizeof out->hint, "%s", hint);
}

static void decide(const struct steal_evidence *e, struct steal_clock *out) {
    if (e->seen)
        say(out, true, "steal time has been reported since boot", "");
    else if (e->switched_off)
        say(out, false, "the kernel was booted with no-steal-acc: steal 0 proves nothing", "boot without no-steal-acc");
    else if (!e->can_tell)
        say(out, false,
            "no steal time has been reported since boot, and this processor does not tell whether there "
            "is a steal clock: steal 0 proves nothing",
            "compare with a host-side recording");
    else if (!e->hypervisor)
        say(out, true, "there is no hypervisor that could steal time", "");
    else if (strcmp(e->signature, "KVMKVMKVM") == 0 && (e->kvm_features & KVM_STEAL_TIME))
        say(out, true, "KVM offers its steal clock (CPUID feature bit 5)", "");
    else if (strcmp(e->signature, "KVMKVMKVM") == 0)
        say(out, false, "KVM offers this guest no steal clock (CPUID feature bit 5 is 0): steal 0 proves nothing",
            "have the host enable it (QEMU: -cpu ...,+kvm-steal-time)");
    else if (strcmp(e->signature, "XenVMMXenVMM") == 0)
        say(out, true, "Xen tells each vCPU's run states", "");
    else
        say(out, false,
            "no steal time has been reported since boot, and this hypervisor is not known to report any: "
            "steal 0 proves nothing",
            "compare with a host-side recording");
}

void steal_clock_decide(const struct steal_evidence *e, struct steal_clock *out) {
    decide(e, out);
    out->counts = out->provided && (e->hypervisor || e->seen);
}

static bool command_line_has(const char *word) {
    size_t length;
    char *text = json_read_file("/proc/cmdline", 1U << 16, &length, NULL);
    const char *at = text ? strstr(text, word) : NULL;
    free(text);
    return at != NULL;
}

// The hypervisor's interfaces sit at 0x40000000 and, where several are offered, at steps of 0x100 above it. KVM and Xen
// are looked for at each; otherwise the first one counts.
static void find_signature(struct steal_evidence *e) {
    for (uint32_t base = 0x40000000; base < 0x40010000; base += 0x100) {
        struct arch_cpuid r;
        char signature[13] = {0};
        arch_cpuid(base, 0, &r);
        memcpy(signature, &r.ebx, 4);
        memcpy(signature + 4, &r.ecx, 4);
        memcpy(signature + 8, &r.edx, 4);
        if (!signature[0] && base > 0x40000000)
            return;
        bool kvm = strcmp(signature, "KVMKVMKVM") == 0;
        if (base == 0x40000000 || kvm || strcmp(signature, "XenVMMXenVMM") == 0)
            memcpy(e->signature, signature, sizeof signature);
        if (kvm && arch_cpuid(base + 1, 0, &r))
            e->kvm_features = r.eax;
        if (kvm || r.eax < base)
            return;
    }
}

void steal_clock_find(const struct proc_stat *now, struct steal_clock *out) {
    struct steal_evidence e = {.switched_off = command_line_has("no-steal-acc")};
    struct arch_cpuid r;
    for (size_t cpu = 0; cpu < now->count; cpu++)
        e.seen |= now->cpus[cpu].ticks[CPU_STEAL] > 0;
    e.can_tell = arch_cpuid(1, 0, &r);
    e.hypervisor = e.can_tell && hypervisor_below();
    if (e.hypervisor)
        find_signature(&e);
    if (hypervisor_is_xen()) // a PV guest does not see it in CPUID
        snprintf(e.signature, sizeof e.signature, "XenVMMXenVMM");
    steal_clock_decide(&e, out);
}
