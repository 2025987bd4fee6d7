// SPDX-License-Identifier: Apache-2.0
// The ledger's arithmetic, each formula against a result computed by hand: shares of time, active CPUs, sources.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ledger_fixture.h"

static void a_line_is_its_share_of_time_at_the_subjects_cost(void **state) {
    (void)state;
    struct bench b;
    begin(&b, true);
    // Guest 11 us, metal 10 us, 2 CPUs, 1 s.
    //   exit.timer: 100 * (0.02 * 11 / 2) / 10 = 1.1 %
    //   guest.irq:  100 * (0.012 * 11 / 2 - 0.01 * 10 / 2) / 10 = 0.16 %
    //   difference of the means: 10 %; unexplained: 10 - 1.1 - 0.16 = 8.74 %
    for (int i = 0; i < 6; i++) {
        sample(&b, 0, i, "timing", 11,
               ",\"obs\":[{\"cause\":\"exit.timer\",\"count\":100,\"seconds\":0.02,\"basis\":\"calibrated\"},"
               "{\"cause\":\"guest.irq\",\"count\":5,\"seconds\":0.012,\"basis\":\"timed\"}]");
        sample(&b, 1, i, "timing", 10,
               ",\"obs\":[{\"cause\":\"guest.irq\",\"count\":4,\"seconds\":0.01,\"basis\":\"timed\"}]");
    }
    const struct model_case *c = finish(&b);
    assert_close(c->cmp.mean_pct.mean, 10, 1e-9);
    assert_close(c->pct, 10, 1e-9);
    assert_close(find_line(c, CAUSE_EXIT_TIMER, SCOPE_CPU)->pct, 1.1, 1e-9);
    assert_close(find_line(c, CAUSE_GUEST_IRQ, SCOPE_CPU)->pct, 0.16, 1e-9);
    assert_close(c->ledger.explained.mean, 1.26, 1e-9);
    assert_close(c->ledger.unexplained.mean, 8.74, 1e-9);
    assert_close(c->ledger.tail_pct, 0, 1e-9);
    assert_int_equal(c->verdict, STATS_SLOWER);
    assert_false(c->ledger.exceeds);
    assert_true(find_line(c, CAUSE_GUEST_IRQ, SCOPE_CPU)->on_baseline);
    assert_false(find_line(c, CAUSE_EXIT_TIMER, SCOPE_CPU)->on_baseline);
    end(&b);
}

static void without_a_baseline_it_is_the_share_of_cpu_time(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    // 100 * 0.03 / (2 * 0.5) = 3 %: roi_s is the window, not the wall time. memory.nested is no direct cost.
    for (int i = 0; i < 5; i++)
        sample(&b, 0, i, "timing", 11,
               ",\"roi_s\":0.5,\"obs\":[{\"cause\":\"exit.ipi\",\"count\":10,\"seconds\":0.03,\"basis\":\"timed\"},"
               "{\"cause\":\"memory.nested\",\"count\":10,\"seconds\":0.01,\"basis\":\"timed\"}]");
    const struct model_case *c = finish(&b);
    assert_false(c->cmp.has_baseline);
    assert_close(find_line(c, CAUSE_EXIT_IPI, SCOPE_CPU)->pct, 3, 1e-9);
    assert_close(c->ledger.direct.mean, 3, 1e-9);
    assert_close(c->ledger.explained.mean, 4, 1e-9);
    assert_true(isnan(c->ledger.unexplained.mean));
    assert_true(isnan(c->ledger.tail_pct));
    end(&b);
}

static void higher_is_better_is_compared_as_cost(void **state) {
    (void)state;
    struct bench b = {.baseline = true};
    fixture_begin(&b.fixture[0], "guest", "guest", "g");
    fixture_begin(&b.fixture[1], "metal", "metal", "m");
    for (int i = 0; i < 2; i++)
        str_add(&b.fixture[i].text,
                "{\"t\":\"case\",\"case\":\"c\",\"fom\":{\"name\":\"rate\",\"unit\":\"GB/s\","
                "\"better\":\"higher\"},\"cpus\":1}\n");
    // 8 instead of 10 GB/s costs 1/8 instead of 1/10: 25 % more.
    for (int i = 0; i < 6; i++) {
        sample(&b, 0, i, "timing", 8, "");
        sample(&b, 1, i, "timing", 10, "");
    }
    const struct model_case *c = finish(&b);
    assert_close(c->pct, 25, 1e-9);
    assert_close(c->cmp.mean_pct.mean, 25, 1e-9);
    assert_close(c->ledger.unexplained.mean, 25, 1e-9);
    end(&b);
}

