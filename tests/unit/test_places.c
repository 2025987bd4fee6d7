// SPDX-License-Identifier: Apache-2.0
// Who lost the time: shares by rank, node and CPU against results computed by hand.
#include "report/places.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void add(struct places *places, const char *node, int64_t rank, double cpu_s, double steal_s,
                const char *detail) {
    cJSON *circumstances = cJSON_CreateObject();
    json_add_double(circumstances, "cpu_s", cpu_s);
    struct journal_sample s = {.mode = MODE_TIMING,
                               .node = node,
                               .rank = rank,
                               .wall_s = 1,
                               .roi_s = 1,
                               .valid = true,
                               .circumstances = circumstances};
    struct observation o = {.cause = CAUSE_HOST_STEAL, .basis = BASIS_TIMED, .seconds = steal_s};
    o.detail = detail ? cJSON_Parse(detail) : NULL;
    if (steal_s >= 0)
        observations_add(&s.obs, o);
    places_add(places, &s);
    observations_free(&s.obs);
    cJSON_Delete(circumstances);
}

#define assert_close(got, expected) assert_true(fabs((got) - (expected)) < 1e-9)

// Rank 0 loses nothing, rank 1 0.1 of 0.9 + 0.1 s: 10 %, on average 5 %: that is the least, 10 % the most.
static void ranks_have_a_floor_and_a_ceiling(void **state) {
    (void)state;
    struct places places = {0};
    for (int i = 0; i < 3; i++) {
        add(&places, "n0", 0, 1, 0, NULL);
        add(&places, "n1", 1, 0.9, 0.1, NULL);
    }
    struct place_summary ranks = places_summary(&places, PLACE_RANK);
    assert_int_equal(ranks.count, 2);
    assert_close(ranks.mean_pct, 5);
    assert_close(ranks.worst_pct, 10);
    assert_string_equal(ranks.worst, "1");
    assert_true(ranks.uneven);
    struct place_summary nodes = places_summary(&places, PLACE_NODE);
    assert_string_equal(nodes.worst, "n1");
    char *sentence = places_sentence(&places, PLACE_RANK);
    assert_non_null(strstr(sentence, "5 % on average over 2 ranks, 10 %"));
    free(sentence);
    places_free(&places);
}

// Rank 1 came last in three of four calls: 0.75 * 10 %.
static void waiting_weighs_the_ranks(void **state) {
    (void)state;
    struct places places = {0};
    add(&places, "n0", 0, 1, 0, NULL);
    add(&places, "n1", 1, 0.9, 0.1, NULL);
    struct journal_sample s = {.mode = MODE_ATTRIBUTION, .rank = -1, .valid = true};
    struct observation o = {.cause = CAUSE_MPI_WAIT, .scope = SCOPE_LATENCY, .basis = BASIS_TIMED};
    o.detail =
        cJSON_Parse("{\"ranks\":[{\"rank\":0,\"node\":\"n0\",\"late\":1},{\"rank\":1,\"node\":\"n1\",\"late\":3}]}");
    observations_add(&s.obs, o);
    places_add(&places, &s);
    observations_free(&s.obs);
    assert_close(places_summary(&places, PLACE_RANK).last_pct, 7.5);
    assert_close(places_summary(&places, PLACE_NODE).last_pct, 7.5);
    assert_true(isnan(places_summary(&places, PLACE_CPU).last_pct));
    places_free(&places);
}

// Where one agent speaks for all ranks of its node, ranks cannot be told apart, nodes can.
static void silent_ranks_are_not_compared(void **state) {
    (void)state;
    struct places places = {0};
    add(&places, "n0", 0, 1, 0.01, NULL);
    add(&places, "n0", 1, 1, -1, NULL);
    add(&places, "n1", 2, 1, 0.02, NULL);
    add(&places, "n1", 3, 1, -1, NULL);
    assert_int_equal(places_summary(&places, PLACE_RANK).count, 0);
    assert_int_equal(places_summary(&places, PLACE_NODE).count, 2);
    assert_null(places_sentence(&places, PLACE_RANK));
    places_free(&places);
}

// cpu1 lost 2 % of four samples each, cpu0 4 % of one of them: 1 %.
static void uneven_cpus_are_named(void **state) {
    (void)state;
    struct places places = {0};
    for (int i = 0; i < 4; i++)
        add(&places, NULL, -1, 2, 0.06,
            i == 0 ? "{\"cpu_s\":{\"cpu0\":0.04,\"cpu1\":0.02}}" : "{\"cpu_s\":{\"cpu1\":0.02}}");
    struct place_summary cpus = places_summary(&places, PLACE_CPU);
    assert_int_equal(cpus.count, 2);
    assert_close(cpus.mean_pct, 1.5);
    assert_close(cpus.worst_pct, 2);
    assert_string_equal(cpus.worst, "cpu1");
    assert_true(cpus.uneven);
    assert_int_equal(places_summary(&places, PLACE_RANK).count, 0);
    places_free(&places);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_have_a_floor_and_a_ceiling),
        cmocka_unit_test(waiting_weighs_the_ranks),
        cmocka_unit_test(silent_ranks_are_not_compared),
        cmocka_unit_test(uneven_cpus_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
