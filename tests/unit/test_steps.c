// SPDX-License-Identifier: Apache-2.0
// Few samples with many steps: what their steps tell, and when they may not be asked.
#include "report/model_make.h"
#include "report/steps.h"
#include "tests/sim/noise.h"
#include "tests/unit/report_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 3, STEPS = 100 };

struct made {
    double step[2 * SAMPLES][STEPS];
    struct steps_series series[2 * SAMPLES];
};

// 5 % of noise on each step, the work growing by half; samples differ by `effect` as wholes.
static void make(struct made *m, struct dist_rng *rng, double effect, double shift) {
    for (size_t s = 0; s < (size_t)2 * SAMPLES; s++) {
        double level = effect * noise_normal(rng) + (s < SAMPLES ? shift : 0);
        for (size_t i = 0; i < STEPS; i++)
            m->step[s][i] = exp(level + 0.05 * noise_normal(rng) + 0.5 * (double)i / STEPS);
        m->series[s] = (struct steps_series){m->step[s], STEPS};
    }
}

static struct stats_shift compare(const struct made *m, size_t count) {
    return steps_compare(&(struct steps_side){m->series, count}, &(struct steps_side){m->series + SAMPLES, count});
}

static void test_steps_tell_what_three_samples_cannot(void **state) {
    (void)state;
    struct dist_rng rng;
    dist_rng_seed(&rng, 1);
    struct made m;
    size_t found = 0;
    for (int t = 0; t < 100; t++) {
        make(&m, &rng, 0, 0.03);
        struct stats_shift shift = compare(&m, SAMPLES);
        assert_int_equal(shift.method, STATS_STEPS);
        found += stats_verdict(&shift, 0.005) == STATS_SLOWER;
    }
    assert_true(found > 90);
}

static void test_intervals_cover_however_samples_differ(void **state) {
    (void)state;
    static const double EFFECTS[] = {0, 0.005, 0.02};
    enum { TRIALS = 400 };
    struct made m;
    for (size_t e = 0; e < ARRAY_LEN(EFFECTS); e++) {
        struct dist_rng rng;
        dist_rng_seed(&rng, 10 + e);
        size_t covered = 0;
        for (size_t t = 0; t < TRIALS; t++) {
            make(&m, &rng, EFFECTS[e], 0);
            struct stats_shift shift = compare(&m, SAMPLES);
            covered += shift.ci.low <= 0 && shift.ci.high >= 0;
        }
        assert_true((double)covered / TRIALS >= 0.91);
    }
}

static void test_what_cannot_be_compared(void **state) {
    (void)state;
    struct dist_rng rng;
    dist_rng_seed(&rng, 2);
    struct made m;
    make(&m, &rng, 0, 0.5);
    assert_int_equal(compare(&m, 2).refusal, STATS_TOO_FEW); // how samples differ is not known
    m.series[4].count--;
    assert_int_equal(compare(&m, SAMPLES).refusal, STATS_TOO_FEW); // not the same work
    m.series[4].count++;
    m.step[1][7] = 0;
    assert_int_equal(compare(&m, SAMPLES).refusal, STATS_TOO_FEW); // no logarithm
}

// --- through journals -----------------------------------------------------------------------------------------------

static void add_samples(struct fixture *f, struct dist_rng *rng, double cost, size_t steps, size_t ranks) {
    str_add(&f->text, "{\"t\":\"case\",\"case\":\"md\",\"bench\":\"application\"}\n");
    for (size_t seq = 0; seq < SAMPLES; seq++)
        for (size_t rank = 0; rank < ranks; rank++) {
            str_printf(&f->text, "{\"t\":\"sample\",\"case\":\"md\",\"seq\":%zu,\"mode\":\"timing\",\"rank\":%zu,", seq,
                       rank);
            str_printf(&f->text, "\"wall_s\":%.6f,\"valid\":true,\"steps_s\":[", cost * (1 + 0.001 * (double)seq));
            for (size_t i = 0; i < steps; i++)
                str_printf(&f->text, "%s%.9f", i ? "," : "", cost / 100 * exp(0.02 * noise_normal(rng)));
            str_add(&f->text, "]}\n");
        }
}

static enum stats_method method_of(size_t steps, size_t ranks, enum stats_verdict *verdict) {
    struct dist_rng rng;
    dist_rng_seed(&rng, 3);
    struct fixture guest;
    struct fixture metal;
    fixture_begin(&guest, "guest", "guest", "a");
    fixture_begin(&metal, "metal", "metal", "b");
    add_samples(&guest, &rng, 1.05, steps, ranks);
    add_samples(&metal, &rng, 1, steps, ranks);
    fixture_end(&guest);
    fixture_end(&metal);
    struct dataset subject;
    struct dataset baseline;
    struct error err = {0};
    assert_int_equal(dataset_load(&subject, guest.path, &err), 0);
    assert_int_equal(dataset_load(&baseline, metal.path, &err), 0);
    struct model model;
    model_make(&model, &subject, 1, &baseline, 1, 0.5);
    enum stats_method method = model.cases[0].cmp.shift.method;
    *verdict = model.cases[0].verdict;
    assert_true(!model.cases[0].warnings.count || method == STATS_NONE ||
                strstr(model.cases[0].warnings.items[0], "rests on the steps"));
    model_free(&model);
    dataset_free(&subject);
    dataset_free(&baseline);
    fixture_remove(&guest);
    fixture_remove(&metal);
    return method;
}

static void test_a_report_of_three_runs_with_steps(void **state) {
    (void)state;
    enum stats_verdict verdict = STATS_CANNOT_TELL;
    assert_int_equal(method_of(100, 1, &verdict), STATS_STEPS);
    assert_int_equal(verdict, STATS_SLOWER);
    assert_int_equal(method_of(0, 1, &verdict), STATS_NONE);
    assert_int_equal(verdict, STATS_CANNOT_TELL);
    // Lines of several ranks: which of them decides a step is not known.
    assert_int_equal(method_of(100, 2, &verdict), STATS_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_tell_what_three_samples_cannot),
        cmocka_unit_test(test_intervals_cover_however_samples_differ),
        cmocka_unit_test(test_what_cannot_be_compared),
        cmocka_unit_test(test_a_report_of_three_runs_with_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