static void latency_and_counts_explain_nothing(void **state) {
    (void)state;
    struct bench b;
    begin(&b, true);
    for (int i = 0; i < 6; i++) {
        sample(&b, 0, i, "timing", 11,
               ",\"obs\":[{\"cause\":\"hop.vmm\",\"scope\":\"latency\",\"count\":32,\"seconds\":9,\"basis\":\"timed\"},"
               "{\"cause\":\"hop.vmm\",\"scope\":\"blocked\",\"count\":32,\"seconds\":0.01,\"basis\":\"timed\"},"
               "{\"cause\":\"exit.eoi\",\"count\":700,\"seconds\":0,\"basis\":\"counted\"}]");
        sample(&b, 1, i, "timing", 10, "");
    }
    const struct model_case *c = finish(&b);
    assert_false(find_line(c, CAUSE_HOP_VMM, SCOPE_LATENCY)->summed);
    assert_true(isnan(find_line(c, CAUSE_HOP_VMM, SCOPE_LATENCY)->pct));
    const struct ledger_line *eoi = find_line(c, CAUSE_EXIT_EOI, SCOPE_CPU);
    assert_true(isnan(eoi->pct));
    assert_close(eoi->count, 700, 1e-9);
    assert_close(c->ledger.explained.mean, 0.55, 1e-9); // the blocked second: 100 * 0.01 * 11 / 2 / 10
    end(&b);
}

static void active_cpus_come_from_cpu_time(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    // One of two CPUs was used: 0.9 s of CPU time + 0.1 s stolen = 1 active CPU: 10 %, not 5.
    for (int i = 0; i < 5; i++)
        sample(&b, 0, i, "timing", 11,
               ",\"circumstances\":{\"cpu_s\":0.9},\"obs\":[{\"cause\":\"host.steal\",\"count\":1,\"seconds\":0.1,"
               "\"basis\":\"timed\"}]");
    const struct model_case *c = finish(&b);
    assert_close(find_line(c, CAUSE_HOST_STEAL, SCOPE_CPU)->pct, 10, 1e-9);
    end(&b);
}

static void exits_are_in_the_cpu_time_already(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    // A loop that spends 0.4 of 1 s in exits has 1 s of CPU time as its guest sees it: 40 %.
    for (int i = 0; i < 5; i++)
        sample(&b, 0, i, "timing", 11,
               ",\"circumstances\":{\"cpu_s\":1.0},\"obs\":[{\"cause\":\"exit.cpuid\",\"count\":1,\"seconds\":0.4,"
               "\"basis\":\"sampled\"}]");
    const struct model_case *c = finish(&b);
    assert_close(find_line(c, CAUSE_EXIT_CPUID, SCOPE_CPU)->pct, 40, 1e-9);
    end(&b);
}

static void active_cpus_never_exceed_the_cpus(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    for (int i = 0; i < 5; i++)
        sample(&b, 0, i, "timing", 11,
               ",\"circumstances\":{\"cpu_s\":2.0},\"obs\":[{\"cause\":\"host.steal\",\"count\":1,\"seconds\":0.2,"
               "\"basis\":\"timed\"}]");
    const struct model_case *c = finish(&b);
    assert_close(find_line(c, CAUSE_HOST_STEAL, SCOPE_CPU)->pct, 10, 1e-9);
    end(&b);
}

static void ranks_are_one_observation(void **state) {
    (void)state;
    struct bench b;
    begin(&b, true);
    // Two ranks: the cost is the slower's (11), the seconds add up: 100 * (0.03 * 11 / 2) / 10 = 1.65 %.
    for (int i = 0; i < 6; i++) {
        sample(&b, 0, i, "timing", 11,
               ",\"rank\":0,\"obs\":[{\"cause\":\"exit.ipi\",\"count\":3,\"seconds\":0.01,\"basis\":\"timed\"}]");
        sample(&b, 1, i, "timing", 10, "");
    }
    for (int i = 0; i < 6; i++)
        sample(&b, 0, i, "timing", 10.5,
               ",\"rank\":1,\"obs\":[{\"cause\":\"exit.ipi\",\"count\":4,\"seconds\":0.02,\"basis\":\"timed\"}]");
    const struct model_case *c = finish(&b);
    assert_int_equal(c->cmp.subject.count, 6);
    assert_close(c->pct, 10, 1e-9);
    const struct ledger_line *line = find_line(c, CAUSE_EXIT_IPI, SCOPE_CPU);
    assert_close(line->pct, 1.65, 1e-9);
    assert_close(line->count, 7, 1e-9);
    assert_close(line->seconds, 0.03, 1e-9);
    end(&b);
}

