// SPDX-License-Identifier: Apache-2.0
// Addresses to names. See symbols.h.
#include "collectors/symbols.h"

#include "core/memory.h"

#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>

struct symbols {
    Dwfl_Callbacks callbacks; // libdwfl keeps a pointer to it
    Dwfl *dwfl;
};

struct symbols *symbols_of_process(pid_t pid) {
    struct symbols *s = mem_alloc(sizeof *s);
    s->callbacks.find_elf = dwfl_linux_proc_find_elf;
    s->callbacks.find_debuginfo = dwfl_standard_find_debuginfo;
    s->dwfl = dwfl_begin(&s->callbacks);
    if (s->dwfl && dwfl_linux_proc_report(s->dwfl, pid) == 0 && dwfl_report_end(s->dwfl, NULL, NULL) == 0)
        return s;
    symbols_free(s);
    return NULL;
}

static void find_line(Dwfl_Module *module, uint64_t address, struct symbol *out) {
    Dwfl_Line *line = dwfl_module_getsrc(module, address);
    const char *file = line ? dwfl_lineinfo(line, NULL, &out->line, NULL, NULL, NULL) : NULL;
    if (file)
        snprintf(out->file, sizeof out->file, "%s", file);
}

bool symbols_find(struct symbols *symbols, uint64_t address, struct symbol *out) {
    *out = (struct symbol){.module = ""};
    Dwfl_Module *module = dwfl_addrmodule(symbols->dwfl, address);
    if (!module)
        return false;
    Dwarf_Addr start = 0;
    GElf_Sym symbol;
    const char *path = dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
    snprintf(out->module, sizeof out->module, "%s", path ? path : "");
    const char *name =
        dwfl_module_addrinfo(module, address, &out->offset, &symbol, NULL, NULL, NULL); // nearest symbol that covers it
    if (name)
        snprintf(out->function, sizeof out->function, "%s", name);
    else
        out->offset = address - start;
    find_line(module, address, out);
    return true;
}

void symbols_free(struct symbols *symbols) {
    if (!symbols)
        return;
    dwfl_end(symbols->dwfl); // NULL is fine
    free(symbols);
}
