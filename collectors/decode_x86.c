// SPDX-License-Identifier: Apache-2.0
// Lengths of x86-64 instructions, and those that may leave the guest. See decode.h.
#include "collectors/decode.h"

#include <stdbool.h>
#include <string.h>

const char *const instruction_names[INSTRUCTION_COUNT] = {
    [INSTRUCTION_OTHER] = "other",         [INSTRUCTION_CPUID] = "cpuid", [INSTRUCTION_PORT] = "port",
    [INSTRUCTION_HYPERCALL] = "hypercall", [INSTRUCTION_TSC] = "tsc",     [INSTRUCTION_MSR] = "msr",
    [INSTRUCTION_HALT] = "halt",           [INSTRUCTION_INVD] = "invd",   [INSTRUCTION_XSETBV] = "xsetbv",
    [INSTRUCTION_PAUSE] = "pause",
};

// What follows an opcode, one character for each, sixteen to a row:
//   x  not an instruction      .  nothing             m  ModRM              M  ModRM, imm8     Z  ModRM, imm16/32
//   b  imm8                    z  imm16/32            j  imm32              v  imm16/32/64     w  imm16    e  imm24
//   a  address of 8 (4) bytes  t  ModRM, and imm8 for TEST                  T  ModRM, and imm16/32 for TEST
// Prefixes and escapes are handled before the table is looked at, and are x here.
static const char one_byte[] =
    "mmmmbzxxmmmmbzxx" // 00
    "mmmmbzxxmmmmbzxx"
    "mmmmbzxxmmmmbzxx"
    "mmmmbzxxmmmmbzxx"
    "xxxxxxxxxxxxxxxx" // 40
    "................"
    "xxxmxxxxzZbM...."
    "bbbbbbbbbbbbbbbb"
    "MZxMmmmmmmmmmmmm" // 80
    "..........x....."
    "aaaa....bz......"
    "bbbbbbbbvvvvvvvv"
    "MMw.xxMZe.w..bx." // c0
    "mmmmxxx.mmmmmmmm"
    "bbbbbbbbjjxb...."
    "x.xx..tT......mm";

static const char two_byte[] =
    "mmmmx.....x.xm.M" // 00
    "mmmmmmmmmmmmmmmm"
    "mmmmxxxxmmmmmmmm"
    "......x.xxxxxxxx"
    "mmmmmmmmmmmmmmmm" // 40
    "mmmmmmmmmmmmmmmm"
    "mmmmmmmmmmmmmmmm"
    "MMMMmmm.mmmmmmmm"
    "jjjjjjjjjjjjjjjj" // 80
    "mmmmmmmmmmmmmmmm"
    "...mMmxx...mMmmm"
    "mmmmmmmmmmMmmmmm"
    "mmMmMMMm........" // c0
    "mmmmmmmmmmmmmmmm"
    "mmmmmmmmmmmmmmmm"
    "mmmmmmmmmmmmmmmm";

#define LONGEST 15 // bytes; longer ones fault

// What is known of an instruction while it is read.
struct reading {
    const uint8_t *code;
    size_t size;
    size_t at;
    bool small_operand; // prefix 66
    bool small_address; // prefix 67
    bool wide;          // REX.W
    size_t opcode;      // where the opcode (with its escape) begins
    char form;          // from the tables
};

static bool is_prefix(uint8_t byte) {
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65: // segments
    case 0x66:
    case 0x67: // sizes
    case 0xf0:
    case 0xf2:
    case 0xf3: // lock, repeat
        return true;
    default:
        return false;
    }
}

static void read_prefixes(struct reading *r) {
    while (r->at < r->size && is_prefix(r->code[r->at])) {
        r->small_operand |= r->code[r->at] == 0x66;
        r->small_address |= r->code[r->at] == 0x67;
        r->at++;
    }
    if (r->at < r->size && (r->code[r->at] & 0xf0) == 0x40) // REX comes last
        r->wide = r->code[r->at++] & 8;
    r->opcode = r->at;
}

// The form of an opcode of VEX or EVEX, whose map stands in the prefix.
static char vector_form(unsigned map, uint8_t opcode) {
    if (map == 1)
        return opcode == 0x77 ? '.' : two_byte[opcode] == 'M' ? 'M' : 'm';
    if (map == 3)
        return 'M';
    return map == 2 || map == 5 || map == 6 ? 'm' : 'x';
}

