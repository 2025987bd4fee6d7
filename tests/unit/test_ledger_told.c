// SPDX-License-Identifier: Apache-2.0
// What a source could not tell in a sample is not 0 there: means, intervals, the rest, and the words for it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/ledger_fixture.h"

#define UNKNOWN(cause, basis, why)                                                                                     \
    ",\"unknown\":[{\"cause\":\"" cause "\",\"scope\":\"cpu\",\"basis\":\"" basis "\",\"why\":\"" why "\"}]"

// An attribution sample of the profiler's pass in which it told this much; NaN: it could not.
static void profiled(struct bench *b, int side, int seq, double seconds, const char *otherwise) {
    char rest[400];
    if (isnan(seconds))
        snprintf(rest, sizeof rest, ",\"pass\":\"exit_profiler\",\"circumstances\":{\"cpu_s\":2}%s", otherwise);
    else
        snprintf(rest, sizeof rest,
                 ",\"pass\":\"exit_profiler\",\"circumstances\":{\"cpu_s\":2},\"obs\":[{\"cause\":\"host.hidden\","
                 "\"basis\":\"sampled\",\"seconds\":%.17g,\"se\":0.001}]",
                 seconds);
    sample(b, side, seq, "attribution", 100, rest);
}

static void timing(struct bench *b, int side, int count) {
    for (int i = 0; i < count; i++)
        sample(b, side, i, "timing", 100, ",\"circumstances\":{\"cpu_s\":2}");
}

// The mean and the interval of the samples that told it, as if the others had not been taken.
static void averaged_where_told(void **state) {
    (void)state;
    static const double told[] = {0.10, 0.14, 0.12};
    struct bench with;
    struct bench without;
    begin(&with, false);
    begin(&without, false);
    timing(&with, 0, 4);
    timing(&without, 0, 4);
    profiled(&with, 0, 0, NAN, UNKNOWN("host.hidden", "sampled", "not known yet"));
    for (int i = 0; i < 3; i++) {
        profiled(&with, 0, i + 1, told[i], "");
        profiled(&without, 0, i, told[i], "");
    }
    profiled(&with, 0, 4, NAN, UNKNOWN("host.hidden", "sampled", "ticks came late"));
    const struct model_case *c = finish(&with);
    const struct ledger_line *line = find_line(c, CAUSE_HOST_HIDDEN, SCOPE_CPU);
    const struct ledger_line *other = find_line(finish(&without), CAUSE_HOST_HIDDEN, SCOPE_CPU);
    assert_close(line->pct, 6, 1e-9); // 0.12 s of 2 CPU-seconds
    assert_close(line->seconds, 0.12, 1e-12);
    assert_true(line->pct == other->pct && line->ci.low == other->ci.low && line->ci.high == other->ci.high);
    assert_int_equal(line->told.told, 3);
    assert_int_equal(line->told.samples, 5);
    assert_string_equal(line->told.why, "not known yet; ticks came late");
    assert_null(other->told.why);
    assert_int_equal(c->told.count, 1);
    assert_string_equal(c->told.items[0], "host.hidden told in 3 of 5 samples: not known yet; ticks came late");
    end(&with);
    end(&without);
}

// Silence is a statement: what a collector writes only where it met it was not there.
static void silence_is_zero(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    timing(&b, 0, 4);
    profiled(&b, 0, 0, NAN, "");
    profiled(&b, 0, 1, 0.12, "");
    const struct model_case *c = finish(&b);
    const struct ledger_line *line = find_line(c, CAUSE_HOST_HIDDEN, SCOPE_CPU);
    assert_close(line->seconds, 0.06, 1e-12);
    assert_int_equal(line->told.told, 2);
    assert_int_equal(c->told.count, 0);
    end(&b);
}

