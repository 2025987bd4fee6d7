// SPDX-License-Identifier: Apache-2.0
// A guest's knock at its host: three CPUIDs whose subleaves hold the guest's TSC. A host that listens
// (collectors/kvm_host.h, at the exit or the entry behind it) learns from it which virtual machine this is and how
// far the two counters are apart, to within the duration of one exit. To any other host, and on bare metal, they are
// three CPUIDs of a leaf that does not exist, which are answered and forgotten.
#pragma once

// Leaf + 0: low half of the TSC; + 1: high half; + 2: ticks that the first one took. "MG" and 0x4100.
#define KNOCK_LEAF 0x4d474100U

// Knocks once. Three exits, some microseconds in all. Does nothing where there is no CPUID instruction.
void knock(void);
