// SPDX-License-Identifier: Apache-2.0
// What a ledger's lines and its unexplained part are uncertain by, what is told of it, and pairs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "report/distribution.h"
#include "report/series.h"
#include "tests/unit/ledger_fixture.h"

static void the_tail_is_the_mean_less_the_robust_shift(void **state) {
    (void)state;
    struct bench b;
    begin(&b, true);
    // One of ten guest samples takes 20 instead of 10: the mean is 11, the median 10.
    for (int i = 0; i < 10; i++) {
        sample(&b, 0, i, "timing", i == 4 ? 20 : 10, "");
        sample(&b, 1, i, "timing", 10, "");
    }
    const struct model_case *c = finish(&b);
    assert_close(c->cmp.mean_pct.mean, 10, 1e-9);
    assert_close(c->pct, 0, 1e-9);
    assert_close(c->ledger.tail_pct, 10, 1e-9);
    end(&b);
}

static void what_metal_has_too_needs_both_sides(void **state) {
    (void)state;
    struct bench b;
    begin(&b, true);
    // Nobody looked for interrupts and offloaded I/O on metal: 8 % and 5 % here are no overhead. No exits are known to
    // be there: 100 * 0.02 * 11 / 2 / 10 = 1.1 %.
    for (int i = 0; i < 6; i++) {
        sample(&b, 0, i, "timing", 11,
               ",\"obs\":[{\"cause\":\"guest.irq\",\"seconds\":0.16,\"basis\":\"timed\"},{\"cause\":\"offload.nvme\","
               "\"scope\":"
               "\"blocked\",\"seconds\":0.1,\"basis\":\"timed\"},{\"cause\":\"exit.ipi\",\"seconds\":0.02,\"basis\":"
               "\"timed\"}]");
        sample(&b, 1, i, "timing", 10, "");
    }
    const struct model_case *c = finish(&b);
    assert_true(find_line(c, CAUSE_GUEST_IRQ, SCOPE_CPU)->one_sided);
    assert_false(find_line(c, CAUSE_GUEST_IRQ, SCOPE_CPU)->summed);
    assert_false(find_line(c, CAUSE_OFFLOAD_NVME, SCOPE_BLOCKED)->summed);
    assert_close(c->ledger.explained.mean, 1.1, 1e-9);
    assert_close(c->ledger.unexplained.mean, 8.9, 1e-9);
    assert_true(warned(c, "did not measure offload.nvme, guest.irq"));
    end(&b);
}

static void parts_that_exceed_the_whole_are_told(void **state) {
    (void)state;
    struct bench b;
    begin(&b, true);
    for (int i = 0; i < 8; i++) {
        sample(&b, 0, i, "timing", 10.1 + 0.001 * (i % 3),
               ",\"obs\":[{\"cause\":\"exit.ipi\",\"count\":3,\"seconds\":0.4,\"basis\":\"timed\"}]");
        sample(&b, 1, i, "timing", 10 + 0.001 * (i % 3), "");
    }
    const struct model_case *c = finish(&b);
    assert_true(c->ledger.exceeds);
    assert_true(warned(c, "EXCEED"));
    end(&b);
}

static void intervals_hold_the_sources_error(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    // All samples alike, so there is no spread; a calibrated unit cost is wrong in all of them alike: se 0.002 of
    // 0.02 s on 2 CPU-seconds is 0.1 %.
    for (int i = 0; i < 9; i++)
        sample(&b, 0, i, "timing", 10,
               ",\"obs\":[{\"cause\":\"exit.ipi\",\"count\":3,\"seconds\":0.02,\"se\":0.002,\"basis\":\"calibrated\"},"
               "{\"cause\":\"exit.cpuid\",\"count\":3,\"seconds\":0.02,\"se\":0.006,\"basis\":\"sampled\"}]");
    const struct model_case *c = finish(&b);
    assert_close(find_line(c, CAUSE_EXIT_IPI, SCOPE_CPU)->se, 0.1, 1e-9);
    // A sampled one is new in each of the nine: 0.3 % / 3.
    assert_close(find_line(c, CAUSE_EXIT_CPUID, SCOPE_CPU)->se, 0.1, 1e-9);
    end(&b);
}

static void calibrate(struct bench *b, int side, double mean_s, const char *type, const char *more) {
    str_printf(&b->fixture[side].text,
               "{\"t\":\"%s\",\"at_ns\":1,\"traps\":{\"timer_arm\":{\"measured\":true,\"n\":100,\"median_s\":%g,"
               "\"mean_s\":%g,\"se_s\":1e-7,\"exits\":true%s}}}\n",
               type, mean_s, mean_s, more);
}

