// SPDX-License-Identifier: Apache-2.0
// Names of addresses in a running process: function, offset, file and line, from ELF symbol tables and DWARF through
// libdwfl (elfutils). May include: core.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct symbols;

struct symbol {
    char module[256];   // path of the executable or library; empty if the address belongs to none
    char function[128]; // empty if no symbol covers the address
    uint64_t offset;    // of the address in the function; in the module where there is none
    char file[256];     // source file; empty without DWARF
    int line;           // 0 without DWARF
};

// Looks at what a process has mapped now. NULL if it is gone or may not be looked at. symbols_free() it.
struct symbols *symbols_of_process(pid_t pid);

// False if nothing is known of the address.
bool symbols_find(struct symbols *symbols, uint64_t address, struct symbol *out);

void symbols_free(struct symbols *symbols); // NULL is fine
