// SPDX-License-Identifier: Apache-2.0
// Notes in a run's journal. See run.h.
#include "bench/run.h"

#include "core/memory.h"

#include <stdlib.h>

int record_note(struct run *run, bool warn, char *text, struct error *err) {
    int result = journal_write_note(run->journal, warn, text, err);
    free(text);
    return result;
}

int record_notes(struct run *run, const struct planned_case *c, const cJSON *notes, struct error *err) {
    const cJSON *note;
    cJSON_ArrayForEach(note, notes) {
        const char *text = cJSON_IsString(note) ? note->valuestring : "?";
        if (record_note(run, true, mem_printf("%s: %s", c->suite_case->name, text), err))
            return -1;
    }
    return 0;
}