// The fixture's header, with a first calibration in it.
static void first_calibration(struct bench *b, int side, const char *more) {
    struct str *text = &b->fixture[side].text;
    char *old = mem_strdup(text->text);
    char *cut = strstr(old, "}\n{\"t\":\"case\"");
    assert_non_null(cut);
    text->length = 0;
    str_printf(
        text,
        "%.*s,\"calibration\":{\"traps\":{\"timer_arm\":{\"measured\":true,\"n\":100,\"median_s\":1e-5,\"mean_s\":"
        "1e-5,\"se_s\":1e-7,\"exits\":true%s}}}%s",
        (int)(cut - old), old, more, cut);
    free(old);
}

#define TIMERS(count, seconds, se)                                                                                     \
    ",\"obs\":[{\"cause\":\"exit.timer\",\"count\":" count ",\"seconds\":" seconds ",\"se\":" se                       \
    ",\"basis\":\"calibrated\",\"detail\":{\"unit\":\"timer_arm\"}}]"

static void a_drifting_unit_cost_widens_its_lines(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    // 10 us at first, then 13 and 14 us, each +- 0.1: the root mean square of the moves is
    // sqrt(((3^2 - 0.02) + (4^2 - 0.02)) / 2) = 3.53270 us. 2000 exits in 2 CPU-seconds: 0.353270 %, beside the 2000 x
    // 0.1 us = 0.01 % that the first calibration says of itself.
    first_calibration(&b, 0, "");
    calibrate(&b, 0, 13e-6, "calibration", "");
    calibrate(&b, 0, 14e-6, "calibration", "");
    for (int i = 0; i < 6; i++)
        sample(&b, 0, i, "timing", 10, TIMERS("2000", "0.02", "0.0002"));
    const struct model_case *c = finish(&b);
    const struct ledger_line *line = find_line(c, CAUSE_EXIT_TIMER, SCOPE_CPU);
    assert_close(line->pct, 1, 1e-9);
    assert_close(line->se, hypot(0.353270, 0.01), 1e-6);
    assert_int_equal(b.model.warnings.count, 1);
    assert_non_null(strstr(b.model.warnings.items[0], "timer_arm costs moved by 35 %"));
    end(&b);
}

static void contradicting_unit_costs_are_told(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    first_calibration(&b, 0, ",\"slope_s\":5e-6,\"slope_se_s\":2e-7");
    sample(&b, 0, 0, "timing", 10, "");
    finish(&b);
    assert_int_equal(b.model.warnings.count, 1);
    assert_non_null(strstr(b.model.warnings.items[0], "timer_arm costs is not certain"));
    end(&b);
}

static void one_unit_costs_error_cancels_between_the_sides(void **state) {
    (void)state;
    struct bench b;
    begin(&b, true);
    // Both sides cost 10 us and rest on one unit cost of 10 +- 1 us: 3000 exits against 2000 on 2 CPUs. Where the unit
    // cost is wrong by 10 %, the difference of 0.5 % is wrong by 10 %: 0.05 %, not sqrt(0.15^2 + 0.1^2) = 0.18 %. In
    // unexplained it is all there is.
    first_calibration(&b, 0, "");
    first_calibration(&b, 1, "");
    for (int i = 0; i < 6; i++) {
        sample(&b, 0, i, "timing", 10, TIMERS("3000", "0.03", "0.003"));
        sample(&b, 1, i, "timing", 10, TIMERS("2000", "0.02", "0.002"));
    }
    const struct model_case *c = finish(&b);
    const struct ledger_line *line = find_line(c, CAUSE_EXIT_TIMER, SCOPE_CPU);
    assert_close(line->pct, 0.5, 1e-9);
    assert_close(line->se, 0.05, 1e-9);
    assert_close(c->ledger.unexplained.mean, -0.5, 1e-9);
    assert_close(c->ledger.unexplained.se, 0.05, 1e-9);
    end(&b);
}