static void never_told_is_not_measured(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    timing(&b, 0, 4);
    for (int i = 0; i < 3; i++)
        profiled(&b, 0, i, NAN, UNKNOWN("host.hidden", "sampled", "ticks came late"));
    const struct model_case *c = finish(&b);
    const struct ledger_line *line = find_line(c, CAUSE_HOST_HIDDEN, SCOPE_CPU);
    assert_true(ledger_not_measured(line) && !line->summed && isnan(line->pct) && isnan(line->seconds));
    assert_string_equal(c->told.items[0], "host.hidden not measured: ticks came late");
    end(&b);
}

// Where another source knows the cause, its word stands.
static void another_source_is_taken(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    for (int i = 0; i < 4; i++)
        sample(&b, 0, i, "timing", 100,
               ",\"circumstances\":{\"cpu_s\":2},\"obs\":[{\"cause\":\"exit.timer\",\"basis\":\"calibrated\","
               "\"count\":10,\"seconds\":0.02}]" UNKNOWN("exit.timer", "timed", "not seen whole"));
    const struct model_case *c = finish(&b);
    const struct ledger_line *line = find_line(c, CAUSE_EXIT_TIMER, SCOPE_CPU);
    assert_true(line->summed && line->basis == BASIS_CALIBRATED);
    assert_close(line->pct, 1, 1e-9);
    assert_int_equal(c->told.count, 0);
    end(&b);
}

// One of two ranks could not tell: what the other told is not the sample's.
static void one_rank_is_enough(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    for (int i = 0; i < 4; i++)
        for (int rank = 0; rank < 2; rank++) {
            char rest[400];
            snprintf(rest, sizeof rest, ",\"rank\":%d,\"circumstances\":{\"cpu_s\":1}%s", rank,
                     i == 0 && rank == 1
                         ? UNKNOWN("host.steal", "timed", "no clock")
                         : ",\"obs\":[{\"cause\":\"host.steal\",\"basis\":\"timed\",\"seconds\":0.05}]");
            sample(&b, 0, i, "timing", 100, rest);
        }
    const struct ledger_line *line = find_line(finish(&b), CAUSE_HOST_STEAL, SCOPE_CPU);
    assert_close(line->seconds, 0.1, 1e-12);
    assert_int_equal(line->told.told, 3);
    end(&b);
}

// Active CPUs of a sample whose steal is not known are those of the others: its other causes' shares do not change.
static void active_cpus_of_the_others(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    for (int i = 0; i < 4; i++)
        sample(&b, 0, i, "timing", 100,
               i == 0 ? ",\"circumstances\":{\"cpu_s\":1},\"obs\":[{\"cause\":\"exit.msr\",\"basis\":\"timed\","
                        "\"seconds\":0.15}]" UNKNOWN("host.steal", "timed", "no clock")
                      : ",\"circumstances\":{\"cpu_s\":1},\"obs\":[{\"cause\":\"exit.msr\",\"basis\":\"timed\","
                        "\"seconds\":0.15},{\"cause\":\"host.steal\",\"basis\":\"timed\",\"seconds\":0.5}]");
    const struct ledger_line *line = find_line(finish(&b), CAUSE_EXIT_MSR, SCOPE_CPU);
    assert_close(line->pct, 10, 1e-9); // 0.15 of 1 + 0.5 in each of them
    end(&b);
}

