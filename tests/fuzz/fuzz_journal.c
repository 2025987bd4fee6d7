// SPDX-License-Identifier: Apache-2.0
// Fuzzes the journal reader: no input may crash it, a refusal has a place, what is taken keeps the reader's promises.
#include "core/journal.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>

static void check_sample(const struct journal_sample *s) {
    FUZZ_CHECK(s->case_name);
    FUZZ_CHECK(isfinite(s->wall_s) && s->wall_s >= 0 && isfinite(s->roi_s) && s->roi_s >= 0);
    FUZZ_CHECK(s->mode < MODE_COUNT && s->rank >= -1 && s->block >= -1);
    for (size_t i = 0; i < s->obs.count; i++) {
        const struct observation *o = &s->obs.items[i];
        FUZZ_CHECK(o->cause < CAUSE_COUNT && o->scope < SCOPE_COUNT && o->basis < BASIS_COUNT);
        FUZZ_CHECK(isfinite(o->seconds) && o->se >= 0);
        cJSON *json = observation_to_json(o);
        FUZZ_CHECK(json);
        cJSON_Delete(json);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    FILE *file = size ? fmemopen((void *)data, size, "r") : NULL;
    if (!file)
        return 0;
    struct error err = {0};
    struct journal_reader *reader = journal_read_stream(file, "input");
    struct journal_record record;
    size_t line = 0;
    int got;
    while ((got = journal_next(reader, &record, &err)) > 0) {
        FUZZ_CHECK(record.line > line && record.type < JOURNAL_TYPE_COUNT);
        FUZZ_CHECK((line == 0) == (record.type == JOURNAL_HEADER));
        line = record.line;
        if (record.type == JOURNAL_SAMPLE)
            check_sample(&record.sample);
    }
    FUZZ_CHECK(got == 0 || (err.code == EXIT_CODE_INPUT && err.what[0] && err.why[0]));
    journal_end_reading(reader);
    return 0;
}
