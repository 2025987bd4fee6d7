// SPDX-License-Identifier: Apache-2.0
// Which instruction ends where, and how sure that is.
#include "collectors/decode.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

// Lengths, checked against a disassembler.
static void lengths(void **state) {
    (void)state;
    static const struct {
        size_t length;
        uint8_t code[15];
    } known[] = {
        {1, {0x90}},                                            // nop
        {2, {0x0f, 0xa2}},                                      // cpuid
        {3, {0x0f, 0x01, 0xd9}},                                // vmmcall
        {5, {0xe8, 1, 2, 3, 4}},                                // call
        {10, {0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}},             // movabs $imm64, %rax
        {5, {0xb8, 0x0f, 0xa2, 0x0f, 0xa2}},                    // mov $imm32, %eax
        {4, {0x66, 0xb8, 1, 2}},                                // mov $imm16, %ax
        {7, {0x48, 0x8b, 0x05, 1, 2, 3, 4}},                    // mov disp32(%rip), %rax
        {8, {0x48, 0x8b, 0x84, 0x24, 1, 2, 3, 4}},              // mov disp32(%rsp), %rax
        {8, {0x48, 0x8b, 0x04, 0x25, 1, 2, 3, 4}},              // mov disp32, %rax
        {5, {0x48, 0x8b, 0x44, 0x24, 8}},                       // mov 8(%rsp), %rax
        {3, {0xf6, 0xc0, 1}},                                   // test $1, %al
        {2, {0xf6, 0xd0}},                                      // not %al
        {6, {0xf7, 0xc0, 1, 2, 3, 4}},                          // test $imm32, %eax
        {3, {0x48, 0xf7, 0xd8}},                                // neg %rax
        {4, {0xc8, 1, 2, 3}},                                   // enter
        {3, {0xc2, 1, 2}},                                      // ret $imm16
        {9, {0xa1, 1, 2, 3, 4, 5, 6, 7, 8}},                    // movabs addr64, %eax
        {6, {0x0f, 0x84, 1, 2, 3, 4}},                          // je
        {9, {0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}},           // nopw
        {6, {0x66, 0x0f, 0x3a, 0x0f, 0xc1, 8}},                 // palignr
        {5, {0x66, 0x0f, 0x38, 0x00, 0xc1}},                    // pshufb
        {3, {0xc5, 0xf8, 0x77}},                                // vzeroupper
        {4, {0xc5, 0xf9, 0x6f, 0xc1}},                          // vmovdqa
        {5, {0xc5, 0xf9, 0x70, 0xc1, 1}},                       // vpshufd
        {5, {0xc4, 0xe2, 0x71, 0x98, 0xc2}},                    // vfmadd132ps
        {6, {0xc4, 0xe3, 0x75, 0x0f, 0xc2, 8}},                 // vpalignr
        {6, {0x62, 0xf1, 0xfd, 0x48, 0x6f, 0xc1}},              // vmovdqa64 zmm
        {7, {0x62, 0xf3, 0x75, 0x48, 0x0f, 0xc2, 8}},           // vpalignr zmm
        {12, {0x48, 0xc7, 0x84, 0x24, 1, 2, 3, 4, 5, 6, 7, 8}}, // movq $imm32, disp32(%rsp)
        {2, {0x8f, 0xc0}},                                      // pop, not XOP
        {0, {0x06}},                                            // not in 64-bit code
        {0, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66}},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        const size_t length = decode_x86_length(known[i].code, sizeof known[i].code);
        const size_t wanted = known[i].length;
        assert_int_equal(length, wanted);
        if (wanted)
            assert_int_equal(decode_x86_length(known[i].code, wanted - 1), 0); // cut off
    }
    assert_int_equal(decode_x86_length(NULL, 0), 0);
}

// Ordinary code of 48 bytes that ends with `tail`.
static void ordinary_code(const uint8_t *tail, size_t size, uint8_t code[48]) {
    static const uint8_t ordinary[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10, 0x89, 0x7d, 0xfc, 0x31,
                                       0xc0, 0x8b, 0x55, 0xfc, 0x48, 0x01, 0xd0, 0x48, 0x89, 0x45, 0xf0, 0x53};
    memset(code, 0x90, 48);
    memcpy(code + 48 - size - sizeof ordinary, ordinary, sizeof ordinary);
    memcpy(code + 48 - size, tail, size);
}

