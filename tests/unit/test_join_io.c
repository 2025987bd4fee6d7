// SPDX-License-Identifier: Apache-2.0
// Splitting a guest's requests by Dom0's record, on journals made up here: counters of 1 GHz, two samples of 1 s with
// 100 requests of 900 us each, windows of 100 ms in which Dom0 timed 800 us of them.
#include "report/join_io.h"

#include "tests/unit/report_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#define UNIX_NS 1.7e18 // when the guest's counter was at 1 s

// What a test changes.
struct setup {
    double host_ahead_s; // the host's counter less the guest's
    double wall_ahead_s; // the host's wall clock less the guest's
    const char *domain;
    const char *other; // a second domain; NULL: none
    double answers;    // of 10 a window in the samples
    double to_s;       // end of the recording
    bool without_clock;
    const char *device; // that the guest calls it
    bool packets;       // 50 a sample of 100 us, of which Dom0 has 60, in both directions
    bool halves;        // the guest times its half of them, too
};

static const struct setup plain = {.domain = "web1", .answers = 10, .to_s = 10, .device = "xvda"};

static void header(struct fixture *f, const char *label, const char *role, double tsc, double unix_ns, bool clock) {
    fixture_begin(f, label, role, "box");
    str_free(&f->text);
    str_printf(&f->text,
               "{\"t\":\"header\",\"schema\":\"metalgap.run/1\",\"label\":\"%s\",\"role\":\"%s\",\"host\":\"box\"",
               label, role);
    if (clock)
        str_printf(&f->text, ",\"clock\":{\"tsc_hz\":1e9,\"at_tsc\":%.0f,\"at_unix_ns\":%.0f}", tsc, unix_ns);
    str_add(&f->text, "}\n");
}

#define ETH0         "\"device\":\"eth0\",\"resource\":\"nic\",\"xenbus\":\"vif-0\",\"requests\":50,\"seconds\":0.005"
#define SEND_HALF    "\"submit_s\":5e-6"
#define RECEIVE_HALF "\"polled\":50,\"receive_cpu_wait_s\":3e-6,\"receive_complete_s\":4e-6"

static const char disk_half[] =
    ",\"queue_s\":7e-6,\"submit_s\":10e-6,\"cpu_wait_s\":60e-6,\"complete_s\":20e-6,\"wake_s\":9e-6";

static void write_guest(struct fixture *f, const struct setup *s) {
    header(f, "web1", "guest", 1e9, UNIX_NS, !s->without_clock);
    str_add(&f->text, "{\"t\":\"case\",\"case\":\"read\",\"cpus\":1}\n");
    for (int seq = 0; seq < 2; seq++) {
        double begin = 2 + 3 * seq;
        str_printf(
            &f->text,
            "{\"t\":\"sample\",\"case\":\"read\",\"seq\":%d,\"mode\":\"attribution\",\"wall_s\":1,\"valid\":true,"
            "\"start_tsc\":%.0f,\"end_tsc\":%.0f,\"obs\":["
            "{\"cause\":\"hop.dom0\",\"scope\":\"latency\",\"count\":100,\"seconds\":0.09,\"basis\":\"timed\","
            "\"detail\":{\"devices\":[{\"device\":\"%s\",\"requests\":100,\"seconds\":0.09%s},"
            "%s{\"device\":\"eth1\",\"resource\":\"nic\",\"requests\":7,\"seconds\":0.01}]}},"
            "{\"cause\":\"hop.dom0\",\"scope\":\"blocked\",\"count\":90,\"seconds\":0.08,\"basis\":\"timed\","
            "\"detail\":{\"devices\":[{\"device\":\"xvda\",\"seconds\":0.08}]}}]}\n",
            seq, begin * 1e9, (begin + 1) * 1e9, s->device, s->halves ? disk_half : "",
            s->packets && s->halves ? "{" ETH0 "," SEND_HALF "," RECEIVE_HALF "},"
            : s->packets            ? "{" ETH0 "},"
                                    : "");
    }
    fixture_end(f);
}

static const char network[] =
    ",{\"device\":\"vif-0\",\"backend\":\"vif3.0-q0\",\"resource\":\"nic\",\"direction\":\"send\",\"requests\":5,"
    "\"answers\":5,\"packets\":5,\"segments\":{\"notify_s\":0.0001,\"wakeup_s\":0.0001,\"service_s\":0.00005,"
    "\"completion_s\":0.00005}},"
    "{\"device\":\"vif-0\",\"backend\":\"vif3.0-q0-guest-rx\",\"resource\":\"nic\",\"direction\":\"receive\","
    "\"requests\":5,\"answers\":5,\"packets\":5,\"segments\":{\"wakeup_s\":1}}";

