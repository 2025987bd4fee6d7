// SPDX-License-Identifier: Apache-2.0
// What disks and network interfaces did, from what journals say.
#include "core/memory.h"
#include "report/devices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// One sample's line with one observation whose detail is `detail`.
static void add(struct devices *devices, bool valid, enum cause cause, enum obs_scope scope, const char *detail) {
    struct observation o = {.cause = cause, .scope = scope, .detail = cJSON_Parse(detail)};
    struct observations obs = {0};
    assert_non_null(o.detail);
    observations_add(&obs, o);
    const struct journal_sample s = {.valid = valid, .mode = MODE_ATTRIBUTION, .obs = obs};
    devices_add(devices, &s);
    observations_free(&obs);
}

#define VDA(requests, seconds, kicks)                                                                                  \
    "{\"devices\":[{\"device\":\"vda\",\"resource\":\"disk\",\"path\":\"paravirtual\",\"via\":\"vmm\","                \
    "\"requests\":" #requests ",\"timed\":" #requests ",\"seconds\":" #seconds kicks ",\"interrupts\":" #requests      \
    ",\"hist_ns\":[[16," #requests "]]}]}"
#define WAITED(name, seconds) "{\"devices\":[{\"device\":\"" name "\",\"waits\":1,\"seconds\":" #seconds "}]}"

static void near(double value, double expected) {
    assert_true(fabs(value - expected) <= 1e-9 * fabs(expected));
}

static void sums_over_samples(void **state) {
    (void)state;
    struct devices d = {0};
    assert_false(devices_used(&d));
    assert_null(devices_sentence(&d));
    add(&d, true, CAUSE_HOP_VMM, SCOPE_LATENCY, VDA(100, 0.01, ",\"kicks\":80"));
    add(&d, true, CAUSE_HOP_VMM, SCOPE_LATENCY, VDA(300, 0.05, ",\"kicks\":320"));
    add(&d, false, CAUSE_HOP_VMM, SCOPE_LATENCY, VDA(1000, 9, ",\"kicks\":1")); // not valid: not in
    add(&d, true, CAUSE_HOP_VMM, SCOPE_BLOCKED, WAITED("vda", 0.03));
    add(&d, true, CAUSE_OFFLOAD_NVME, SCOPE_BLOCKED, WAITED("nvme0n1", 0.01));
    assert_int_equal(d.count, 2);
    assert_true(devices_used(&d));
    const struct device *vda = &d.items[0];
    near(vda->requests, 400);
    near(device_mean_s(vda), 0.06 / 400);
    near(device_per_request(vda, vda->kicks), 1);
    near(device_wait_pct(&d, vda), 75);
    near(device_wait_pct(&d, &d.items[1]), 25);
    double p50 = device_quantile_s(vda, 0.5);
    assert_true(p50 >= 65.536e-6 && p50 <= 131.072e-6);
    char path[64];
    device_path(vda, path, sizeof path);
    assert_string_equal(path, "paravirtual via vmm");
    char *sentence = devices_sentence(&d);
    assert_string_equal(sentence,
                        "the job's CPUs stood idle waiting for disks for 0.02 s a sample, 75 % of it hop.vmm "
                        "(vda), 25 % offload.nvme (nvme0n1)");
    free(sentence);
    devices_free(&d);
}

// A disk that only others wrote to is counted, and not shown.
static void others_requests_are_not_the_jobs(void **state) {
    (void)state;
    struct devices d = {0};
    assert_false(devices_serve_job(NULL));
    add(&d, true, CAUSE_HOP_VMM, SCOPE_LATENCY, VDA(3, 0.01, ",\"own\":0"));
    assert_true(devices_used(&d));
    assert_false(devices_serve_job(&d));
    add(&d, true, CAUSE_HOP_VMM, SCOPE_LATENCY, VDA(3, 0.01, ",\"own\":1"));
    assert_true(devices_serve_job(&d));
    devices_free(&d);
}

// A buffered read is often asked for by the kernel's read-ahead, but the job waits for it.
static void a_wait_is_the_jobs(void **state) {
    (void)state;
    struct devices d = {0};
    add(&d, true, CAUSE_HOP_VMM, SCOPE_BLOCKED, WAITED("vda", 0.03));
    assert_true(device_serves_job(&d.items[0]));
    devices_free(&d);
}

static void what_one_sample_did_not_count_is_not_known(void **state) {
    (void)state;
    struct devices d = {0};
    add(&d, true, CAUSE_HOP_VMM, SCOPE_LATENCY, VDA(100, 0.01, ",\"kicks\":80"));
    add(&d, true, CAUSE_HOP_VMM, SCOPE_LATENCY, VDA(100, 0.01, ""));
    assert_true(isnan(device_per_request(&d.items[0], d.items[0].kicks)));
    near(device_per_request(&d.items[0], d.items[0].interrupts), 1);
    assert_true(isnan(device_wait_pct(&d, &d.items[0]))); // nobody waited
    devices_free(&d);
}

static void strange_journals_do_no_harm(void **state) {
    (void)state;
    struct devices d = {0};
    add(&d, true, CAUSE_HOP_VMM, SCOPE_LATENCY, "{\"devices\":3}");
    add(&d, true, CAUSE_HOP_VMM, SCOPE_LATENCY, "{\"devices\":[3,null,{\"device\":7},{\"device\":\"\"}]}");
    assert_int_equal(d.count, 0);
    add(&d, true, CAUSE_HOP_VMM, SCOPE_LATENCY,
        "{\"devices\":[{\"device\":\"a\",\"requests\":-1,\"seconds\":\"x\",\"hist_ns\":[[99,1]],\"path\":3}]}");
    assert_int_equal(d.count, 1);
    assert_false(devices_used(&d));
    assert_true(isnan(device_mean_s(&d.items[0])));
    devices_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_over_samples),           cmocka_unit_test(others_requests_are_not_the_jobs),
        cmocka_unit_test(a_wait_is_the_jobs),          cmocka_unit_test(what_one_sample_did_not_count_is_not_known),
        cmocka_unit_test(strange_journals_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
