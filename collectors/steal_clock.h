// SPDX-License-Identifier: Apache-2.0
// Does the hypervisor tell this guest about stolen time? Without that the steal column of /proc/stat stays 0, whatever
// happens.
#pragma once

#include "collectors/proc_stat.h"

struct steal_clock {
    bool provided;    // there is such a clock, or there is no hypervisor that could steal
    bool counts;      // there is such a clock
    char reason[192]; // why we say so
    char hint[128];   // what would enable it; empty if provided
};

// What the decision rests on.
struct steal_evidence {
    bool seen;       // some CPU's steal counter is not 0: the clock works, whoever provides it
    bool can_tell;   // CPUID could be asked (x86)
    bool hypervisor; // there is one
    char
        signature[13]; // its, from CPUID leaf 0x40000000 and its moved copies; may be empty. Xen's by the kernel's word
    uint32_t kvm_features; // KVM's feature word (leaf base + 1, eax); 0 under others
    bool switched_off;     // no-steal-acc on the kernel's command line
};

void steal_clock_decide(const struct steal_evidence *evidence, struct steal_clock *out);

// Asks the machine: CPUID (a few VM exits), the kernel's command line, and `now`, a reading of /proc/stat.
void steal_clock_find(const struct proc_stat *now, struct steal_clock *out);