static void unexplained_of_pairs_is_the_pairs_residual(void **state) {
    (void)state;
    struct bench b;
    begin(&b, true);
    for (char *host; (host = strstr(b.fixture[0].text.text, "\"host\":\"g\""));) // one machine
        host[8] = 'm';
    // Blocks differ by up to 5 us, alike on both sides. Of the guest's 1 us more (on 10 on average), IPIs explain
    // s C / 2 CPU-seconds = 1, s = 2 / C. What is left is 0 in each pair.
    for (int i = 0; i < 8; i++) {
        char rest[160];
        double metal = 10 + 5 * (i % 2 ? 1.0 : -1.0) * (i % 3) / 2;
        snprintf(rest, sizeof rest,
                 ",\"block\":%d,\"obs\":[{\"cause\":\"exit.ipi\",\"count\":1,\"seconds\":%.17g,\"basis\":\"timed\"}]",
                 i, 2 / (metal + 1));
        sample(&b, 0, i, "timing", metal + 1, rest);
        snprintf(rest, sizeof rest, ",\"block\":%d", i);
        sample(&b, 1, i, "timing", metal, rest);
    }
    const struct model_case *c = finish(&b);
    assert_close(c->ledger.unexplained.mean, 0, 1e-9);
    assert_close(c->ledger.unexplained.se, 0, 1e-6);
    end(&b);
}

// Samples that each resemble their neighbours, with a pass after every fifth: what a pass tells has the timing samples'
// dependence to the power of their distance, which is next to none here, and the rest is no better known than that
// line.
static void samples_of_a_pass_are_farther_apart(void **state) {
    (void)state;
    enum { TIMING = 40, EVERY = 5, PASSES = TIMING / EVERY };
    struct bench b;
    begin(&b, true);
    double seconds[PASSES];
    for (int i = 0; i < TIMING; i++) {
        sample(&b, 0, i, "timing", 11 + sin(i / 2.0), "");
        sample(&b, 1, i, "timing", 10, "");
        if (i % EVERY)
            continue;
        char rest[160];
        seconds[i / EVERY] = i / EVERY % 2 ? 0.10 : 0.14;
        snprintf(rest, sizeof rest,
                 ",\"obs\":[{\"cause\":\"exit.ipi\",\"count\":1,\"seconds\":%.17g,\"basis\":\"timed\"}]",
                 seconds[i / EVERY]);
        sample(&b, 0, i / EVERY, "attribution", 11, rest);
    }
    const struct model_case *c = finish(&b);
    const struct ledger_line *line = find_line(c, CAUSE_EXIT_IPI, SCOPE_CPU);
    assert_true(c->cmp.subject_time > 2);
    const double time = series_thinned_time(c->cmp.subject_time, EVERY);
    // Of 2 CPU-seconds each, at a cost of 11 on average where the baseline's is 10.
    const struct stats_mean alone = stats_mean(seconds, PASSES, time);
    const double percent = 100 * c->cmp.subject_cost.mean / c->cmp.baseline_cost.mean / 2;
    assert_close(line->pct, alone.mean * percent, 1e-9);
    assert_close(line->se, alone.se * percent, 1e-9);
    assert_close(line->df, alone.df, 1e-9);
    assert_true(c->ledger.unexplained.se >= line->se);
    assert_close(c->ledger.unexplained_ci.high - c->ledger.unexplained_ci.low,
                 2 * c->ledger.unexplained.se * dist_t_quantile(0.975, c->ledger.unexplained.df), 1e-9);
    end(&b);
}

// What a pass saw fewer of counts as often as the timing samples have it; what one takes is all that is uncertain.
static void how_many_there_are_timing_samples_say(void **state) {
    (void)state;
    static const int seen[] = {80, 40, 120};
    struct bench b;
    begin(&b, false);
    for (int i = 0; i < 10; i++)
        sample(&b, 0, i, "timing", 10, ",\"obs\":[{\"cause\":\"exit.ipi\",\"count\":100,\"basis\":\"counted\"}]");
    for (int i = 0; i < 3; i++) {
        char rest[240];
        snprintf(rest, sizeof rest,
                 ",\"obs\":[{\"cause\":\"exit.ipi\",\"count\":%d,\"basis\":\"counted\"},"
                 "{\"cause\":\"exit.ipi\",\"count\":%d,\"seconds\":%.17g,\"basis\":\"timed\"}]",
                 seen[i], seen[i], 0.001 * seen[i]);
        sample(&b, 0, i, "attribution", 10, rest);
    }
    const struct model_case *c = finish(&b);
    const struct ledger_line *line = find_line(c, CAUSE_EXIT_IPI, SCOPE_CPU);
    assert_close(line->pct, 5, 1e-9); // 100 of 1 ms in 2 CPU-seconds; the passes have 80 on average
    assert_close(line->se, 0, 1e-9);
    assert_close(line->count, 100, 1e-9);
    end(&b);
}