static void an_invalid_rank_makes_the_observation_invalid(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    for (int i = 0; i < 5; i++)
        sample(&b, 0, i, "timing", 10, ",\"rank\":0");
    str_add(&b.fixture[0].text,
            "{\"t\":\"sample\",\"case\":\"c\",\"seq\":2,\"mode\":\"timing\",\"wall_s\":1,\"fom\":1,"
            "\"valid\":false,\"why\":\"wrong result\",\"rank\":1}\n");
    const struct model_case *c = finish(&b);
    assert_int_equal(c->cmp.subject.count, 4);
    assert_true(warned(c, "wrong result"));
    end(&b);
}

static void attribution_lends_its_share_of_time_only(void **state) {
    (void)state;
    struct bench b;
    begin(&b, true);
    // Attribution samples take 22 us, twice as long, and see 0.04 CPU-seconds in 2, of which the probes had 0.5: a
    // share of 0.04 / 1.5. At the timing samples' cost of 11: 100 * 0.04 / 1.5 * 11 / 10 = 2.93 %. The count stays the
    // timing samples'.
    for (int i = 0; i < 6; i++) {
        sample(&b, 0, i, "timing", 11,
               ",\"obs\":[{\"cause\":\"exit.timer\",\"count\":100,\"seconds\":0,\"basis\":\"counted\"}]");
        sample(&b, 0, i, "attribution", 22,
               ",\"obs\":[{\"cause\":\"exit.timer\",\"count\":150,\"seconds\":0.04,\"basis\":\"timed\"},"
               "{\"cause\":\"observer\",\"count\":1,\"seconds\":0.5,\"basis\":\"timed\"}]");
        sample(&b, 1, i, "timing", 10, "");
    }
    const struct model_case *c = finish(&b);
    const struct ledger_line *line = find_line(c, CAUSE_EXIT_TIMER, SCOPE_CPU);
    assert_close(line->pct, 4.4 / 1.5, 1e-9);
    assert_close(line->count, 100, 1e-9);
    assert_int_equal(line->mode, MODE_ATTRIBUTION);
    // What the probes cost in attribution samples is not in the headline, so not in the balance either.
    assert_false(find_line(c, CAUSE_OBSERVER, SCOPE_CPU)->summed);
    assert_int_equal(c->ledger.observer_count, 1);
    assert_close(c->ledger.observers[0].pct, 100, 1e-9);
    assert_close(c->ledger.unexplained.mean, 10 - 4.4 / 1.5, 1e-9);
    end(&b);
}

// Interrupts are told twice in the pass of exit_timing: by whole ticks (sampled) and one by one (timed). The time that
// the job was active holds them once: k roi = 1.0 + 0.1 s, and of it exit.timer has 0.055 s, 5 %. The 0.3 s that ticks
// tell of softirqs are the only word on these in the second kind of samples: 0.065 / 1.3 s is 5 %, too.
static void time_beside_the_cpu_time_is_taken_once(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    for (int i = 0; i < 6; i++) {
        sample(&b, 0, i, "timing", 10, "");
        sample(&b, 0, i, "attribution", 10,
               i % 2 ? ",\"pass\":\"exit_timing\",\"circumstances\":{\"cpu_s\":1.0},\"obs\":["
                       "{\"cause\":\"guest.irq\",\"seconds\":0.2,\"basis\":\"sampled\"},"
                       "{\"cause\":\"guest.irq\",\"seconds\":0.1,\"basis\":\"timed\"},"
                       "{\"cause\":\"exit.timer\",\"count\":9,\"seconds\":0.055,\"basis\":\"timed\"}]"
                     : ",\"pass\":\"exit_timing\",\"circumstances\":{\"cpu_s\":1.0},\"obs\":["
                       "{\"cause\":\"guest.softirq\",\"seconds\":0.3,\"basis\":\"sampled\"},"
                       "{\"cause\":\"exit.timer\",\"count\":9,\"seconds\":0.065,\"basis\":\"timed\"}]");
    }
    const struct model_case *c = finish(&b);
    assert_close(find_line(c, CAUSE_EXIT_TIMER, SCOPE_CPU)->pct, 5, 1e-9);
    end(&b);
}

