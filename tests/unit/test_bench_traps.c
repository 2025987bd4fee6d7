// SPDX-License-Identifier: Apache-2.0
// The arithmetic of trap costs: percentiles, batch means, what is left out, what counts as an exit; and that a
// calibration fills its table.
#include "bench/calibrate.h"
#include "bench/kernels/traps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-12 * fmax(fabs(a), fabs(b));
}

static void percentiles_interpolate(void **state) {
    (void)state;
    const double values[] = {5, 1, 4, 2, 3};
    struct distribution d = distribution_of(values, 5, INFINITY);
    assert_int_equal(d.n, 5);
    assert_true(near(d.median, 3) && near(d.mean, 3));
    assert_true(near(d.p05, 1.2) && near(d.p95, 4.8));
    assert_true(near(distribution_quantile(values, 4, 0.5), 3)); // of 1, 2, 4, 5
    assert_true(isnan(distribution_quantile(values, 0, 0.5)));
    assert_true(isnan(distribution_of(values, 0, INFINITY).mean));
    assert_true(isnan(distribution_of(values, 1, INFINITY).se));
}

static void error_of_the_mean_knows_of_neighbours(void **state) {
    (void)state;
    // Independent values: batch means say sd / sqrt(n). Runs of 30 equal values: 30 times fewer independent ones.
    double independent[900];
    double correlated[900];
    unsigned seed = 1;
    for (int i = 0; i < 900; i++) {
        seed = seed * 1103515245U + 12345U;
        independent[i] = (seed >> 16) % 1000 / 1000.0;
    }
    for (int i = 0; i < 900; i++)
        correlated[i] = independent[i / 30];
    double naive = 0.2887 / sqrt(900); // sd of a uniform distribution
    double se = distribution_of(independent, 900, INFINITY).se;
    assert_true(se > naive / 1.6 && se < naive * 1.6);
    assert_true(distribution_of(correlated, 900, INFINITY).se > 3 * naive);
    // By hand: batches of one.
    const double two[] = {1, 3};
    assert_true(near(distribution_of(two, 2, INFINITY).se, 1)); // sd = sqrt(2), / sqrt(2)
}

static void stolen_time_is_left_out_and_counted(void **state) {
    (void)state;
    double values[1000];
    for (int i = 0; i < 1000; i++)
        values[i] = 1e-6;
    values[500] = 10e-3; // the host ran something else
    values[600] = 65e-6; // an interrupt: stays in
    struct trap_series series = {.values = values, .capacity = 1000, .count = 1000};
    double limit = traps_limit_s(TRAP_CPUID, &series);
    assert_true(near(limit, 70e-6));
    struct distribution d = distribution_of(values, 1000, limit);
    assert_int_equal(d.excluded, 1);
    assert_int_equal(d.n, 999);
    assert_true(near(d.mean, (998 * 1e-6 + 65e-6) / 999));
    // Where waiting belongs to the operation nothing is left out.
    assert_true(isinf(traps_limit_s(TRAP_DISK_READ, &series)));
    assert_true(isinf(traps_limit_s(TRAP_TOUCH_UNBACKED, &series)));
    assert_true(isinf(traps_limit_s(TRAP_TIMER_WAKE, &series)));
}

static void exits_are_told_from_native_costs(void **state) {
    (void)state;
    static const struct {
        enum trap trap;
        double p05, median;
        bool exits;
    } known[] = {
        {TRAP_CPUID, 40e-9, 80e-9, false},      {TRAP_CPUID, 1.2e-6, 1.5e-6, true},
        {TRAP_CPUID, 80e-9, 2e-6, false}, // half of them fast: something else is slow
        {TRAP_RDTSC, 10e-9, 12e-9, false},      {TRAP_RDTSC, 1e-6, 1.2e-6, true},
        {TRAP_PAUSE, 40e-9, 60e-9, false},      {TRAP_TIMER_ARM, 20e-9, 120e-9, false},
        {TRAP_TIMER_ARM, 5e-6, 6e-6, true},     {TRAP_IPI_PEER, 1e-6, 1.6e-6, false},
        {TRAP_IPI_PEER, 12e-6, 16e-6, true},    {TRAP_SYSCALL, 1e-3, 1e-3, false},
        {TRAP_DISK_READ, 1e-3, 1e-3, false},    {TRAP_TIMER_WAKE, 1e-3, 1e-3, false},
        {TRAP_TOUCH_BACKED, 1e-3, 1e-3, false}, {TRAP_TOUCH_UNBACKED, 1e-5, 1e-5, true},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct distribution d = {.n = 100, .p05 = known[i].p05, .median = known[i].median};
        if (traps_exit(known[i].trap, &d) != known[i].exits)
            fail_msg("%s with a median of %g s", trap_name(known[i].trap), known[i].median);
    }
}

