// SPDX-License-Identifier: Apache-2.0
// From two readings of a vCPU's sums to the observations of a window.
#include "collectors/exit_reasons.h"
#include "collectors/host_line.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NPF 0x400U

struct readings {
    struct kvm_vcpu_state *before, *now;
    struct host_moment from, to;
    struct host_tally tally;
};

static struct readings begin(void) {
    struct readings r = {.before = mem_alloc(sizeof *r.before), .now = mem_alloc(sizeof *r.now)};
    r.from = (struct host_moment){.ns = 1000000000, .tsc = 5000000000};
    r.to = (struct host_moment){.ns = 1100000000, .tsc = 5200000000}; // 2 GHz
    r.now->isa = EXIT_ISA_SVM;
    r.now->since = 1;
    r.now->rows_used = 1;
    return r;
}

static void end(struct readings *r) {
    free(r->before);
    free(r->now);
}

static struct kvm_row *add_row(struct readings *r, unsigned code, enum kvm_kind kind, uint64_t count, uint64_t ns) {
    struct kvm_row *row = &r->now->rows[r->now->rows_used++];
    *row = (struct kvm_row){.code = code, .kind = kind, .count = count, .ns = ns};
    row->hist[10] = (unsigned)count;
    return row;
}

static cJSON *observe(struct readings *r) {
    struct host_span span = {&r->from, &r->to, r->before, r->now};
    cJSON *line = cJSON_CreateObject();
    cJSON_AddItemToObject(line, "obs", host_line_observations(&span, &r->tally));
    host_line_rest(&span, line, &r->tally);
    // As it would be read: numbers above 2^53 are written as text.
    char *text = json_print_line(line);
    cJSON *read = json_parse(text, strlen(text), (struct json_origin){"line", 1}, NULL);
    free(text);
    cJSON_Delete(line);
    assert_non_null(read);
    return read;
}

static const cJSON *find(const cJSON *list, const char *key, const char *value) {
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        const cJSON *text = cJSON_GetObjectItem(item, key);
        if (cJSON_IsString(text) && strcmp(text->valuestring, value) == 0)
            return item;
    }
    return NULL;
}

