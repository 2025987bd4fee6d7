// SPDX-License-Identifier: Apache-2.0
// Reads /proc/interrupts. See interrupts.h.
#include "collectors/interrupts.h"

#include "core/json.h"
#include "core/memory.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT ((size_t)64 << 20) // 4096 CPUs and some thousand interrupts

// The columns of the first line: "CPU0 CPU1 ...".
static size_t columns_of(const char *text) {
    size_t count = 0;
    const char *end = strchr(text, '\n');
    for (const char *at = text; (at = strstr(at, "CPU")) && at < end; at += 3)
        count++;
    return count;
}

// " 36:   0  129287  PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0": the handlers' names stand last; of several
// that share one it is the last name.
static bool parse_line(const char *line, const char *end, size_t columns, struct interrupt *found) {
    char *rest;
    found->number = (unsigned)strtoul(line, &rest, 10);
    if (rest == line || *rest != ':')
        return false; // LOC:, RES: ...
    const char *at = rest + 1;
    for (size_t i = 0; i < columns; i++) {
        found->by_cpu[i] = strtoull(at, &rest, 10);
        if (rest == at || rest > end)
            return false;
        found->count += found->by_cpu[i];
        at = rest;
    }
    const char *name = end;
    while (name > at && !isspace((unsigned char)name[-1]))
        name--;
    found->name = mem_printf("%.*s", (int)(end - name), name);
    return true;
}

void interrupts_parse(const char *text, struct interrupts *out) {
    const char *line = strchr(text, '\n');
    out->columns = columns_of(text);
    while (out->columns && line && *++line) {
        const char *next = strchr(line, '\n');
        const char *end = next ? next : line + strlen(line);
        struct interrupt found = {.by_cpu = mem_alloc(out->columns * sizeof *found.by_cpu)};
        while (end > line && isspace((unsigned char)end[-1]))
            end--;
        if (parse_line(line, end, out->columns, &found))
            ARRAY_PUSH(out->items, out->count, out->capacity, found);
        else
            free(found.by_cpu);
        line = next;
    }
}

void interrupts_read(struct interrupts *out) {
    size_t length;
    char *text = json_read_file("/proc/interrupts", LIMIT, &length, NULL);
    if (text)
        interrupts_parse(text, out);
    free(text);
}

void interrupts_free(struct interrupts *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].name);
        free(list->items[i].by_cpu);
    }
    free(list->items);
    *list = (struct interrupts){0};
}

const struct interrupt *interrupts_find(const struct interrupts *list, unsigned number) {
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].number == number)
            return &list->items[i];
    return NULL;
}
