// SPDX-License-Identifier: Apache-2.0
// See cpuid.h. Leaves: Intel SDM vol. 2A (CPUID), AMD APM vol. 3 appendix E. May include: core.
#include "detect/cpuid.h"

#include "core/arch.h"
#include "core/memory.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LEAVES_MAX = 1024 };

static const char *const register_names[] = {"eax=", "ebx=", "ecx=", "edx="};

static const struct cpuid_leaf *find(const struct cpuid *source, uint32_t leaf, uint32_t subleaf) {
    for (size_t i = 0; i < source->count; i++)
        if (source->leaves[i].leaf == leaf && source->leaves[i].subleaf == subleaf)
            return &source->leaves[i];
    return NULL;
}

// Reads "0xHEX" at *at and moves behind it.
static bool take_hex(const char **at, uint32_t *out) {
    while (isblank((unsigned char)**at))
        (*at)++;
    if ((*at)[0] != '0' || ((*at)[1] != 'x' && (*at)[1] != 'X') || !isxdigit((unsigned char)(*at)[2]))
        return false;
    char *end;
    *out = (uint32_t)strtoul(*at, &end, 16);
    *at = end;
    return true;
}

// One line, which ends at a NUL. False if it is no leaf.
static bool parse_line(char *line, struct cpuid_leaf *out) {
    line[strcspn(line, "#")] = '\0';
    const char *at = line;
    *out = (struct cpuid_leaf){0};
    if (!take_hex(&at, &out->leaf) || !take_hex(&at, &out->subleaf) || *at != ':')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(register_names); i++) {
        const char *value = strstr(at, register_names[i]);
        if (!value)
            continue;
        value += strlen(register_names[i]);
        if (take_hex(&value, &out->reg[i]))
            out->known |= (uint8_t)(1U << i);
    }
    return true;
}

void cpuid_open(struct cpuid *source, struct sysroot *root) {
    *source = (struct cpuid){0};
    if (root->live) {
        struct arch_cpuid r;
        source->live = arch_cpuid(0, 0, &r);
        return;
    }
    const char *text = sysroot_read(root, "cpuid.txt", NULL);
    if (!text)
        return;
    char *copy = mem_strdup(text);
    for (char *line = copy, *next; line && source->count < LEAVES_MAX; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        struct cpuid_leaf leaf;
        if (parse_line(line, &leaf) && !find(source, leaf.leaf, leaf.subleaf))
            ARRAY_PUSH(source->leaves, source->count, source->capacity, leaf);
    }
    free(copy);
}

void cpuid_close(struct cpuid *source) {
    free(source->leaves);
    *source = (struct cpuid){0};
}

bool cpuid_present(const struct cpuid *source) {
    return source->live || source->count;
}

const struct cpuid_leaf *cpuid_get(struct cpuid *source, uint32_t leaf, uint32_t subleaf) {
    const struct cpuid_leaf *known = find(source, leaf, subleaf);
    if (known || !source->live)
        return known;
    struct arch_cpuid r;
    if (!arch_cpuid(leaf, subleaf, &r))
        return NULL;
    struct cpuid_leaf read = {.leaf = leaf, .subleaf = subleaf, .reg = {r.eax, r.ebx, r.ecx, r.edx}, .known = 0xf};
    ARRAY_PUSH(source->leaves, source->count, source->capacity, read);
    return &source->leaves[source->count - 1];
}

bool cpuid_reg(struct cpuid *source, uint32_t leaf, enum cpuid_register reg, uint32_t *out) {
    const struct cpuid_leaf *found = cpuid_get(source, leaf, 0);
    if (!found || !(found->known & (1U << reg)))
        return false;
    *out = found->reg[reg];
    return true;
}

bool cpuid_bit(struct cpuid *source, uint32_t leaf, enum cpuid_register reg, unsigned bit) {
    uint32_t value;
    return cpuid_reg(source, leaf, reg, &value) && (value >> bit & 1);
}

bool cpuid_signature(struct cpuid *source, uint32_t leaf, char out[13]) {
    const struct cpuid_leaf *found = cpuid_get(source, leaf, 0);
    if (!found || (found->known & 0xe) != 0xe)
        return false;
    memcpy(out, &found->reg[EBX], 12);
    out[12] = '\0';
    return true;
}

void cpuid_brand(struct cpuid *source, char out[49]) {
    memset(out, 0, 49);
    uint32_t max;
    if (!cpuid_reg(source, 0x80000000, EAX, &max) || max < 0x80000004 || max > 0x8000ffff)
        return;
    for (size_t i = 0; i < 3; i++) {
        const struct cpuid_leaf *leaf = cpuid_get(source, 0x80000002 + (uint32_t)i, 0);
        if (!leaf || leaf->known != 0xf) {
            memset(out, 0, 49);
            return;
        }
        memcpy(out + i * 16, leaf->reg, 16);
    }
    size_t start = strspn(out, " ");
    memmove(out, out + start, 49 - start);
    for (size_t end = strlen(out); end && out[end - 1] == ' '; end--)
        out[end - 1] = '\0';
}

void cpuid_write(const struct cpuid *source, struct str *out) {
    for (size_t i = 0; i < source->count; i++) {
        const struct cpuid_leaf *leaf = &source->leaves[i];
        str_printf(out, "0x%08x 0x%02x: eax=0x%08x ebx=0x%08x ecx=0x%08x edx=0x%08x\n", leaf->leaf, leaf->subleaf,
                   leaf->reg[EAX], leaf->reg[EBX], leaf->reg[ECX], leaf->reg[EDX]);
    }
}