static double number(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItem(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static void test_rows_become_causes(void **state) {
    (void)state;
    struct readings r = begin();
    add_row(&r, 0x72, KVM_KIND_PLAIN, 10, 20000);
    add_row(&r, NPF, KVM_KIND_PLAIN, 1, 7000);
    add_row(&r, NPF, KVM_KIND_MMIO, 2, 9000)->user_ns = 4000;
    r.before->rows[1] = r.now->rows[1]; // five of the ten were there before
    r.before->rows[1].count = 5;
    r.before->rows[1].ns = 8000;
    r.before->rows[1].hist[10] = 5;
    cJSON *line = observe(&r);
    const cJSON *obs = cJSON_GetObjectItem(line, "obs");
    assert_int_equal(cJSON_GetArraySize(obs), 3);
    const cJSON *cpuid = find(obs, "cause", "exit.cpuid");
    assert_true(number(cpuid, "count") == 5);
    assert_true(fabs(number(cpuid, "seconds") - 12e-6) < 1e-12);
    assert_string_equal(cJSON_GetObjectItem(cpuid, "basis")->valuestring, "timed");
    const cJSON *bucket = cJSON_GetArrayItem(cJSON_GetObjectItem(cpuid, "hist_ns"), 0);
    assert_true(cJSON_GetArrayItem(bucket, 0)->valuedouble == 10 && cJSON_GetArrayItem(bucket, 1)->valuedouble == 5);
    assert_true(number(find(obs, "cause", "exit.stage2"), "count") == 1);
    const cJSON *mmio = find(obs, "cause", "exit.mmio");
    const cJSON *reasons = cJSON_GetObjectItem(cJSON_GetObjectItem(mmio, "detail"), "reasons");
    assert_true(fabs(number(find(reasons, "reason", "npf"), "monitor_s") - 4e-6) < 1e-12);
    assert_true(r.tally.exits == 8 && r.tally.row_overflow == 0);
    cJSON_Delete(line);
    end(&r);
}

static void test_counters_of_a_histogram_may_wrap(void **state) {
    (void)state;
    struct readings r = begin();
    struct kvm_row *row = add_row(&r, 0x72, KVM_KIND_PLAIN, 0x100000002, 100);
    r.before->rows[1] = *row;
    r.before->rows[1].count -= 4;
    row->hist[10] = 2;
    r.before->rows[1].hist[10] = 0xfffffffe;
    cJSON *line = observe(&r);
    const cJSON *cpuid = find(cJSON_GetObjectItem(line, "obs"), "cause", "exit.cpuid");
    const cJSON *bucket = cJSON_GetArrayItem(cJSON_GetObjectItem(cpuid, "hist_ns"), 0);
    assert_true(number(cpuid, "count") == 4 && cJSON_GetArrayItem(bucket, 1)->valuedouble == 4);
    cJSON_Delete(line);
    end(&r);
}

static void test_what_found_no_row_is_counted(void **state) {
    (void)state;
    struct readings r = begin();
    r.now->rows[0] = (struct kvm_row){.count = 3, .ns = 300};
    r.now->places_lost = 7;
    cJSON *line = observe(&r);
    assert_true(number(find(cJSON_GetObjectItem(line, "obs"), "cause", "exit.other"), "count") == 3);
    assert_true(r.tally.row_overflow == 3 && r.tally.places_lost == 7);
    cJSON_Delete(line);
    end(&r);
}

static void test_waiting_for_a_cpu_is_steal(void **state) {
    (void)state;
    struct readings r = begin();
    r.now->steals = 2;
    r.now->steal_ns = 3000000;
    cJSON *line = observe(&r);
    const cJSON *steal = find(cJSON_GetObjectItem(line, "obs"), "cause", "host.steal");
    assert_true(number(steal, "count") == 2 && fabs(number(steal, "seconds") - 0.003) < 1e-12);
    cJSON_Delete(line);
    end(&r);
}

static void test_waiting_for_a_cpu_behind_a_halt_is_latency(void **state) {
    (void)state;
    struct readings r = begin();
    r.now->steals = 5;
    r.now->steal_ns = 9000000;
    r.now->wakes = 3;
    r.now->wake_ns = 7000000;
    cJSON *line = observe(&r);
    const cJSON *obs = cJSON_GetObjectItem(line, "obs");
    const cJSON *steal = find(obs, "scope", "cpu");
    const cJSON *wake = find(obs, "scope", "latency");
    assert_string_equal(cJSON_GetObjectItem(steal, "cause")->valuestring, "host.steal");
    assert_true(number(steal, "count") == 2 && fabs(number(steal, "seconds") - 0.002) < 1e-12);
    assert_string_equal(cJSON_GetObjectItem(wake, "cause")->valuestring, "host.steal");
    assert_true(number(wake, "count") == 3 && fabs(number(wake, "seconds") - 0.007) < 1e-12);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetObjectItem(wake, "detail"), "idle")));
    cJSON_Delete(line);
    end(&r);
}

static void test_places_the_costliest_first(void **state) {
    (void)state;
    struct readings r = begin();
    for (unsigned i = 0; i < 20; i++)
        r.now->places[i] =
            (struct kvm_place){.key = KVM_PLACE(KVM_PLACE_PORT, 1, 0x100 + i), .count = 1, .ns = 1000ULL * (i + 1)};
    r.now->places[30] = (struct kvm_place){.key = KVM_PLACE(KVM_PLACE_MSR, 0, 0x6e0), .count = 9, .ns = 900000};
    cJSON *line = observe(&r);
    const cJSON *places = cJSON_GetObjectItem(line, "places");
    assert_true(cJSON_GetArraySize(places) >= 2 && cJSON_GetArraySize(places) < 20);
    const cJSON *first = cJSON_GetArrayItem(places, 0);
    assert_string_equal(cJSON_GetObjectItem(first, "msr")->valuestring, "0x6e0");
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(first, "write")) && number(first, "count") == 9);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetArrayItem(places, 1), "port")->valuestring, "0x113");
    cJSON_Delete(line);
    end(&r);
}

