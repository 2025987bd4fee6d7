// SPDX-License-Identifier: Apache-2.0
// Notes without their repetitions; see the header. May include: core, report/dataset.h.
#include "report/notes.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

// The case whose name the text begins with ("NAME: ..."), and what stands behind it. Names may hold colons: the longest
// fits. NULL: none.
static const char *case_of(const struct dataset *set, const char *text, const char **rest) {
    enum { COLONS = 4 };
    const char *found = NULL;
    char *head = mem_strdup(text);
    char *at = head;
    *rest = text;
    for (int i = 0; i < COLONS && (at = strstr(at, ": ")); i++, at++) {
        *at = '\0';
        const struct dataset_case *c = dataset_find(set, head);
        *at = ':';
        if (!c)
            continue;
        found = c->name;
        *rest = text + (at - head) + 2;
    }
    free(head);
    return found;
}

void notes_say(const struct dataset *set, bool warn, struct said *said) {
    for (size_t i = 0; i < set->note_count; i++) {
        const char *rest;
        if (set->notes[i].warn != warn)
            continue;
        const char *who = case_of(set, set->notes[i].text, &rest);
        char *text = mem_printf("%s: %s", set->name, rest);
        said_add(said, who, text);
        free(text);
    }
}
