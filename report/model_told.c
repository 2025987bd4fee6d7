// SPDX-License-Identifier: Apache-2.0
// What a case's ledger could not be told of; see the header. May include: core, report (not the renderers).
#include "report/model_told.h"

#include "core/memory.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

// What is to be said of a line for one side; NULL: nothing. free() it.
static char *sentence_of(const struct ledger_line *line, bool baseline, const char *side) {
    return told_sentence(baseline ? &line->baseline_told : &line->told, side);
}

// The causes that the same is to be said of, from the line `first` on. Empty if a line before it has said so.
static void name_causes(const struct ledger *ledger, size_t first, bool baseline, const char *side,
                        const char *sentence, struct str *names) {
    for (size_t i = 0; i < ledger->count; i++) {
        char *other = sentence_of(&ledger->lines[i], baseline, side);
        bool same = other && strcmp(other, sentence) == 0;
        free(other);
        if (same && i < first)
            return;
        if (same)
            str_printf(names, "%s%s%s", names->length ? ", " : "", cause_info(ledger->lines[i].cause)->id,
                       model_scope_word(ledger->lines[i].scope));
    }
}

static void tell_side(struct model_case *c, bool baseline, const char *side) {
    for (size_t i = 0; i < c->ledger.count; i++) {
        struct str names = {0};
        char *sentence = sentence_of(&c->ledger.lines[i], baseline, side);
        if (sentence)
            name_causes(&c->ledger, i, baseline, side, sentence, &names);
        if (names.length)
            strings_add(&c->told, "%s %s", names.text, sentence);
        free(sentence);
        str_free(&names);
    }
}

void model_tell_gaps(struct model_case *c, const struct model *model) {
    tell_side(c, false, model->baseline_count ? model->subject_label : "");
    tell_side(c, true, model->baseline_count ? model->baseline_label : "");
}