// A line from three samples that scatter widely makes the rest as uncertain as itself.
static void the_rest_is_no_better_known_than_a_line(void **state) {
    (void)state;
    struct bench b;
    begin(&b, true);
    for (int i = 0; i < 30; i++) {
        sample(&b, 0, i, "timing", 11 + 0.001 * (i % 3), "");
        sample(&b, 1, i, "timing", 10, "");
    }
    const char *seconds[] = {"0.1", "0.2", "0.4"};
    for (int i = 0; i < 3; i++) {
        char rest[160];
        snprintf(rest, sizeof rest,
                 ",\"obs\":[{\"cause\":\"exit.ipi\",\"count\":1,\"seconds\":%s,\"basis\":\"timed\"}]", seconds[i]);
        sample(&b, 0, i, "attribution", 11, rest);
    }
    const struct model_case *c = finish(&b);
    const struct ledger_line *line = find_line(c, CAUSE_EXIT_IPI, SCOPE_CPU);
    assert_close(line->df, 2, 1e-9);
    assert_close(c->ledger.unexplained.df, 2, 0.01);
    assert_close((c->ledger.unexplained_ci.high - c->ledger.unexplained_ci.low) / (line->ci.high - line->ci.low), 1,
                 0.01);
    end(&b);
}

// A pass whose only sample failed says nothing; what the others saw stays known.
static void a_failed_attribution_sample_leaves_the_sum_alone(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    for (int i = 0; i < 6; i++)
        sample(&b, 0, i, "timing", 10, ",\"obs\":[{\"cause\":\"host.steal\",\"seconds\":0.02,\"basis\":\"timed\"}]");
    str_add(&b.fixture[0].text,
            "{\"t\":\"sample\",\"case\":\"c\",\"seq\":0,\"mode\":\"attribution\",\"wall_s\":1,\"valid\":false,\"why\":"
            "\"too slow\",\"obs\":[{\"cause\":\"exit.cpuid\",\"seconds\":0.5,\"se\":0.1,\"basis\":\"sampled\"}]}\n");
    const struct model_case *c = finish(&b);
    assert_close(c->ledger.direct.mean, 1, 1e-9);
    assert_true(warned(c, "too slow"));
    end(&b);
}

static void upper_bounds_are_marked(void **state) {
    (void)state;
    struct bench b;
    begin(&b, false);
    for (int i = 0; i < 5; i++)
        sample(
            &b, 0, i, "timing", 10,
            ",\"obs\":[{\"cause\":\"exit.ipi\",\"count\":3,\"seconds\":0.02,\"basis\":\"calibrated\",\"detail\":{"
            "\"upper_bound\":true}},{\"cause\":\"exit.timer\",\"count\":3,\"seconds\":0.02,\"basis\":\"calibrated\"}]");
    const struct model_case *c = finish(&b);
    assert_true(find_line(c, CAUSE_EXIT_IPI, SCOPE_CPU)->at_most);
    assert_false(find_line(c, CAUSE_EXIT_TIMER, SCOPE_CPU)->at_most);
    end(&b);
}

static void unknown_cpus_are_told(void **state) {
    (void)state;
    struct bench b = {.baseline = false};
    fixture_begin(&b.fixture[0], "guest", "guest", "g");
    fixture_begin(&b.fixture[1], "metal", "metal", "m");
    str_add(&b.fixture[0].text, "{\"t\":\"case\",\"case\":\"c\"}\n");
    for (int i = 0; i < 5; i++)
        str_printf(
            &b.fixture[0].text,
            "{\"t\":\"sample\",\"case\":\"c\",\"seq\":%d,\"mode\":\"timing\",\"wall_s\":2,\"valid\":true,\"obs\":["
            "{\"cause\":\"exit.ipi\",\"count\":3,\"seconds\":0.1,\"basis\":\"timed\"}]}\n",
            i);
    const struct model_case *c = finish(&b);
    assert_close(find_line(c, CAUSE_EXIT_IPI, SCOPE_CPU)->pct, 5, 1e-9);
    assert_true(warned(c, "one active CPU"));
    assert_close(c->cmp.subject.median, 2, 1e-12); // no figure of merit: wall time
    assert_string_equal(c->unit, "s");
    end(&b);
}