static void names_lead_to_traps(void **state) {
    (void)state;
    for (int i = 0; i < TRAP_COUNT; i++)
        assert_int_equal(trap_named(trap_name((enum trap)i)), i);
    assert_int_equal(trap_named("nosuch"), TRAP_COUNT);
}

static void calibration_fills_its_table(void **state) {
    (void)state;
    cpu_set_t cpus;
    struct calibration c;
    struct error err;
    sched_getaffinity(0, sizeof cpus, &cpus);
    assert_int_equal(calibrate(&cpus, 0.6, &c, &err), 0);
    for (int i = 0; i < TRAP_COUNT; i++) {
        const struct trap_cost *t = &c.traps[i];
        if (!t->measured) {
            assert_non_null(t->why);
            continue;
        }
        if (t->n < 30 || !(t->p05_s <= t->median_s && t->median_s <= t->p95_s) || !isfinite(t->mean_s) ||
            !(t->se_s >= 0))
            fail_msg("%s: n %zu, median %g, mean %g, se %g", trap_name((enum trap)i), t->n, t->median_s, t->mean_s,
                     t->se_s);
    }
    assert_true(c.traps[TRAP_SYSCALL].measured && c.traps[TRAP_SYSCALL].median_s > 0);
    assert_false(c.traps[TRAP_SYSCALL].exits);
    assert_true(c.traps[TRAP_SYSCALL].native_s == c.traps[TRAP_SYSCALL].median_s);
    cJSON *json = calibration_to_json(&c);
    char *text = json_print_line(json);
    cJSON_Delete(json);
    json = json_parse(text, strlen(text), (struct json_origin){"calibration", 1}, &err);
    struct calibration back;
    assert_int_equal(calibration_from_json(json, &back, &err), 0);
    assert_int_equal(back.traps[TRAP_SYSCALL].n, c.traps[TRAP_SYSCALL].n);
    assert_int_equal(back.traps[TRAP_SYSCALL].excluded, c.traps[TRAP_SYSCALL].excluded);
    cJSON_Delete(json);
    free(text);
}

static void one_cpu_has_no_peer(void **state) {
    (void)state;
    cpu_set_t cpus;
    cpu_set_t one;
    struct calibration c;
    struct error err;
    sched_getaffinity(0, sizeof cpus, &cpus);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &cpus))
            CPU_SET(cpu, &one);
    assert_int_equal(calibrate(&one, 0.2, &c, &err), 0);
    assert_false(c.traps[TRAP_IPI_PEER].measured);
    assert_non_null(strstr(c.traps[TRAP_IPI_PEER].why, "one CPU"));
}

static void a_line_through_blocks(void **state) {
    (void)state;
    // By hand: Sxx 5, Sxy 13; residuals 0.4, -0.2, -0.8, 0.6.
    const double x[] = {0, 1, 2, 3};
    const double y[] = {1, 3, 5, 9};
    double slope;
    double se;
    traps_line(x, y, 4, &slope, &se);
    assert_true(fabs(slope - 2.6) < 1e-12);
    assert_true(fabs(se - sqrt(1.2 / 2 / 5)) < 1e-12);
}

static void later_calibrations_time_what_exits(void **state) {
    (void)state;
    struct error err;
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    struct calibration first = {0};
    first.traps[TRAP_TIMER_ARM] = (struct trap_cost){.measured = true, .exits = true};
    first.traps[TRAP_SYSCALL] = (struct trap_cost){.measured = true};
    struct calibration again;
    assert_int_equal(calibrate_again(&cpus, 0.05, &first, &again, &err), 0);
    assert_true(again.traps[TRAP_TIMER_ARM].measured);
    assert_false(again.traps[TRAP_SYSCALL].measured);
    assert_false(again.traps[TRAP_CPUID].measured);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_interpolate),
        cmocka_unit_test(error_of_the_mean_knows_of_neighbours),
        cmocka_unit_test(stolen_time_is_left_out_and_counted),
        cmocka_unit_test(exits_are_told_from_native_costs),
        cmocka_unit_test(names_lead_to_traps),
        cmocka_unit_test(calibration_fills_its_table),
        cmocka_unit_test(one_cpu_has_no_peer),
        cmocka_unit_test(a_line_through_blocks),
        cmocka_unit_test(later_calibrations_time_what_exits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