static void a_cause_is_averaged_over_its_own_pass(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    // Of four samples of the profiler's pass two met the cause, 0.08 of 2 CPU-seconds each: 2 %. The other pass's
    // samples could not have seen it and count for nothing.
    for (int i = 0; i < 6; i++)
        sample(&b, 0, i, "timing", 10, "");
    for (int i = 0; i < 8; i++)
        sample(&b, 0, i, "attribution", 10,
               i % 2 ? ",\"pass\":\"common\",\"obs\":[{\"cause\":\"guest.fault\",\"count\":7,\"basis\":\"counted\"}]"
               : i % 4 == 0
                   ? ",\"pass\":\"exit_profiler\",\"obs\":[{\"cause\":\"exit.pio\",\"count\":30,\"seconds\":0.08,"
                     "\"basis\":\"sampled\"}]"
                   : ",\"pass\":\"exit_profiler\"");
    const struct model_case *c = finish(&b);
    const struct ledger_line *line = find_line(c, CAUSE_EXIT_PIO, SCOPE_CPU);
    assert_close(line->pct, 2, 1e-9);
    assert_close(line->count, 15, 1e-9);
    assert_string_equal(line->pass, "exit_profiler");
    assert_close(find_line(c, CAUSE_GUEST_FAULT, SCOPE_CPU)->count, 7, 1e-9);
    assert_int_equal(c->ledger.observer_count, 2);
    assert_string_equal(c->ledger.observers[0].pass, "exit_profiler");
    assert_int_equal(c->ledger.observers[0].count, 4);
    end(&b);
}

static void timed_sample(struct bench *b, int seq, const char *mode, double at_s, double log_cost, const char *pass) {
    char rest[120];
    snprintf(rest, sizeof rest, ",\"start_ns\":%.0f%s", at_s * 1e9, pass);
    sample(b, 0, seq, mode, exp(log_cost), rest);
}

static void the_observer_is_told_against_neighbours(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    // The machine slows down by 1 % a second, and a timing sample starts each second. Two samples of one pass cost 2
    // and 4 % more than the level halfway between their neighbours: 3 % on average, spread 1.41 % each. Six interior
    // timing samples have no spread about theirs and count for 6 / (1 + 2 (4/9 + 1/36)) = 3.0857 independent ones, so
    // the variance of one difference is 2 * 1 / (1 + 3.0857) = 0.48951 %^2, the mean's standard error sqrt(0.48951 /
    // 2).
    for (int i = 0; i < 8; i++)
        timed_sample(&b, i, "timing", 1 + i, 0.01 * i, "");
    timed_sample(&b, 0, "attribution", 3.5, 0.025 + 0.02, ",\"pass\":\"exit_profiler\"");
    timed_sample(&b, 1, "attribution", 6.2, 0.055 + 0.04, ",\"pass\":\"exit_profiler\"");
    const struct model_case *c = finish(&b);
    assert_int_equal(c->ledger.observer_count, 1);
    const struct ledger_observer *o = &c->ledger.observers[0];
    assert_close(o->pct, 100 * expm1(0.03), 1e-6);
    struct stats_mean mean = {.mean = 0.03, .se = 0.01 * sqrt(2 / 4.085714286 / 2), .df = 4.085714286};
    struct stats_interval ci = stats_mean_interval(&mean);
    assert_close(o->ci.low, 100 * expm1(ci.low), 1e-6);
    assert_close(o->ci.high, 100 * expm1(ci.high), 1e-6);
    end(&b);
}

static void the_best_basis_is_taken_and_never_two(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    for (int i = 0; i < 5; i++)
        sample(&b, 0, i, "timing", 10,
               ",\"obs\":[{\"cause\":\"exit.timer\",\"count\":90,\"seconds\":0.5,\"basis\":\"calibrated\"},"
               "{\"cause\":\"exit.timer\",\"count\":80,\"seconds\":0.02,\"basis\":\"timed\"}]");
    const struct model_case *c = finish(&b);
    const struct ledger_line *line = find_line(c, CAUSE_EXIT_TIMER, SCOPE_CPU);
    assert_int_equal(line->basis, BASIS_TIMED);
    assert_close(line->pct, 1, 1e-9);
    end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_its_share_of_time_at_the_subjects_cost),
        cmocka_unit_test(without_a_baseline_it_is_the_share_of_cpu_time),
        cmocka_unit_test(higher_is_better_is_compared_as_cost),
        cmocka_unit_test(latency_and_counts_explain_nothing),
        cmocka_unit_test(active_cpus_come_from_cpu_time),
        cmocka_unit_test(exits_are_in_the_cpu_time_already),
        cmocka_unit_test(active_cpus_never_exceed_the_cpus),
        cmocka_unit_test(ranks_are_one_observation),
        cmocka_unit_test(an_invalid_rank_makes_the_observation_invalid),
        cmocka_unit_test(attribution_lends_its_share_of_time_only),
        cmocka_unit_test(time_beside_the_cpu_time_is_taken_once),
        cmocka_unit_test(a_cause_is_averaged_over_its_own_pass),
        cmocka_unit_test(the_observer_is_told_against_neighbours),
        cmocka_unit_test(the_best_basis_is_taken_and_never_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