static void interleaved_blocks_are_paired(void **state) {
    (void)state;
    struct bench b = {.baseline = true};
    fixture_begin(&b.fixture[0], "B", "guest", "h");
    fixture_begin(&b.fixture[1], "A", "guest", "h");
    // A common drift of 50 % over the run, B always 1 % slower: unpaired nothing could be told, paired it is exact.
    for (int side = 0; side < 2; side++) {
        str_add(&b.fixture[side].text, "{\"t\":\"case\",\"case\":\"c\"}\n");
        for (int i = 0; i < 12; i++)
            str_printf(&b.fixture[side].text,
                       "{\"t\":\"sample\",\"case\":\"c\",\"seq\":%d,\"block\":%d,\"mode\":\"timing\",\"start_ns\":%d,"
                       "\"wall_s\":%.17g,\"valid\":true}\n",
                       i, i, 1000 * (2 * i + side) + 1, (1 + 0.05 * i) * (side == 0 ? 1.01 : 1));
    }
    const struct model_case *c = finish(&b);
    assert_true(c->cmp.paired);
    assert_int_equal(c->cmp.pairs, 12);
    assert_close(c->pct, 1, 1e-9);
    assert_int_equal(c->verdict, STATS_SLOWER);
    // So are the means: 1 %, with an error of the differences (0.01 to 0.0155) only.
    assert_close(c->cmp.mean_pct.mean, 1, 1e-9);
    assert_true(c->cmp.mean_pct.se < 0.1);
    end(&b);
}

static void blocks_of_different_times_are_not_paired(void **state) {
    (void)state;
    struct bench b = {.baseline = true};
    fixture_begin(&b.fixture[0], "B", "guest", "h");
    fixture_begin(&b.fixture[1], "A", "guest", "h");
    for (int side = 0; side < 2; side++) {
        str_add(&b.fixture[side].text, "{\"t\":\"case\",\"case\":\"c\"}\n");
        for (int i = 0; i < 12; i++)
            str_printf(&b.fixture[side].text,
                       "{\"t\":\"sample\",\"case\":\"c\",\"seq\":%d,\"block\":%d,\"mode\":\"timing\",\"start_ns\":%d,"
                       "\"wall_s\":1,\"valid\":true}\n",
                       i, i, 1000 * (i + 100 * side) + 1);
    }
    assert_false(finish(&b)->cmp.paired);
    end(&b);
}

static void another_measure_of_the_same_name_is_not_compared(void **state) {
    (void)state;
    struct bench b = {.baseline = true};
    fixture_begin(&b.fixture[0], "guest", "guest", "g");
    fixture_begin(&b.fixture[1], "metal", "metal", "m");
    str_add(&b.fixture[0].text,
            "{\"t\":\"case\",\"case\":\"c\",\"fom\":{\"name\":\"x\",\"unit\":\"GB/s\",\"better\":\"higher\"}}\n");
    str_add(&b.fixture[1].text,
            "{\"t\":\"case\",\"case\":\"c\",\"fom\":{\"name\":\"x\",\"unit\":\"us\",\"better\":\"lower\"}}\n");
    for (int i = 0; i < 6; i++) {
        sample(&b, 0, i, "timing", 8, "");
        sample(&b, 1, i, "timing", 10, "");
    }
    const struct model_case *c = finish(&b);
    assert_false(c->cmp.has_baseline);
    assert_true(warned(c, "unit or direction"));
    end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tail_is_the_mean_less_the_robust_shift),
        cmocka_unit_test(what_metal_has_too_needs_both_sides),
        cmocka_unit_test(parts_that_exceed_the_whole_are_told),
        cmocka_unit_test(intervals_hold_the_sources_error),
        cmocka_unit_test(a_drifting_unit_cost_widens_its_lines),
        cmocka_unit_test(contradicting_unit_costs_are_told),
        cmocka_unit_test(one_unit_costs_error_cancels_between_the_sides),
        cmocka_unit_test(unexplained_of_pairs_is_the_pairs_residual),
        cmocka_unit_test(samples_of_a_pass_are_farther_apart),
        cmocka_unit_test(how_many_there_are_timing_samples_say),
        cmocka_unit_test(the_rest_is_no_better_known_than_a_line),
        cmocka_unit_test(a_failed_attribution_sample_leaves_the_sum_alone),
        cmocka_unit_test(upper_bounds_are_marked),
        cmocka_unit_test(unknown_cpus_are_told),
        cmocka_unit_test(interleaved_blocks_are_paired),
        cmocka_unit_test(blocks_of_different_times_are_not_paired),
        cmocka_unit_test(another_measure_of_the_same_name_is_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