static enum instruction behind(const uint8_t *tail, size_t size) {
    uint8_t code[48];
    ordinary_code(tail, size, code);
    return decode_x86_before(code, sizeof code);
}
#define BEHIND(...) behind((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void finds_what_leaves(void **state) {
    (void)state;
    assert_int_equal(BEHIND(0x0f, 0xa2), INSTRUCTION_CPUID);
    assert_int_equal(BEHIND(0xf3, 0x0f, 0xa2), INSTRUCTION_CPUID);
    assert_int_equal(BEHIND(0x0f, 0x01, 0xc1), INSTRUCTION_HYPERCALL);
    assert_int_equal(BEHIND(0x0f, 0x01, 0xd9), INSTRUCTION_HYPERCALL);
    assert_int_equal(BEHIND(0xec), INSTRUCTION_PORT);
    assert_int_equal(BEHIND(0x66, 0xef), INSTRUCTION_PORT);
    assert_int_equal(BEHIND(0xe6, 0x80), INSTRUCTION_PORT);
    assert_int_equal(BEHIND(0xf3, 0x6e), INSTRUCTION_PORT);
    assert_int_equal(BEHIND(0x0f, 0x31), INSTRUCTION_TSC);
    assert_int_equal(BEHIND(0x0f, 0x01, 0xf9), INSTRUCTION_TSC);
    assert_int_equal(BEHIND(0x0f, 0x30), INSTRUCTION_MSR);
    assert_int_equal(BEHIND(0xf4), INSTRUCTION_HALT);
    assert_int_equal(BEHIND(0x0f, 0x01, 0xd1), INSTRUCTION_XSETBV);
    assert_int_equal(BEHIND(0xf3, 0x90), INSTRUCTION_PAUSE);
    assert_int_equal(BEHIND(0x0f, 0x08), INSTRUCTION_INVD);
}

static void is_not_deceived_by_bytes(void **state) {
    (void)state;
    assert_int_equal(BEHIND(0xb8, 0x00, 0x00, 0x0f, 0xa2), INSTRUCTION_OTHER);             // mov $0xa20f0000, %eax
    assert_int_equal(BEHIND(0x48, 0x8b, 0x80, 0x00, 0x0f, 0x01, 0xd9), INSTRUCTION_OTHER); // in a displacement
    assert_int_equal(BEHIND(0xeb, 0xec), INSTRUCTION_OTHER);                               // jmp
    assert_int_equal(BEHIND(0x6a, 0xf4), INSTRUCTION_OTHER);                               // push
    assert_int_equal(BEHIND(0x48, 0x31, 0xee), INSTRUCTION_OTHER);                         // xor %rbp, %rsi
    assert_int_equal(BEHIND(0x90), INSTRUCTION_OTHER);                                     // nop, not pause
    assert_int_equal(BEHIND(0x0f, 0x01, 0xd0), INSTRUCTION_OTHER);                         // xgetbv
    assert_int_equal(BEHIND(0x0f, 0xa2, 0x90), INSTRUCTION_OTHER);                         // one further
    static const uint8_t unreadable[48];
    assert_int_equal(decode_x86_before(unreadable, sizeof unreadable), INSTRUCTION_OTHER);
    static const uint8_t alone[] = {0x0f, 0xa2};
    assert_int_equal(decode_x86_before(alone, sizeof alone), INSTRUCTION_OTHER); // too little to be sure
    assert_int_equal(decode_x86_before(NULL, 0), INSTRUCTION_OTHER);
}

