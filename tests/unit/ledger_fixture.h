// SPDX-License-Identifier: Apache-2.0
// Two sides of one case, written line by line, and the ledger that comes of them. Include it after cmocka.h.
#pragma once

#include "report/model_make.h"
#include "tests/unit/report_fixture.h"

#include <math.h>
#include <string.h>

#define assert_close(got, expected, tolerance) assert_true(fabs((got) - (expected)) <= (tolerance))

struct bench {
    struct fixture fixture[2]; // subject, baseline
    struct dataset set[2];
    struct model model;
    bool baseline;
};

// Two sides of one case "c" in microseconds, lower is better, on two CPUs, unless the test writes otherwise.
static inline void begin_beside(struct bench *b, bool baseline, const char *role) {
    *b = (struct bench){.baseline = baseline};
    fixture_begin(&b->fixture[0], "guest", "guest", "g");
    fixture_begin(&b->fixture[1], role, role, "m");
    for (int i = 0; i < 2; i++)
        str_add(&b->fixture[i].text,
                "{\"t\":\"case\",\"case\":\"c\",\"fom\":{\"name\":\"latency\",\"unit\":\"us\","
                "\"better\":\"lower\"},\"cpus\":2}\n");
}

static inline void begin(struct bench *b, bool baseline) {
    begin_beside(b, baseline, "metal");
}

static inline void sample(struct bench *b, int side, int seq, const char *mode, double fom, const char *rest) {
    str_printf(
        &b->fixture[side].text,
        "{\"t\":\"sample\",\"case\":\"c\",\"seq\":%d,\"mode\":\"%s\",\"wall_s\":1,\"fom\":%.17g,\"valid\":true%s}\n",
        seq, mode, fom, rest);
}

static inline const struct model_case *finish(struct bench *b) {
    for (int i = 0; i < 2; i++) {
        struct error err;
        str_add(&b->fixture[i].text, "{\"t\":\"end\",\"status\":\"complete\"}\n");
        fixture_end(&b->fixture[i]);
        assert_int_equal(dataset_load(&b->set[i], b->fixture[i].path, &err), 0);
    }
    model_make(&b->model, &b->set[0], 1, &b->set[1], b->baseline ? 1 : 0, 0.5);
    assert_int_equal(b->model.case_count, 1);
    return &b->model.cases[0];
}

static inline void end(struct bench *b) {
    model_free(&b->model);
    for (int i = 0; i < 2; i++) {
        dataset_free(&b->set[i]);
        fixture_remove(&b->fixture[i]);
    }
}

static inline const struct ledger_line *find_line(const struct model_case *c, enum cause cause, enum obs_scope scope) {
    for (size_t i = 0; i < c->ledger.count; i++)
        if (c->ledger.lines[i].cause == cause && c->ledger.lines[i].scope == scope)
            return &c->ledger.lines[i];
    fail_msg("no line for %s", cause_info(cause)->id);
    return NULL;
}

static inline bool warned(const struct model_case *c, const char *text) {
    for (size_t i = 0; i < c->warnings.count; i++)
        if (strstr(c->warnings.items[i], text))
            return true;
    return false;
}