static void test_a_knock_by_the_hosts_counter(void **state) {
    (void)state;
    struct readings r = begin();
    r.now->knock = (struct kvm_knock){.ns = 1050000000, .low = 0x10, .high = 2, .span = 3000, .count = 1};
    cJSON *line = observe(&r);
    const cJSON *knock = cJSON_GetObjectItem(line, "knock");
    assert_true(number(knock, "guest_tsc") == 0x200000010 + 1500);
    assert_true(fabs(number(knock, "host_tsc") - 5100000000) <= 1);
    assert_true(number(knock, "error_tsc") == 1501);
    cJSON_Delete(line);
    *r.before = *r.now;
    line = observe(&r);
    assert_null(cJSON_GetObjectItem(line, "knock")); // told once
    cJSON_Delete(line);
    end(&r);
}

static void test_a_place_that_another_access_has_taken(void **state) {
    (void)state;
    struct readings r = begin();
    r.before->places[0] = (struct kvm_place){.key = KVM_PLACE(KVM_PLACE_PORT, 1, 0x70), .count = 900, .ns = 90000};
    r.now->places[0] = (struct kvm_place){.key = KVM_PLACE(KVM_PLACE_MSR, 1, 0x6e0), .count = 3, .ns = 600};
    cJSON *line = observe(&r);
    const cJSON *place = cJSON_GetArrayItem(cJSON_GetObjectItem(line, "places"), 0);
    assert_string_equal(cJSON_GetObjectItem(place, "msr")->valuestring, "0x6e0");
    assert_true(number(place, "count") == 3 && fabs(number(place, "seconds") - 600e-9) < 1e-12);
    cJSON_Delete(line);
    end(&r);
}

static void test_waiting_for_an_early_timer_is_the_timers(void **state) {
    (void)state;
    struct readings r = begin();
    r.now->earlies = 4;
    r.now->early_ticks = 8000; // of 2 GHz
    cJSON *line = observe(&r);
    const cJSON *timer = find(cJSON_GetObjectItem(line, "obs"), "cause", "exit.timer");
    assert_true(number(timer, "count") == 0 && fabs(number(timer, "seconds") - 4e-6) < 1e-12);
    assert_true(number(cJSON_GetObjectItem(timer, "detail"), "early") == 4);
    cJSON_Delete(line);
    end(&r);
}

static void test_where_kvm_exit_never_fires_accesses_are_counted(void **state) {
    (void)state;
    struct readings r = begin();
    r.now->since = 0;
    r.now->places[0] = (struct kvm_place){.key = KVM_PLACE(KVM_PLACE_PORT, 1, 0x3f8), .count = 5};
    r.now->accesses[KVM_PLACE_PORT] = 12; // seven had their place taken
    r.now->user[2].count = 12;
    cJSON *line = observe(&r);
    const cJSON *pio = find(cJSON_GetObjectItem(line, "obs"), "cause", "exit.pio");
    assert_true(number(pio, "count") == 12);
    assert_string_equal(cJSON_GetObjectItem(pio, "basis")->valuestring, "counted");
    assert_true(number(find(cJSON_GetObjectItem(line, "monitor"), "reason", "io"), "count") == 12);
    assert_true(r.tally.user_exits == 12);
    cJSON_Delete(line);
    end(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_become_causes),
        cmocka_unit_test(test_counters_of_a_histogram_may_wrap),
        cmocka_unit_test(test_what_found_no_row_is_counted),
        cmocka_unit_test(test_waiting_for_a_cpu_is_steal),
        cmocka_unit_test(test_waiting_for_a_cpu_behind_a_halt_is_latency),
        cmocka_unit_test(test_places_the_costliest_first),
        cmocka_unit_test(test_a_knock_by_the_hosts_counter),
        cmocka_unit_test(test_a_place_that_another_access_has_taken),
        cmocka_unit_test(test_waiting_for_an_early_timer_is_the_timers),
        cmocka_unit_test(test_where_kvm_exit_never_fires_accesses_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
