// SPDX-License-Identifier: Apache-2.0
// The gate: which intervals pass, exceed and cannot tell, and that a lost case never passes in silence.
#include "report/gate.h"

#include "tests/unit/report_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

enum { SAMPLES = 20 };

// Samples of 1 s, times `factor`, that spread by +-spread in an order without trend or correlation.
static void add_case(struct fixture *f, const char *name, double factor, double spread) {
    static const int order[SAMPLES] = {7, 15, 2, 11, 18, 5, 0, 13, 9, 16, 4, 12, 1, 19, 8, 14, 3, 17, 6, 10};
    str_printf(&f->text, "{\"t\":\"case\",\"case\":\"%s\",\"cpus\":1}\n", name);
    for (int i = 0; i < SAMPLES; i++) {
        double wall = factor * (1 + spread * (2.0 * order[i] / (SAMPLES - 1) - 1));
        str_printf(&f->text,
                   "{\"t\":\"sample\",\"case\":\"%s\",\"seq\":%d,\"mode\":\"timing\",\"wall_s\":%.9f,\"valid\":true}\n",
                   name, i, wall);
    }
}

struct pair {
    struct fixture baseline;
    struct fixture candidate;
};

static void begin(struct pair *p) {
    fixture_begin(&p->baseline, "old", "guest", "h");
    fixture_begin(&p->candidate, "new", "guest", "h");
}

static int make(struct pair *p, double limit, const char *only, struct gate *gate, struct error *err) {
    fixture_end(&p->baseline);
    fixture_end(&p->candidate);
    const char *baseline = p->baseline.path;
    const char *candidate = p->candidate.path;
    struct gate_options o = {.baselines = &baseline,
                             .baseline_count = 1,
                             .candidates = &candidate,
                             .candidate_count = 1,
                             .max_overhead_pct = limit,
                             .only = only};
    int result = gate_make(&o, gate, err);
    fixture_remove(&p->baseline);
    fixture_remove(&p->candidate);
    return result;
}

static enum gate_verdict verdict_of(double factor, double spread, double limit, double *more) {
    struct pair p;
    struct gate gate;
    struct error err;
    begin(&p);
    add_case(&p.baseline, "a", 1, spread);
    add_case(&p.candidate, "a", factor, spread);
    assert_int_equal(make(&p, limit, NULL, &gate, &err), 0);
    assert_int_equal(gate.count, 1);
    enum gate_verdict verdict = gate.verdict;
    if (more)
        *more = gate.cases[0].more_samples;
    gate_free(&gate);
    return verdict;
}

static void verdicts(void **state) {
    (void)state;
    double more = -1;
    assert_int_equal(verdict_of(1.05, 0.01, 1, &more), GATE_EXCEEDS);
    assert_true(more == 0);
    assert_int_equal(verdict_of(1.00, 0.001, 1, NULL), GATE_PASSES);
    assert_int_equal(verdict_of(0.90, 0.01, 0, NULL), GATE_PASSES); // faster is not slower
    assert_int_equal(verdict_of(1.01, 0.05, 1, NULL), GATE_CANNOT_TELL);
    assert_int_equal(verdict_of(1.02, 0.05, 1, &more), GATE_CANNOT_TELL);
    assert_true(more >= 1);
}

static void the_worst_case_decides(void **state) {
    (void)state;
    struct pair p;
    struct gate gate;
    struct error err;
    begin(&p);
    add_case(&p.baseline, "good", 1, 0.001);
    add_case(&p.candidate, "good", 1, 0.001);
    add_case(&p.baseline, "wide", 1, 0.1);
    add_case(&p.candidate, "wide", 1, 0.1);
    add_case(&p.baseline, "bad", 1, 0.001);
    add_case(&p.candidate, "bad", 1.1, 0.001);
    assert_int_equal(make(&p, 1, NULL, &gate, &err), 0);
    assert_int_equal(gate.count, 3);
    assert_int_equal(gate.verdict, GATE_EXCEEDS);
    assert_int_equal(gate_exit_code(&gate), EXIT_CODE_NO);
    gate_free(&gate);
}

static void a_lost_case_cannot_pass(void **state) {
    (void)state;
    struct pair p;
    struct gate gate;
    struct error err;
    begin(&p);
    add_case(&p.baseline, "kept", 1, 0.001);
    add_case(&p.candidate, "kept", 1, 0.001);
    add_case(&p.baseline, "lost", 1, 0.001);
    assert_int_equal(make(&p, 1, NULL, &gate, &err), 0);
    assert_int_equal(gate.count, 2);
    assert_int_equal(gate_exit_code(&gate), EXIT_CODE_LACKS);
    gate_free(&gate);
}

static void one_case_only(void **state) {
    (void)state;
    struct pair p;
    struct gate gate;
    struct error err;
    begin(&p);
    add_case(&p.baseline, "good", 1, 0.001);
    add_case(&p.candidate, "good", 1, 0.001);
    add_case(&p.baseline, "bad", 1, 0.001);
    add_case(&p.candidate, "bad", 1.1, 0.001);
    assert_int_equal(make(&p, 1, "good", &gate, &err), 0);
    assert_int_equal(gate.count, 1);
    assert_int_equal(gate_exit_code(&gate), EXIT_CODE_DONE);
    gate_free(&gate);
    begin(&p);
    assert_int_equal(make(&p, 1, "nosuch", &gate, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_USAGE);
    gate_free(&gate);
}

static void junit_is_escaped(void **state) {
    (void)state;
    struct pair p;
    struct gate gate;
    struct error err;
    begin(&p);
    add_case(&p.baseline, "a<b>&\\\"c\\u0001", 1, 0.001);
    add_case(&p.candidate, "a<b>&\\\"c\\u0001", 1.1, 0.001);
    assert_int_equal(make(&p, 1, NULL, &gate, &err), 0);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    gate_print_junit(&gate, out);
    fclose(out);
    assert_non_null(strstr(text, "name=\"a&lt;b&gt;&amp;&quot;c"));
    assert_null(strchr(text, '\001'));
    assert_non_null(strstr(text, "failures=\"1\" errors=\"0\""));
    free(text);
    gate_free(&gate);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(the_worst_case_decides),
        cmocka_unit_test(a_lost_case_cannot_pass),
        cmocka_unit_test(one_case_only),
        cmocka_unit_test(junit_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