// VEX (c4, c5), EVEX (62) and XOP (8f): `payload` bytes of prefix after the first, then the opcode.
static bool read_vector(struct reading *r, size_t payload) {
    if (r->at + payload + 1 >= r->size)
        return false;
    uint8_t first = r->code[r->at];
    unsigned map = first == 0xc5 ? 1 : r->code[r->at + 1] & (first == 0x62 ? 7 : 0x1f);
    uint8_t opcode = r->code[r->at + payload + 1];
    r->at += payload + 2;
    if (first == 0x8f)
        r->form = map == 8 ? 'M' : map == 9 ? 'm' : map == 10 ? 'Z' : 'x';
    else
        r->form = vector_form(map, opcode);
    return true;
}

static bool read_escape(struct reading *r) {
    if (r->at + 1 >= r->size)
        return false;
    uint8_t opcode = r->code[r->at + 1];
    r->at += 2;
    if (opcode != 0x38 && opcode != 0x3a) {
        r->form = two_byte[opcode];
        return true;
    }
    r->form = opcode == 0x38 ? 'm' : 'M';
    r->at++;
    return r->at <= r->size;
}

static bool read_opcode(struct reading *r) {
    if (r->at >= r->size)
        return false;
    uint8_t opcode = r->code[r->at];
    switch (opcode) {
    case 0x0f:
        return read_escape(r);
    case 0xc5:
        return read_vector(r, 1);
    case 0xc4:
        return read_vector(r, 2);
    case 0x62:
        return read_vector(r, 3);
    case 0x8f: // XOP, or POP where the map would be below 8
        if (r->at + 1 < r->size && (r->code[r->at + 1] & 0x1f) >= 8)
            return read_vector(r, 2);
        break;
    default:
        break;
    }
    r->form = one_byte[opcode];
    r->at++;
    return true;
}

// ModRM with its SIB byte and displacement. Returns its reg field, or -1 if the code ends before.
static int read_modrm(struct reading *r) {
    if (r->at >= r->size)
        return -1;
    uint8_t modrm = r->code[r->at++];
    unsigned mode = modrm >> 6;
    unsigned rm = modrm & 7;
    if (mode != 3 && rm == 4) {
        if (r->at >= r->size)
            return -1;
        if (mode == 0 && (r->code[r->at] & 7) == 5)
            r->at += 4;
        r->at++;
    }
    if (mode == 1)
        r->at += 1;
    else if (mode == 2 || (mode == 0 && rm == 5))
        r->at += 4;
    return modrm >> 3 & 7;
}

static size_t immediate_bytes(const struct reading *r, int reg) {
    const size_t operand = r->small_operand ? 2 : 4;
    switch (r->form) {
    case 'b':
    case 'M':
        return 1;
    case 'w':
        return 2;
    case 'e':
        return 3;
    case 'j':
        return 4;
    case 'z':
    case 'Z':
        return r->wide ? 4 : operand;
    case 'v':
        return r->wide ? 8 : operand;
    case 'a':
        return r->small_address ? 4 : 8;
    case 't':
        return reg < 2 ? 1 : 0;
    case 'T':
        return reg >= 2 ? 0 : r->wide ? 4 : operand;
    default:
        return 0;
    }
}

size_t decode_x86_length(const uint8_t *code, size_t size) {
    struct reading r = {.code = code, .size = size};
    int reg = 0;
    read_prefixes(&r);
    if (!read_opcode(&r) || r.form == 'x')
        return 0;
    if (strchr("mMZtT", r.form)) {
        reg = read_modrm(&r);
        if (reg < 0)
            return 0;
    }
    r.at += immediate_bytes(&r, reg);
    return r.at <= size && r.at <= LONGEST ? r.at : 0;
}

// --- which one ----------------------------------------------------------------------------------------------------