static void write_window(struct fixture *f, const struct setup *s, double from, const char *domain, unsigned domid) {
    double middle = from + 0.05;
    bool works = (middle > 2 && middle < 3) || (middle > 5 && middle < 6);
    str_printf(&f->text,
               "{\"t\":\"window\",\"start_tsc\":%.0f,\"end_tsc\":%.0f,\"vm\":{\"domid\":%u,\"name\":\"%s\"},\"obs\":[",
               (from + s->host_ahead_s) * 1e9, (from + 0.1 + s->host_ahead_s) * 1e9, domid, domain);
    if (works)
        str_printf(&f->text,
                   "{\"cause\":\"hop.dom0\",\"scope\":\"latency\",\"count\":10,\"seconds\":0.008,\"basis\":\"timed\","
                   "\"detail\":{\"devices\":[{\"device\":\"xvda\",\"backend\":\"%u.xvda-0\",\"requests\":10,"
                   "\"answers\":%g,\"unannounced\":1,\"seconds\":0.008,\"segments\":{\"notify_s\":0.0005,"
                   "\"wakeup_s\":0.001,\"service_s\":0.0015,\"device_s\":0.0045,\"completion_s\":0.0005},"
                   "\"disks\":[{\"disk\":\"loop0\",\"issued\":10,\"completed\":10,\"seconds\":0.004}]}%s]}}",
                   domid, s->answers, s->packets ? network : "");
    str_add(&f->text, "]}\n");
}

static void write_host(struct fixture *f, const struct setup *s) {
    header(f, "dom0", "host", (1 + s->host_ahead_s) * 1e9, UNIX_NS + s->wall_ahead_s * 1e9, true);
    for (int i = 0; i * 0.1 < s->to_s - 0.05; i++) {
        write_window(f, s, i * 0.1, s->domain, 3);
        if (s->other)
            write_window(f, s, i * 0.1, s->other, 4);
    }
    fixture_end(f);
}

static void join(const struct setup *s, struct dataset *out) {
    struct fixture guest;
    struct fixture host;
    struct host_journal journal;
    struct error err;
    write_guest(&guest, s);
    write_host(&host, s);
    assert_int_equal(dataset_load(out, guest.path, &err), 0);
    assert_int_equal(host_load(&journal, host.path, &err), 0);
    assert_true(journal.is_dom0);
    join_io(out, &journal, 1);
    host_free(&journal);
    fixture_remove(&guest);
    fixture_remove(&host);
}

static bool has_note(const struct dataset *set, bool warn, const char *part) {
    for (size_t i = 0; i < set->note_count; i++)
        if (set->notes[i].warn == warn && strstr(set->notes[i].text, part))
            return true;
    return false;
}

static void assert_split(const struct dataset *set) {
    static const double us[IO_SEGMENTS] = {50, 100, 150, 450, 50};
    assert_int_equal(set->cases[0].splits.count, 1);
    const struct io_split *split = &set->cases[0].splits.items[0];
    assert_string_equal(split->device, "xvda");
    assert_string_equal(split->backend, "3.xvda-0");
    assert_int_equal(split->samples, 2);
    assert_float_equal(split->requests, 200, 1e-9);
    assert_float_equal(split->timed, 200, 1);
    assert_float_equal(split->disk_requests, 200, 1);
    assert_float_equal(split->whole_s, 900e-6, 1e-12);
    for (int i = 0; i < IO_SEGMENTS; i++)
        assert_float_equal(split->segment_s[i], 1e-6 * us[i], 1e-9);
    assert_float_equal(split->rest_s, 100e-6, 1e-9);
    assert_float_equal(split->disk_s, 400e-6, 1e-9);
    assert_float_equal(split->blocked_s, 0.16, 1e-9);
}

static void test_one_counter_needs_no_wall_clock(void **state) {
    (void)state;
    struct dataset set;
    struct setup s = plain;
    s.wall_ahead_s = 0.02; // does not matter
    join(&s, &set);
    assert_split(&set);
    assert_non_null(strstr(set.joined, "both read the same TSC"));
    dataset_free(&set);
}

static void test_different_counters_are_matched_by_the_wall_clock(void **state) {
    (void)state;
    struct dataset set;
    struct setup s = plain;
    s.host_ahead_s = 5000;
    join(&s, &set);
    assert_split(&set);
    assert_non_null(strstr(set.joined, "shifted by 0 ms"));
    dataset_free(&set);
}

// The wall clocks are 200 ms apart; the counts of requests say so.
static void test_requests_tell_how_far_the_wall_clocks_are_apart(void **state) {
    (void)state;
    struct dataset set;
    struct setup s = plain;
    s.host_ahead_s = 5000;
    s.wall_ahead_s = 0.2;
    join(&s, &set);
    assert_split(&set);
    assert_non_null(strstr(set.joined, "shifted by 200 ms"));
    dataset_free(&set);
}

static void test_the_domain_is_found_by_its_name(void **state) {
    (void)state;
    struct dataset set;
    struct setup s = plain;
    s.other = "web2";
    join(&s, &set);
    assert_split(&set);
    dataset_free(&set);
    s.domain = "db";
    join(&s, &set);
    assert_int_equal(set.cases[0].splits.count, 0);
    assert_true(has_note(&set, true, "none of the recorded domains has the name"));
    dataset_free(&set);
}

static void test_other_counts_are_a_warning(void **state) {
    (void)state;
    struct dataset set;
    struct setup s = plain;
    s.answers = 11;
    join(&s, &set);
    assert_float_equal(set.cases[0].splits.items[0].answers, 220, 1);
    assert_true(has_note(&set, true, "the guest completed 200 requests, Dom0 answered 220"));
    dataset_free(&set);
}

