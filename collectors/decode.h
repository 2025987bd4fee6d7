// SPDX-License-Identifier: Apache-2.0
// Which instruction ends at the end of a piece of code? Enough of a decoder to find instructions that may leave the
// guest; pure, and for all architectures on all machines. Sources: Intel SDM vol. 2, appendix A (opcode maps); AMD APM
// vol. 3 (XOP); Arm ARM, C4.1 (system instructions). May include: nothing but the C library.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum instruction {
    INSTRUCTION_OTHER, // does not leave the guest, or could not be told
    INSTRUCTION_CPUID,
    INSTRUCTION_PORT,      // in, out, ins, outs
    INSTRUCTION_HYPERCALL, // vmcall, vmmcall, hvc
    INSTRUCTION_TSC,       // rdtsc, rdtscp
    INSTRUCTION_MSR,       // rdmsr, wrmsr; arm64: a system register
    INSTRUCTION_HALT,      // hlt, wfi, wfe
    INSTRUCTION_INVD,      // invd, wbinvd
    INSTRUCTION_XSETBV,
    INSTRUCTION_PAUSE,
    INSTRUCTION_COUNT
};

extern const char *const instruction_names[INSTRUCTION_COUNT]; // "cpuid", ...

// The length of the x86-64 instruction at `code`; 0 if it is none, or longer than `size`.
size_t decode_x86_length(const uint8_t *code, size_t size);

// The instruction that ends exactly at code + size.
//
// On x86 instructions cannot be read backwards: the bytes of `cpuid` may as well be the end of a constant. So the code
// is read forwards from each of the first 16 bytes. Whatever the start, reading falls into step with the real
// instructions after a few of them; the answer counts if at least three quarters of those readings that arrive at the
// end agree on the last instruction, and there are at least four. `size` must leave room for that: 32 or more.
enum instruction decode_x86_before(const uint8_t *code, size_t size);
enum instruction decode_arm64_before(const uint8_t *code, size_t size);

// Does the code end where a pending interrupt is let in: behind the instruction that lets interrupts in again (x86:
// POPF, or one instruction behind STI; arm64: a write of DAIF)?
bool decode_x86_opens_interrupts(const uint8_t *code, size_t size);
bool decode_arm64_opens_interrupts(const uint8_t *code, size_t size);