// Opcodes that may leave, without their prefixes.
static const struct {
    uint8_t bytes[3];
    uint8_t length;   // of the opcode
    uint8_t repeated; // prefix it must have; 0: any
    enum instruction instruction;
} leaving[] = {
    {{0x0f, 0xa2}, 2, 0, INSTRUCTION_CPUID},
    {{0x0f, 0x01, 0xc1}, 3, 0, INSTRUCTION_HYPERCALL}, // vmcall
    {{0x0f, 0x01, 0xd9}, 3, 0, INSTRUCTION_HYPERCALL}, // vmmcall
    {{0x0f, 0x31}, 2, 0, INSTRUCTION_TSC},
    {{0x0f, 0x01, 0xf9}, 3, 0, INSTRUCTION_TSC}, // rdtscp
    {{0x0f, 0x32}, 2, 0, INSTRUCTION_MSR},
    {{0x0f, 0x30}, 2, 0, INSTRUCTION_MSR},
    {{0xf4}, 1, 0, INSTRUCTION_HALT},
    {{0x0f, 0x08}, 2, 0, INSTRUCTION_INVD},
    {{0x0f, 0x09}, 2, 0, INSTRUCTION_INVD},
    {{0x0f, 0x01, 0xd1}, 3, 0, INSTRUCTION_XSETBV},
    {{0x90}, 1, 0xf3, INSTRUCTION_PAUSE},
    {{0xe4}, 1, 0, INSTRUCTION_PORT},
    {{0xe5}, 1, 0, INSTRUCTION_PORT}, // in, imm8
    {{0xe6}, 1, 0, INSTRUCTION_PORT},
    {{0xe7}, 1, 0, INSTRUCTION_PORT}, // out, imm8
    {{0xec}, 1, 0, INSTRUCTION_PORT},
    {{0xed}, 1, 0, INSTRUCTION_PORT}, // in, dx
    {{0xee}, 1, 0, INSTRUCTION_PORT},
    {{0xef}, 1, 0, INSTRUCTION_PORT}, // out, dx
    {{0x6c}, 1, 0, INSTRUCTION_PORT},
    {{0x6d}, 1, 0, INSTRUCTION_PORT}, // ins
    {{0x6e}, 1, 0, INSTRUCTION_PORT},
    {{0x6f}, 1, 0, INSTRUCTION_PORT}, // outs
};

static enum instruction classify(const uint8_t *code, size_t length) {
    struct reading r = {.code = code, .size = length};
    read_prefixes(&r);
    for (size_t i = 0; i < sizeof leaving / sizeof leaving[0]; i++) {
        if (length - r.opcode < leaving[i].length || memcmp(code + r.opcode, leaving[i].bytes, leaving[i].length) != 0)
            continue;
        if (!leaving[i].repeated || memchr(code, leaving[i].repeated, r.opcode))
            return leaving[i].instruction;
    }
    return INSTRUCTION_OTHER;
}

// Reads instructions one after the other from `start`. Where the last one begins, if one ends exactly at `size`;
// otherwise `size`.
static size_t last_from(const uint8_t *code, size_t size, size_t start) {
    for (size_t at = start; at < size;) {
        size_t length = decode_x86_length(code + at, size - at);
        if (length == 0)
            break;
        if (at + length == size)
            return at;
        at += length;
    }
    return size;
}

// The length of the instruction that ends at the end; 0 if the readings do not agree.
static size_t last_length(const uint8_t *code, size_t size) {
    enum { STARTS = 16, QUORUM = 4 };
    unsigned votes[LONGEST + 1] = {0}; // by length of the last instruction
    unsigned arrived = 0;
    size_t best = 0;
    for (size_t start = 0; start < STARTS && start + LONGEST < size; start++) {
        size_t length = size - last_from(code, size, start);
        if (length == 0)
            continue;
        arrived++;
        votes[length]++;
        if (votes[length] > votes[best])
            best = length;
    }
    return arrived < QUORUM || 4 * votes[best] < 3 * arrived ? 0 : best;
}

enum instruction decode_x86_before(const uint8_t *code, size_t size) {
    size_t length = last_length(code, size);
    return length ? classify(code + size - length, length) : INSTRUCTION_OTHER;
}

bool decode_x86_opens_interrupts(const uint8_t *code, size_t size) {
    enum { POPF = 0x9d, STI = 0xfb };
    size_t length = last_length(code, size);
    if (length == 1 && code[size - 1] == POPF)
        return true;
    size -= length;
    return length && last_length(code, size) == 1 && code[size - 1] == STI;
}
