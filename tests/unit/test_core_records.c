// SPDX-License-Identifier: Apache-2.0
// Causes, observations and calibrations: the tables are complete, and the journal forms go round.
#include "core/calibration.h"
#include "core/cause.h"
#include "core/observation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

// As a journal does it: a tree, its text, and a tree again.
static cJSON *through_text(cJSON *tree) {
    struct error err;
    char *text = json_print_line(tree);
    cJSON *back = json_parse(text, strlen(text), (struct json_origin){"text", 1}, &err);
    assert_non_null(back);
    free(text);
    cJSON_Delete(tree);
    return back;
}

static void every_cause_is_explained(void **state) {
    (void)state;
    for (int i = 0; i < CAUSE_COUNT; i++) {
        const struct cause_info *info = cause_info((enum cause)i);
        assert_true(info->id && info->explanation && info->hint);
        assert_true(strlen(info->explanation) > 5 && strlen(info->hint) > 5);
        assert_int_equal(cause_by_id(info->id), i); // so ids are unique, too
        const char *family = cause_family_name(info->family);
        size_t length = strlen(family);
        assert_true(strncmp(info->id, family, length) == 0 && (info->id[length] == '.' || info->id[length] == '\0'));
    }
    for (int i = 0; i < FAMILY_COUNT; i++)
        assert_true(strlen(cause_family_text((enum cause_family)i)) > 5);
    assert_int_equal(cause_by_id("exit.nonsense"), CAUSE_COUNT);
    assert_int_equal(cause_by_id(""), CAUSE_COUNT);
}

static void the_direct_cost_is_exit_host_and_hop(void **state) {
    (void)state;
    for (int i = 0; i < FAMILY_COUNT; i++) {
        bool direct = i == FAMILY_EXIT || i == FAMILY_HOST || i == FAMILY_HOP;
        assert_int_equal(cause_family_is_direct((enum cause_family)i), direct);
    }
}

static void observations_go_round(void **state) {
    (void)state;
    struct error err;
    for (int scope = 0; scope < SCOPE_COUNT; scope++) {
        for (int basis = 0; basis < BASIS_COUNT; basis++) {
            struct observation o = {.cause = CAUSE_HOP_VMM,
                                    .scope = (enum obs_scope)scope,
                                    .basis = (enum obs_basis)basis,
                                    .count = 1ULL << 52,
                                    .seconds = 0.25,
                                    .se = 0.125,
                                    .has_hist = true,
                                    .detail = cJSON_Parse("{\"msr\":{\"0x6e0\":7}}")};
            hist_add(&o.hist, 5000);
            cJSON *json = through_text(observation_to_json(&o));
            struct observation back;
            assert_int_equal(observation_from_json(json, &back, &err), 1);
            assert_int_equal(back.cause, o.cause);
            assert_int_equal(back.scope, scope);
            assert_int_equal(back.basis, basis);
            assert_true(back.count == o.count && back.seconds == o.seconds && back.se == o.se && back.has_hist);
            assert_memory_equal(&back.hist, &o.hist, sizeof o.hist);
            assert_true(cJSON_Compare(back.detail, o.detail, 1));
            cJSON_Delete(json);
            struct observations list = {0};
            observations_add(&list, o);
            assert_int_equal(list.count, 1);
            observations_free(&list);
            assert_int_equal(list.count, 0);
        }
    }
}

static void malformed_observations_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "[]",
        "1",
        "{}",
        "{\"cause\":\"host.steal\"}",
        "{\"basis\":\"timed\"}",
        "{\"cause\":1,\"basis\":\"timed\"}",
        "{\"cause\":\"host.steal\",\"basis\":\"guessed\"}",
        "{\"cause\":\"host.steal\",\"basis\":\"timed\",\"scope\":\"gpu\"}",
        "{\"cause\":\"host.steal\",\"basis\":\"timed\",\"count\":-1}",
        "{\"cause\":\"host.steal\",\"basis\":\"timed\",\"seconds\":\"1\"}",
        "{\"cause\":\"host.steal\",\"basis\":\"timed\",\"seconds\":1e999}",
        "{\"cause\":\"host.steal\",\"basis\":\"timed\",\"se\":-0.5}",
        "{\"cause\":\"host.steal\",\"basis\":\"timed\",\"hist_ns\":[[99,1]]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cJSON *json = cJSON_Parse(bad[i]);
        assert_non_null(json);
        struct observation o;
        struct error err = {0};
        if (observation_from_json(json, &o, &err) != -1)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.code, EXIT_CODE_INPUT);
        assert_int_equal(observation_from_json(json, &o, NULL), -1);
        cJSON_Delete(json);
    }
}

static void calibration_goes_round(void **state) {
    (void)state;
    struct calibration c = {.tsc_hz = 2.5e9, .tsc_hz_se = 1e3};
    for (int i = 0; i < TRAP_COUNT; i++) {
        c.traps[i] = (struct trap_cost){.measured = i % 3 != 0,
                                        .why = i % 3 ? NULL : "no disk",
                                        .n = 100,
                                        .median_s = 1e-6,
                                        .mean_s = 2e-6,
                                        .p05_s = 5e-7,
                                        .p95_s = 4e-6,
                                        .se_s = 1e-8,
                                        .native_s = 1e-7,
                                        .exits = i % 2};
        assert_true(strlen(trap_name((enum trap)i)) > 0 && strlen(trap_text((enum trap)i)) > 5);
    }
    cJSON *json = through_text(calibration_to_json(&(struct calibration){0})); // no clock was measured: none is told
    assert_null(cJSON_GetObjectItemCaseSensitive(json, "tsc_hz"));
    cJSON_Delete(json);
    json = through_text(calibration_to_json(&c));
    struct calibration back;
    struct error err;
    assert_int_equal(calibration_from_json(json, &back, &err), 0);
    assert_true(back.tsc_hz == c.tsc_hz && back.tsc_hz_se == c.tsc_hz_se);
    for (int i = 0; i < TRAP_COUNT; i++) {
        assert_int_equal(back.traps[i].measured, c.traps[i].measured);
        if (!back.traps[i].measured)
            continue;
        assert_int_equal(back.traps[i].n, 100);
        assert_int_equal(back.traps[i].exits, c.traps[i].exits);
        assert_true(back.traps[i].mean_s == 2e-6 && back.traps[i].native_s == 1e-7 && back.traps[i].p95_s == 4e-6);
    }
    cJSON_Delete(json);
}

static void calibrations_of_other_versions_are_read(void **state) {
    (void)state;
    struct calibration c;
    struct error err = {0};
    cJSON *json = cJSON_Parse("{\"traps\":{\"future\":{\"measured\":true}}}");
    assert_int_equal(calibration_from_json(json, &c, &err), 0);
    assert_false(c.traps[TRAP_CPUID].measured);
    cJSON_Delete(json);
    json = cJSON_Parse("{\"traps\":{\"cpuid\":{\"measured\":true,\"n\":1}}}");
    assert_int_equal(calibration_from_json(json, &c, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    cJSON_Delete(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cause_is_explained), cmocka_unit_test(the_direct_cost_is_exit_host_and_hop),
        cmocka_unit_test(observations_go_round),    cmocka_unit_test(malformed_observations_are_refused),
        cmocka_unit_test(calibration_goes_round),   cmocka_unit_test(calibrations_of_other_versions_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
