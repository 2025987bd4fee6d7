// SPDX-License-Identifier: Apache-2.0
// Histograms and clocks: bucket borders, quantiles, the journal form, and a calibration that agrees with the clock.
#include "core/arch.h"
#include "core/clock.h"
#include "core/hist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

static void buckets_are_powers_of_two(void **state) {
    (void)state;
    assert_int_equal(hist_bucket(0), 0);
    assert_int_equal(hist_bucket(1), 0);
    assert_int_equal(hist_bucket(2), 1);
    assert_int_equal(hist_bucket(1023), 9);
    assert_int_equal(hist_bucket(1024), 10);
    assert_int_equal(hist_bucket(UINT64_MAX), 63);
}

static void quantiles_are_right_within_their_bucket(void **state) {
    (void)state;
    struct hist h = {0};
    assert_true(isnan(hist_quantile_ns(&h, 0.5)));
    for (uint64_t ns = 1; ns <= 1 << 16; ns++)
        hist_add(&h, ns);
    assert_int_equal(hist_total(&h), 1 << 16);
    for (int percent = 5; percent < 100; percent += 5) {
        double q = percent * 0.01;
        double ratio = hist_quantile_ns(&h, q) / (q * (1 << 16));
        assert_true(ratio > 0.5 && ratio < 2);
    }
    assert_true(hist_quantile_ns(&h, 0) == 1);
    struct hist one = {0};
    hist_add(&one, 700);
    assert_true(hist_quantile_ns(&one, 1) == 1024);
    hist_merge(&h, &one);
    assert_int_equal(hist_total(&h), (1 << 16) + 1);
}

static void journal_form_goes_round(void **state) {
    (void)state;
    struct hist h = {0};
    h.count[0] = 3;
    h.count[63] = (1ULL << 53) - 1;
    cJSON *json = hist_to_json(&h);
    assert_int_equal(cJSON_GetArraySize(json), 2);
    struct hist back;
    struct error err;
    assert_int_equal(hist_from_json(json, &back, &err), 0);
    assert_memory_equal(&h, &back, sizeof h);
    cJSON_Delete(json);
}

static void malformed_histograms_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"[[64,1]]", "[[-1,1]]",  "[[1.5,1]]", "[[1,-1]]",    "[[1,1.5]]",
                                      "[[1]]",    "[[1,2,3]]", "[1]",       "[[1,\"2\"]]", "[{\"a\":1,\"b\":2}]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cJSON *json = cJSON_Parse(bad[i]);
        struct hist h;
        struct error err = {0};
        if (hist_from_json(json, &h, &err) == 0)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.code, EXIT_CODE_INPUT);
        assert_ptr_equal(err.node, json->child);
        cJSON_Delete(json);
    }
}

static void clocks_go_forward(void **state) {
    (void)state;
    uint64_t now = clock_now_ns();
    uint64_t raw = clock_raw_ns();
    double cpu = clock_cpu_s();
    for (int i = 0; i < 1000; i++) {
        assert_true(clock_now_ns() >= now && clock_raw_ns() >= raw && clock_cpu_s() >= cpu);
        now = clock_now_ns();
        raw = clock_raw_ns();
        cpu = clock_cpu_s();
    }
}

// No limit on time is asserted: the counter and the clock are compared with each other over the same stretch.
static void calibration_agrees_with_the_clock(void **state) {
    (void)state;
    struct clock_ticks ticks;
    clock_calibrate(0.02, &ticks);
    if (ticks.hz == 0)
        skip(); // no counter on this processor
    assert_true(ticks.hz > 1e5 && ticks.hz < 1e11);
    assert_true(ticks.stated || (ticks.hz_se > 0 && ticks.hz_se < ticks.hz * 0.01));
    uint64_t t0 = arch_ticks();
    uint64_t ns0 = clock_raw_ns();
    while (clock_raw_ns() - ns0 < 20000000)
        ;
    double seconds = (double)(clock_raw_ns() - ns0) * 1e-9;
    double ratio = (double)(arch_ticks() - t0) / ticks.hz / seconds;
    assert_true(ratio > 0.9 && ratio < 1.5); // one-sided slack: a preemption between the last two readings
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_powers_of_two), cmocka_unit_test(quantiles_are_right_within_their_bucket),
        cmocka_unit_test(journal_form_goes_round),   cmocka_unit_test(malformed_histograms_are_refused),
        cmocka_unit_test(clocks_go_forward),         cmocka_unit_test(calibration_agrees_with_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