static void test_what_cannot_be_joined_says_why(void **state) {
    (void)state;
    struct dataset set;
    struct setup s = plain;
    s.to_s = 4; // the second sample comes later
    join(&s, &set);
    assert_int_equal(set.cases[0].splits.items[0].samples, 1);
    assert_true(has_note(&set, true, "do not cover 1 of its samples"));
    dataset_free(&set);
    s = plain;
    s.without_clock = true;
    join(&s, &set);
    assert_int_equal(set.cases[0].splits.count, 0);
    assert_true(has_note(&set, true, "does not tell its clock"));
    dataset_free(&set);
}

// Its disk is served by a process of Dom0, say.
static void test_packets_that_the_guest_sends_are_split(void **state) {
    (void)state;
    static const double us[IO_SEGMENTS] = {20, 20, 10, 0, 10};
    struct setup s = plain;
    struct dataset set;
    s.packets = true;
    join(&s, &set);
    assert_int_equal(set.cases[0].splits.count, 2);
    const struct io_split *split = &set.cases[0].splits.items[1];
    assert_string_equal(split->device, "eth0");
    assert_string_equal(split->backend, "vif3.0-q0");
    assert_true(split->nic);
    assert_float_equal(split->answers, 100, 1e-6);
    for (int i = 0; i < IO_SEGMENTS; i++)
        assert_float_equal(1e6 * split->segment_s[i], us[i], 1e-6);
    assert_float_equal(1e6 * split->rest_s, 40, 1e-6);
    dataset_free(&set);
}

// What lies before the issue and after the completion is told and is no part of the request.
static void test_the_guests_half_is_split(void **state) {
    (void)state;
    static const double us[GUEST_PARTS] = {7, 10, 60, 20, 9};
    struct setup s = plain;
    struct dataset set;
    s.halves = true;
    join(&s, &set);
    const struct io_split *split = &set.cases[0].splits.items[0];
    for (int i = 0; i < GUEST_PARTS; i++)
        assert_float_equal(1e6 * split->part_s[i], us[i], 1e-6);
    assert_float_equal(1e6 * io_split_timed_s(split), 800 + 10 + 60 + 20, 1e-3);
    assert_float_equal(1e6 * split->rest_s, 10, 1e-3);
    dataset_free(&set);
}

static void test_packets_that_the_guest_receives_are_split(void **state) {
    (void)state;
    struct setup s = plain;
    struct dataset set;
    struct io_stretch way[IO_STRETCHES];
    s.packets = s.halves = true;
    join(&s, &set);
    assert_int_equal(set.cases[0].splits.count, 3);
    const struct io_split *sends = &set.cases[0].splits.items[1];
    const struct io_split *split = &set.cases[0].splits.items[2];
    assert_string_equal(split->device, "eth0");
    assert_string_equal(split->backend, "vif3.0-q0-guest-rx");
    assert_true(split->nic && split->receives && !sends->receives);
    assert_float_equal(1e6 * sends->rest_s, 35, 1e-6);
    assert_float_equal(split->requests, 100, 1e-9);
    assert_float_equal(split->answers, 100, 1e-6);
    assert_true(isnan(split->whole_s) && isnan(split->rest_s)); // the guest cannot know when it was sent
    assert_int_equal(io_split_way(split, way), 4);
    assert_float_equal(1e6 * split->part_s[GUEST_CPU_WAIT], 3, 1e-6); // may be a part of Dom0's: not on the way
    assert_string_equal(way[0].name, "backend wake-up");
    assert_float_equal(1e6 * way[0].seconds, 2e5, 1e-3);
    assert_string_equal(way[3].name, "guest completes");
    assert_float_equal(1e6 * way[3].seconds, 4, 1e-6);
    dataset_free(&set);
}

static void test_a_device_that_dom0_does_not_time_is_not_split(void **state) {
    (void)state;
    struct dataset set;
    struct setup s = plain;
    s.device = "xvdz";
    join(&s, &set);
    for (size_t i = 0; i < set.cases[0].splits.count; i++)
        assert_string_not_equal(set.cases[0].splits.items[i].device, "xvdz");
    assert_true(has_note(&set, true, "xvdz: Dom0 timed none of its 200 requests"));
    dataset_free(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_counter_needs_no_wall_clock),
        cmocka_unit_test(test_different_counters_are_matched_by_the_wall_clock),
        cmocka_unit_test(test_requests_tell_how_far_the_wall_clocks_are_apart),
        cmocka_unit_test(test_the_domain_is_found_by_its_name),
        cmocka_unit_test(test_other_counts_are_a_warning),
        cmocka_unit_test(test_what_cannot_be_joined_says_why),
        cmocka_unit_test(test_packets_that_the_guest_sends_are_split),
        cmocka_unit_test(test_the_guests_half_is_split),
        cmocka_unit_test(test_packets_that_the_guest_receives_are_split),
        cmocka_unit_test(test_a_device_that_dom0_does_not_time_is_not_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
