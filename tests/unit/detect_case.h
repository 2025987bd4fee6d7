// SPDX-License-Identifier: Apache-2.0
// Evidence folders as one small text file each (tests/fixtures/detect/NAME.case), unpacked into a memory sysroot. A
// line is
//     # TEXT                         where it was learnt
//     expect KEY=VALUE ...           what detection must say; a VALUE may be A|B. Keys: kind hypervisor vmm mode role
//     cloud
//                                    instance_type outer cvm container arch type; sure>N, sure<N (confidence, percent);
//                                    path:RESOURCE=KIND, via:RESOURCE=VIA (of any such row)
//     dmi FIELD TEXT                 sys/class/dmi/id/FIELD
//     file PATH TEXT                 one line of text; "\t" and "\n" are what they are in C
//     more PATH TEXT                 one more line
//     entries PATH A B ...           NUL-terminated entries
//     touch PATH                     an empty file
//     bytes PATH HEX...              binary
//     cpuid LEAF: eax=... ...        a line of cpuid.txt (subleaf 0)
//     sig BASE TEXT                  a CPUID signature, '.' stands for a space; the line gives BASE and TEXT only
//     pci ADDRESS VENDOR:DEVICE CLASS [DRIVER]
//     acpi NAME OEM [TABLE]          a table header
// May include: detect, core.
#pragma once

#include "core/memory.h"
#include "core/str.h"
#include "detect/sysroot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASE_FILES = 128, CASE_EXPECT = 32 };

struct detect_case {
    struct memory_file files[CASE_FILES];
    size_t count;
    char *expect[CASE_EXPECT];
    size_t expect_count;
};

static void case_add(struct detect_case *c, const char *path, const char *data, size_t size) {
    for (size_t i = 0; i < c->count; i++) {
        struct memory_file *file = &c->files[i];
        if (strcmp(file->path, path) != 0)
            continue;
        char *joined = mem_alloc(file->size + size + 1);
        memcpy(joined, file->data, file->size);
        memcpy(joined + file->size, data, size);
        free((char *)file->data);
        file->data = joined;
        file->size += size;
        return;
    }
    if (c->count == CASE_FILES)
        abort();
    char *copy = mem_alloc(size + 1);
    memcpy(copy, data, size);
    c->files[c->count++] = (struct memory_file){.path = mem_strdup(path), .data = copy, .size = size};
}

static void case_text(struct detect_case *c, const char *path, const char *text) {
    struct str out = {0};
    for (; *text; text++) {
        char special = text[0] == '\\' ? (char)(text[1] == 't' ? '\t' : text[1] == 'n' ? '\n' : 0) : 0;
        str_add_bytes(&out, special ? &special : text, 1);
        text += special != 0;
    }
    str_add(&out, "\n");
    case_add(c, path, out.text, out.length);
    str_free(&out);
}

static void case_signature(struct detect_case *c, const char *base, const char *text) {
    char bytes[12] = "";
    uint32_t reg[3];
    for (size_t i = 0; i < sizeof bytes && text[i]; i++)
        bytes[i] = text[i] == '.' ? ' ' : text[i];
    memcpy(reg, bytes, sizeof bytes);
    char line[128];
    snprintf(line, sizeof line, "%s 0x00: eax=0x40000010 ebx=0x%08x ecx=0x%08x edx=0x%08x", base, reg[0], reg[1],
             reg[2]);
    case_text(c, "cpuid.txt", line);
}

static void case_pci(struct detect_case *c, const char *rest) {
    char address[32];
    char id[16];
    char class[16];
    char driver[32] = "";
    if (sscanf(rest, "%31s %15s %15s %31s", address, id, class, driver) < 3)
        abort();
    char *path = mem_printf("sys/bus/pci/devices/%s/uevent", address);
    char *text = mem_printf("%s%s\nPCI_CLASS=%s\nPCI_ID=%s\n", *driver ? "DRIVER=" : "", driver, class, id);
    case_add(c, path, text, strlen(text));
    free(path);
    free(text);
}

static void case_acpi(struct detect_case *c, const char *rest) {
    char name[8];
    char oem[16] = "";
    char table[16] = "";
    char header[36] = {0};
    if (sscanf(rest, "%7s %15s %15s", name, oem, table) < 2)
        abort();
    memcpy(header, name, 4);
    memcpy(header + 10, oem, strnlen(oem, 6));
    memcpy(header + 16, table, strnlen(table, 8));
    char *path = mem_printf("sys/firmware/acpi/tables/%s", name);
    case_add(c, path, header, sizeof header);
    free(path);
}

static void case_bytes(struct detect_case *c, const char *path, const char *hex) {
    char bytes[256];
    size_t count = 0;
    unsigned byte;
    int used;
    for (; count < sizeof bytes && sscanf(hex, " %2x%n", &byte, &used) == 1; hex += used)
        bytes[count++] = (char)byte;
    case_add(c, path, bytes, count);
}

static void case_entries(struct detect_case *c, const char *path, char *rest) {
    for (char *word = strtok(rest, " "); word; word = strtok(NULL, " "))
        case_add(c, path, word, strlen(word) + 1);
}

static void case_expect(struct detect_case *c, char *rest) {
    for (char *word = strtok(rest, " "); word && c->expect_count < CASE_EXPECT; word = strtok(NULL, " "))
        c->expect[c->expect_count++] = mem_strdup(word);
}

// One line. Aborts on an unknown word: the case is wrong then, not the code under test.
static void case_line(struct detect_case *c, char *line) {
    if (!*line || *line == '#')
        return;
    char *first = line + strcspn(line, " ");
    char *rest = *first ? first + 1 : first;
    *first = '\0';
    char *second = rest + strcspn(rest, " ");
    char *text = *second ? second + 1 : second;
    char path[256];
    if (!strcmp(line, "expect")) {
        case_expect(c, rest);
    } else if (!strcmp(line, "pci")) {
        case_pci(c, rest);
    } else if (!strcmp(line, "acpi")) {
        case_acpi(c, rest);
    } else if (!strcmp(line, "cpuid")) {
        *second = '\0';
        rest[strcspn(rest, ":")] = '\0';
        snprintf(path, sizeof path, "%s 0x00: %s", rest, text);
        case_text(c, "cpuid.txt", path);
    } else {
        *second = '\0';
        snprintf(path, sizeof path, "%s%s", !strcmp(line, "dmi") ? "sys/class/dmi/id/" : "", rest);
        if (!strcmp(line, "dmi") || !strcmp(line, "file") || !strcmp(line, "more"))
            case_text(c, path, text);
        else if (!strcmp(line, "touch"))
            case_add(c, path, "", 0);
        else if (!strcmp(line, "sig"))
            case_signature(c, rest, text);
        else if (!strcmp(line, "bytes"))
            case_bytes(c, path, text);
        else if (!strcmp(line, "entries"))
            case_entries(c, path, text);
        else
            abort();
    }
}

// Reads a case. False if the file cannot be read.
static bool case_read(struct detect_case *c, const char *file) {
    *c = (struct detect_case){0};
    FILE *in = fopen(file, "r");
    if (!in)
        return false;
    char line[8192];
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        case_line(c, line);
    }
    fclose(in);
    return true;
}

static void case_free(struct detect_case *c) {
    for (size_t i = 0; i < c->count; i++) {
        free((char *)c->files[i].path);
        free((char *)c->files[i].data);
    }
    for (size_t i = 0; i < c->expect_count; i++)
        free(c->expect[i]);
}