static bool opens(const uint8_t *tail, size_t size) {
    uint8_t code[48];
    ordinary_code(tail, size, code);
    return decode_x86_opens_interrupts(code, sizeof code);
}
#define OPENS(...) opens((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void lets_interrupts_in(void **state) {
    (void)state;
    assert_true(OPENS(0x9d));                    // popf
    assert_true(OPENS(0xfb, 0x90));              // sti; nop: STI lasts one instruction
    assert_true(OPENS(0xfb, 0x48, 0x89, 0xd8));  // sti; mov %rbx, %rax
    assert_false(OPENS(0xfb));                   // not yet
    assert_false(OPENS(0xfb, 0x90, 0x90));       // long since
    assert_false(OPENS(0x9d, 0x90));             // long since
    assert_false(OPENS(0x83, 0xc8, 0xfb, 0x90)); // or $-5, %eax; nop
    assert_false(OPENS(0x90));
    assert_false(decode_x86_opens_interrupts(NULL, 0));
}

// Any bytes at all: an answer, and no reading outside (a sanitizer would tell).
static void any_bytes(void **state) {
    (void)state;
    unsigned random = 1;
    size_t found = 0;
    for (int i = 0; i < 20000; i++) {
        size_t size = random % 49;
        uint8_t *code = mem_alloc(size + 1);
        for (size_t k = 0; k < size; k++) {
            random = random * 1103515245U + 12345U;
            code[k] = (uint8_t)(random >> 16);
        }
        uint8_t *exact = mem_alloc(size ? size : 1);
        memcpy(exact, code, size);
        enum instruction instruction = decode_x86_before(exact, size);
        assert_in_range(instruction, 0, INSTRUCTION_COUNT - 1);
        found += instruction == INSTRUCTION_CPUID;
        decode_arm64_before(exact, size);
        free(exact);
        free(code);
    }
    assert_true(found < 10); // noise is no code: agreement by chance on two given bytes is rare
}

static enum instruction arm(uint32_t word) {
    const uint8_t code[8] = {0x1f, 0x20, 0x03, 0xd5, word & 0xff, word >> 8 & 0xff, word >> 16 & 0xff, word >> 24};
    return decode_arm64_before(code, sizeof code);
}

static void arm64(void **state) {
    (void)state;
    assert_int_equal(arm(0xd4000002), INSTRUCTION_HYPERCALL); // hvc #0
    assert_int_equal(arm(0xd4000003), INSTRUCTION_HYPERCALL); // smc #0
    assert_int_equal(arm(0xd4000001), INSTRUCTION_OTHER);     // svc #0
    assert_int_equal(arm(0xd503207f), INSTRUCTION_HALT);      // wfi
    assert_int_equal(arm(0xd503205f), INSTRUCTION_HALT);      // wfe
    assert_int_equal(arm(0xd503203f), INSTRUCTION_PAUSE);     // yield
    assert_int_equal(arm(0xd503201f), INSTRUCTION_OTHER);     // nop
    assert_int_equal(arm(0xd53be040), INSTRUCTION_TSC);       // mrs x0, cntvct_el0
    assert_int_equal(arm(0xd5380000), INSTRUCTION_MSR);       // mrs x0, midr_el1
    assert_int_equal(arm(0xd51ce100), INSTRUCTION_MSR);       // msr cntvoff-like register, x0
    assert_int_equal(arm(0x8b010000), INSTRUCTION_OTHER);     // add
    assert_int_equal(decode_arm64_before(NULL, 0), INSTRUCTION_OTHER);
    assert_true(decode_arm64_opens_interrupts((const uint8_t[]){0xff, 0x42, 0x03, 0xd5}, 4));  // msr daifclr, #2
    assert_true(decode_arm64_opens_interrupts((const uint8_t[]){0x20, 0x42, 0x1b, 0xd5}, 4));  // msr daif, x0
    assert_false(decode_arm64_opens_interrupts((const uint8_t[]){0xdf, 0x42, 0x03, 0xd5}, 4)); // msr daifset, #2
    assert_false(decode_arm64_opens_interrupts(NULL, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths),
        cmocka_unit_test(finds_what_leaves),
        cmocka_unit_test(is_not_deceived_by_bytes),
        cmocka_unit_test(lets_interrupts_in),
        cmocka_unit_test(any_bytes),
        cmocka_unit_test(arm64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
