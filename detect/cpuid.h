// SPDX-License-Identifier: Apache-2.0
// Where CPUID leaves come from: the instruction on the live machine, or a recorded dump. May include: core.
#pragma once

#include "core/str.h"
#include "detect/sysroot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cpuid_register { EAX, EBX, ECX, EDX };

struct cpuid_leaf {
    uint32_t leaf, subleaf;
    uint32_t reg[4];
    uint8_t known; // bit i: reg[i] was recorded
};

// A source of leaves. Those read from the live machine are kept: each costs a VM exit, and a capture writes them.
struct cpuid {
    bool live;
    struct cpuid_leaf *leaves;
    size_t count, capacity;
};

// Live: the instruction. Else: the sysroot's cpuid.txt (the raw format of `cpuid -1 -r`; "unknown" as a value; '#'
// starts a comment; lines that are neither are skipped). No file: no leaves.
void cpuid_open(struct cpuid *source, struct sysroot *root);
void cpuid_close(struct cpuid *source);

// True if there is anything to ask.
bool cpuid_present(const struct cpuid *source);

// A leaf, NULL if it is not there. Valid until the next call.
const struct cpuid_leaf *cpuid_get(struct cpuid *source, uint32_t leaf, uint32_t subleaf);

// One register; false if it is not known.
bool cpuid_reg(struct cpuid *source, uint32_t leaf, enum cpuid_register reg, uint32_t *out);

// True if bit `bit` of the register is known and set.
bool cpuid_bit(struct cpuid *source, uint32_t leaf, enum cpuid_register reg, unsigned bit);

// The 12 characters of a signature leaf (order ebx, ecx, edx), terminated. False if one of them is not known.
bool cpuid_signature(struct cpuid *source, uint32_t leaf, char out[13]);

// The brand string (leaves 0x80000002..4), trimmed; empty if not known.
void cpuid_brand(struct cpuid *source, char out[49]);

// Writes the leaves that were read in the format that cpuid_open() reads.
void cpuid_write(const struct cpuid *source, struct str *out);
