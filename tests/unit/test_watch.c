// SPDX-License-Identifier: Apache-2.0
// The view of a watched interval: what is added up, what replaces what, shares, order and JSON.
#include "bench/watch.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct observation seen(enum cause cause, enum obs_basis basis, uint64_t count, double seconds, double se) {
    return (struct observation){.cause = cause, .basis = basis, .count = count, .seconds = seconds, .se = se};
}

static void add(struct watch_view *view, struct observation o) {
    const struct cause_info *info = cause_info(o.cause);
    watch_add(view, info->id, cause_family_is_direct(info->family), &o);
}

static const struct watch_row *row_of(const struct watch_view *view, const char *name) {
    for (size_t i = 0; i < view->row_count; i++) {
        if (strcmp(view->rows[i].name, name) == 0)
            return &view->rows[i];
    }
    return NULL;
}

static void shares_are_of_all_cpus(void **state) {
    (void)state;
    struct watch_view view = {.interval_s = 2, .cpus = 4};
    add(&view, seen(CAUSE_HOST_STEAL, BASIS_TIMED, 0, 0.8, 0.03));
    add(&view, seen(CAUSE_EXIT_TIMER, BASIS_CALIBRATED, 1000, 0.08, 0.04));
    add(&view, seen(CAUSE_GUEST_IRQ, BASIS_TIMED, 0, 4, 0.1));
    watch_finish(&view);
    const struct watch_row *timer = row_of(&view, "exit.timer");
    assert_true(fabs(timer->share - 0.01) < 1e-12);
    assert_true(fabs(timer->share_se - 0.005) < 1e-12);
    assert_true(fabs(timer->per_s - 500) < 1e-9);
    assert_true(fabs(view.taken - 0.11) < 1e-12); // the guest's own is not the hypervisor's
    assert_true(fabs(view.taken_se - 0.05 / 8) < 1e-12);
    assert_string_equal(view.rows[0].name, "guest.irq");
    assert_string_equal(view.rows[2].name, "exit.timer");
    watch_view_free(&view);
    assert_int_equal(view.row_count, 0);
}

// In either order.
static void the_best_basis_of_a_cause_stands(void **state) {
    (void)state;
    const struct observation timed = seen(CAUSE_EXIT_IPI, BASIS_TIMED, 10, 0.1, 0);
    const struct observation priced = seen(CAUSE_EXIT_IPI, BASIS_CALIBRATED, 11, 0.7, 0);
    for (int order = 0; order < 2; order++) {
        struct watch_view view = {.interval_s = 1, .cpus = 1};
        add(&view, order ? timed : priced);
        add(&view, order ? priced : timed);
        watch_finish(&view);
        assert_int_equal(view.row_count, 1);
        assert_int_equal(view.rows[0].basis, BASIS_TIMED);
        assert_int_equal(view.rows[0].count, 10);
        assert_true(view.rows[0].seconds == 0.1);
        watch_view_free(&view);
    }
}

static void equal_bases_and_the_observers_are_added(void **state) {
    (void)state;
    struct watch_view view = {.interval_s = 1, .cpus = 1};
    add(&view, seen(CAUSE_GUEST_THREADS, BASIS_TIMED, 0, 0.1, 0.3));
    add(&view, seen(CAUSE_GUEST_THREADS, BASIS_TIMED, 0, 0.2, 0.4));
    add(&view, seen(CAUSE_OBSERVER, BASIS_TIMED, 5, 0.01, 0));
    add(&view, seen(CAUSE_OBSERVER, BASIS_CALIBRATED, 7, 0.02, 0));
    watch_finish(&view);
    assert_true(fabs(row_of(&view, "guest.threads")->seconds - 0.3) < 1e-12);
    assert_true(fabs(row_of(&view, "guest.threads")->se - 0.5) < 1e-12);
    assert_int_equal(row_of(&view, "observer")->count, 12);
    assert_int_equal(row_of(&view, "observer")->basis, BASIS_CALIBRATED);
    assert_true(isnan(view.taken)); // nothing of the hypervisor's is there
    watch_view_free(&view);
}

static void what_is_only_counted_has_no_time(void **state) {
    (void)state;
    struct watch_view view = {.interval_s = 0.5, .cpus = 2};
    add(&view, seen(CAUSE_EXIT_HALT, BASIS_COUNTED, 30, 0, 0));
    add(&view, seen(CAUSE_EXIT_IRQ, BASIS_COUNTED, 40, 0, 0));
    watch_finish(&view);
    assert_string_equal(view.rows[0].name, "exit.irq"); // the more frequent first
    assert_true(isnan(view.taken));
    cJSON *json = watch_view_to_json(&view, "2026-01-02T03:04:05Z");
    const cJSON *first = cJSON_GetObjectItem(json, "causes")->child;
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(first, "pct")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(first, "seconds")));
    assert_true(cJSON_GetObjectItem(first, "per_s")->valuedouble == 80);
    assert_string_equal(cJSON_GetObjectItem(json, "schema")->valuestring, "metalgap.watch/1");
    assert_true(cJSON_IsArray(cJSON_GetObjectItem(json, "sites")));
    cJSON_Delete(json);
    watch_view_free(&view);
}

static void a_source_is_chosen(void **state) {
    (void)state;
    assert_ptr_equal(watch_choose(&(struct watch_options){.vm = NULL}), &watch_guest);
    assert_ptr_equal(watch_choose(&(struct watch_options){.vm = "1"}), &watch_host);
}

static void one_place_is_one_row(void **state) {
    (void)state;
    struct watch_view view = {.interval_s = 1, .cpus = 1};
    watch_add_site(&view, &(struct watch_site){.cause = "exit.pio", .where = "f", .module = "a", .share = 0.1});
    watch_add_site(&view, &(struct watch_site){.cause = "exit.pio", .where = "f", .module = "b", .share = 0.2});
    watch_add_site(&view, &(struct watch_site){.cause = "exit.pio", .where = "f", .module = "a", .share = 0.3});
    watch_finish(&view);
    assert_int_equal(view.site_count, 2);
    assert_string_equal(view.sites[0].module, "a");
    assert_true(fabs(view.sites[0].share - 0.4) < 1e-12);
    watch_view_free(&view);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_of_all_cpus),
        cmocka_unit_test(the_best_basis_of_a_cause_stands),
        cmocka_unit_test(equal_bases_and_the_observers_are_added),
        cmocka_unit_test(what_is_only_counted_has_no_time),
        cmocka_unit_test(a_source_is_chosen),
        cmocka_unit_test(one_place_is_one_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
