// SPDX-License-Identifier: Apache-2.0
// The ledger's arithmetic, each formula against a result computed by hand.
#include "report/model_make.h"
#include "tests/unit/report_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define assert_close(got, expected, tolerance) assert_true(fabs((got) - (expected)) <= (tolerance))

struct bench {
    struct fixture fixture[2]; // subject, baseline
    struct dataset set[2];
    struct model model;
    bool baseline;
};

// Two sides of one case "c" in microseconds, lower is better, on two CPUs, unless the test writes otherwise.
static void begin(struct bench *b, bool baseline) {
    *b = (struct bench){.baseline = baseline};
    fixture_begin(&b->fixture[0], "guest", "guest", "g");
    fixture_begin(&b->fixture[1], "metal", "metal", "m");
    for (int i = 0; i < 2; i++)
        str_add(&b->fixture[i].text,
                "{\"t\":\"case\",\"case\":\"c\",\"fom\":{\"name\":\"latency\",\"unit\":\"us\","
                "\"better\":\"lower\"},\"cpus\":2}\n");
}

static void sample(struct bench *b, int side, int seq, const char *mode, double fom, const char *rest) {
    str_printf(
        &b->fixture[side].text,
        "{\"t\":\"sample\",\"case\":\"c\",\"seq\":%d,\"mode\":\"%s\",\"wall_s\":1,\"fom\":%.17g,\"valid\":true%s}\n",
        seq, mode, fom, rest);
}

static const struct model_case *finish(struct bench *b) {
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

static void end(struct bench *b) {
    model_free(&b->model);
    for (int i = 0; i < 2; i++) {
        dataset_free(&b->set[i]);
        fixture_remove(&b->fixture[i]);
    }
}

static const struct ledger_line *find_line(const struct model_case *c, enum cause cause, enum obs_scope scope) {
    for (size_t i = 0; i < c->ledger.count; i++)
        if (c->ledger.lines[i].cause == cause && c->ledger.lines[i].scope == scope)
            return &c->ledger.lines[i];
    fail_msg("no line for %s", cause_info(cause)->id);
    return NULL;
}

static bool warned(const struct model_case *c, const char *text) {
    for (size_t i = 0; i < c->warnings.count; i++)
        if (strstr(c->warnings.items[i], text))
            return true;
    return false;
}

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
        cmocka_unit_test(a_line_is_its_share_of_time_at_the_subjects_cost),
        cmocka_unit_test(without_a_baseline_it_is_the_share_of_cpu_time),
        cmocka_unit_test(higher_is_better_is_compared_as_cost),
        cmocka_unit_test(the_tail_is_the_mean_less_the_robust_shift),
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
        cmocka_unit_test(what_metal_has_too_needs_both_sides),
        cmocka_unit_test(parts_that_exceed_the_whole_are_told),
        cmocka_unit_test(intervals_hold_the_sources_error),
        cmocka_unit_test(a_drifting_unit_cost_widens_its_lines),
        cmocka_unit_test(contradicting_unit_costs_are_told),
        cmocka_unit_test(one_unit_costs_error_cancels_between_the_sides),
        cmocka_unit_test(unexplained_of_pairs_is_the_pairs_residual),
        cmocka_unit_test(a_failed_attribution_sample_leaves_the_sum_alone),
        cmocka_unit_test(upper_bounds_are_marked),
        cmocka_unit_test(unknown_cpus_are_told),
        cmocka_unit_test(interleaved_blocks_are_paired),
        cmocka_unit_test(blocks_of_different_times_are_not_paired),
        cmocka_unit_test(another_measure_of_the_same_name_is_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