// Guest against metal, with steal that makes all of the difference. `untold`: samples that do not tell it.
static struct ledger_line stolen(struct bench *b, int untold, double *rest, double *rest_width, double *mean_pct) {
    begin(b, true);
    for (int i = 0; i < 12; i++) {
        char obs[400];
        double steal = 0.1 + 0.01 * (i * 7 % 12); // of 1 s on two CPUs: all but 2 s are the work
        snprintf(obs, sizeof obs, ",\"circumstances\":{\"cpu_s\":%.17g}%s", 2 - steal,
                 UNKNOWN("host.steal", "timed", "the clock was not read"));
        if (i >= untold)
            snprintf(obs, sizeof obs,
                     ",\"circumstances\":{\"cpu_s\":%.17g},\"obs\":[{\"cause\":\"host.steal\",\"basis\":\"timed\","
                     "\"seconds\":%.17g}]",
                     2 - steal, steal);
        sample(b, 0, i, "timing", 100 / (1 - steal / 2), obs);
        sample(b, 1, i, "timing", 100, ",\"circumstances\":{\"cpu_s\":2}");
    }
    const struct model_case *c = finish(b);
    *rest = c->ledger.unexplained.mean;
    *rest_width = c->ledger.unexplained_ci.high - c->ledger.unexplained_ci.low;
    *mean_pct = c->cmp.mean_pct.mean;
    assert_close(c->ledger.explained.mean + c->ledger.unexplained.mean, c->cmp.mean_pct.mean, 1e-9);
    return *find_line(c, CAUSE_HOST_STEAL, SCOPE_CPU);
}

static void the_rest_stays_consistent(void **state) {
    (void)state;
    struct bench all;
    struct bench some;
    double rest[2];
    double width[2];
    double mean[2];
    struct ledger_line whole = stolen(&all, 0, &rest[0], &width[0], &mean[0]);
    struct ledger_line part = stolen(&some, 4, &rest[1], &width[1], &mean[1]);
    assert_close(rest[0], 0, 0.01); // all of it is explained
    assert_close(rest[1], 0, width[1] / 2);
    assert_true(width[1] > 3 * width[0]); // and less surely where a third of it was not told
    assert_close(part.pct, whole.pct, (part.ci.high - part.ci.low) / 2);
    assert_true(part.ci.high - part.ci.low > whole.ci.high - whole.ci.low);
    assert_int_equal(part.told.told, 8);
    end(&all);
    end(&some);
}

static const struct ledger_line *beside_one_that_cannot_tell(struct bench *b, const char *role) {
    begin_beside(b, true, role);
    timing(b, 0, 6);
    timing(b, 1, 6);
    for (int i = 0; i < 3; i++) {
        profiled(b, 0, i, 0.1, "");
        profiled(b, 1, i, NAN, UNKNOWN("host.hidden", "sampled", "ticks came late"));
    }
    return find_line(finish(b), CAUSE_HOST_HIDDEN, SCOPE_CPU);
}

// A guest that could not tell is no baseline of 0.
static void a_baseline_that_cannot_tell(void **state) {
    (void)state;
    struct bench b;
    const struct ledger_line *line = beside_one_that_cannot_tell(&b, "guest");
    assert_true(!line->summed && !ledger_not_measured(line) && told_never(&line->baseline_told));
    assert_close(line->seconds, 0.1, 1e-12);
    assert_string_equal(line->baseline_told.why, "ticks came late");
    assert_int_equal(b.model.cases[0].told.count, 1);
    end(&b);
}

// Bare metal has no hypervisor: nothing of one went untold there.
static void bare_metal_has_no_hypervisor_to_tell_of(void **state) {
    (void)state;
    struct bench b;
    const struct ledger_line *line = beside_one_that_cannot_tell(&b, "metal");
    assert_true(line->summed && !told_never(&line->baseline_told));
    assert_close(line->pct, 5, 1e-9); // 0.1 s of 2 CPU-seconds
    assert_int_equal(b.model.cases[0].told.count, 0);
    end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(averaged_where_told),
        cmocka_unit_test(silence_is_zero),
        cmocka_unit_test(never_told_is_not_measured),
        cmocka_unit_test(another_source_is_taken),
        cmocka_unit_test(one_rank_is_enough),
        cmocka_unit_test(active_cpus_of_the_others),
        cmocka_unit_test(the_rest_stays_consistent),
        cmocka_unit_test(a_baseline_that_cannot_tell),
        cmocka_unit_test(bare_metal_has_no_hypervisor_to_tell_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
