// SPDX-License-Identifier: Apache-2.0
// arm64 instructions that may leave the guest. See decode.h. All instructions are four bytes, little-endian.
#include "collectors/decode.h"

static const struct {
    uint32_t mask;
    uint32_t value;
    enum instruction instruction;
} leaving[] = {
    {0xffe0001f, 0xd4000002, INSTRUCTION_HYPERCALL}, // hvc #imm16
    {0xffe0001f, 0xd4000003, INSTRUCTION_HYPERCALL}, // smc #imm16, which hypervisors trap
    {0xffffffdf, 0xd503205f, INSTRUCTION_HALT},      // wfe, wfi: differ in bit 5
    {0xffffffff, 0xd503203f, INSTRUCTION_PAUSE},     // yield
    {0xffffff00, 0xd53be000, INSTRUCTION_TSC},       // mrs of CNTFRQ, CNTPCT, CNTVCT_EL0
    {0xffd00000, 0xd5100000, INSTRUCTION_MSR},       // msr, mrs of all other registers
};

static uint32_t last_word(const uint8_t *code, size_t size) {
    const uint8_t *last = code + size - 4;
    return last[0] | (uint32_t)last[1] << 8 | (uint32_t)last[2] << 16 | (uint32_t)last[3] << 24;
}

enum instruction decode_arm64_before(const uint8_t *code, size_t size) {
    if (size < 4)
        return INSTRUCTION_OTHER;
    const uint32_t word = last_word(code, size);
    for (size_t i = 0; i < sizeof leaving / sizeof leaving[0]; i++) {
        if ((word & leaving[i].mask) == leaving[i].value)
            return leaving[i].instruction;
    }
    return INSTRUCTION_OTHER;
}

bool decode_arm64_opens_interrupts(const uint8_t *code, size_t size) {
    const uint32_t word = size < 4 ? 0 : last_word(code, size);
    return (word & 0xfffff0ff) == 0xd50340ff     // msr daifclr, #imm4
           || (word & 0xffffffe0) == 0xd51b4220; // msr daif, register
}
