// SPDX-License-Identifier: Apache-2.0
// Joining a guest's journal with its host's, on journals made up here: a counter of 1 GHz on both sides, the guest's
// 1000000 s behind, two samples of 1 s, windows of 100 ms.
#include "report/join.h"

#include "tests/unit/report_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GHZ    1000000000ULL
#define BEHIND (1000000 * GHZ) // guest = host - BEHIND

// What a test changes.
struct setup {
    bool knocks;
    bool offset;
    const char *vm_name;
    double from_s, to_s;  // windows, by the host's counter less BEHIND
    double cpuid_s;       // per window
    unsigned cpuid_count; // per window
    double guest_cpuid_s; // the guest's own estimate per sample; 0: none
    unsigned vcpus;
    bool counted_only;
    double calibrated_s; // what the guest measured a CPUID to cost; 0: nothing
    double late_s;       // samples begin so long after a window's edge
    bool storm;          // there are no CPUIDs outside of the samples, but for a burst right behind them
};

static const struct setup plain = {
    .knocks = true, .vm_name = "vm", .from_s = 0, .to_s = 10, .cpuid_s = 0.01, .cpuid_count = 100, .vcpus = 1};

static void write_guest(struct fixture *f, const struct setup *s) {
    fixture_begin(f, "guest", "guest", "g1");
    if (s->calibrated_s > 0) {
        str_free(&f->text);
        str_printf(
            &f->text,
            "{\"t\":\"header\",\"schema\":\"metalgap.run/1\",\"label\":\"guest\",\"host\":\"g1\",\"calibration\":"
            "{\"traps\":{\"cpuid\":{\"measured\":true,\"n\":1000,\"median_s\":%g,\"mean_s\":%g,\"p05_s\":%g,"
            "\"p95_s\":%g,\"se_s\":1e-6,\"native_s\":0,\"exits\":true}},\"tsc_hz\":1e9,\"tsc_hz_se\":1}}\n",
            s->calibrated_s, s->calibrated_s, s->calibrated_s, s->calibrated_s);
    }
    str_printf(&f->text, "{\"t\":\"case\",\"case\":\"work\",\"cpus\":1}\n");
    for (int seq = 0; seq < 2; seq++) {
        double begin = 2 + 3 * seq + s->late_s;
        str_printf(&f->text,
                   "{\"t\":\"sample\",\"case\":\"work\",\"seq\":%d,\"mode\":\"timing\",\"wall_s\":1,\"valid\":true,"
                   "\"start_tsc\":%.0f,\"end_tsc\":%.0f,\"obs\":[",
                   seq, begin * 1e9, (begin + 1) * 1e9);
        str_printf(&f->text,
                   "{\"cause\":\"guest.irq\",\"seconds\":0.002,\"basis\":\"timed\"},"
                   "{\"cause\":\"host.hidden\",\"seconds\":0.003,\"basis\":\"sampled\"},"
                   "{\"cause\":\"exit.timer\",\"count\":5,\"basis\":\"counted\"}");
        if (s->guest_cpuid_s > 0)
            str_printf(&f->text,
                       ",{\"cause\":\"exit.cpuid\",\"count\":1000,\"seconds\":%g,\"se\":0.001,\"basis\":\"sampled\"}",
                       s->guest_cpuid_s);
        str_add(&f->text, "]}\n");
    }
    fixture_end(f);
}

// How much of the window's 0.1 s is in a sample, in tenths of a second.
static double part_inside(const struct setup *s, double from) {
    double part = 0;
    for (int seq = 0; seq < 2; seq++) {
        double begin = 2 + 3 * seq + s->late_s;
        part += fmax(0, fmin(from + 0.1, begin + 1) - fmax(from, begin)) / 0.1;
    }
    return part;
}

static unsigned cpuids(const struct setup *s, double from) {
    bool burst = fabs(from - 3.1) < 0.01;
    double part = part_inside(s, from);
    return burst ? 50 * s->cpuid_count : (unsigned)lround(s->cpuid_count * part);
}

static void write_window(struct fixture *f, const struct setup *s, double from, unsigned vcpu) {
    unsigned count = s->storm ? cpuids(s, from) : s->cpuid_count;
    str_printf(&f->text, "{\"t\":\"window\",\"start_tsc\":%.0f,\"end_tsc\":%.0f,\"vm\":{\"pid\":7,\"name\":\"%s\"",
               from * 1e9 + (double)BEHIND, (from + 0.1) * 1e9 + (double)BEHIND, s->vm_name);
    if (s->offset)
        str_printf(&f->text, ",\"tsc_offset\":-%llu", BEHIND);
    str_printf(&f->text, "},\"vcpu\":%u,%s\"obs\":[", vcpu, s->counted_only ? "" : "\"run_s\":0.08,");
    if (count)
        str_printf(&f->text,
                   "{\"cause\":\"exit.cpuid\",\"count\":%u,\"seconds\":%g,\"basis\":\"timed\",\"hist_ns\":[[16,%u]]},",
                   count, s->cpuid_s / s->cpuid_count * count, count);
    str_printf(&f->text,
               "{\"cause\":\"host.steal\",\"count\":1,\"seconds\":0.001,\"basis\":\"timed\"},"
               "{\"cause\":\"hop.vmm\",\"scope\":\"latency\",\"seconds\":0.002,\"basis\":\"timed\"}]");
    for (int seq = 0; s->knocks && seq < 2; seq++) {
        double knock = 1.95 + 3 * seq + s->late_s;
        if (knock >= from && knock < from + 0.1 && vcpu == 0)
            str_printf(&f->text, ",\"knock\":{\"guest_tsc\":%.0f,\"host_tsc\":%.0f,\"error_tsc\":2000}", knock * 1e9,
                       knock * 1e9 + (double)BEHIND);
    }
    str_add(&f->text, "}\n");
}

static void write_host(struct fixture *f, const struct setup *s) {
    fixture_begin(f, "box", "host", "box");
    for (int i = 0; s->from_s + i * 0.1 < s->to_s - 0.05; i++)
        for (unsigned vcpu = 0; vcpu < s->vcpus; vcpu++)
            write_window(f, s, s->from_s + i * 0.1, vcpu);
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
    join_guest(out, &journal, 1);
    host_free(&journal);
    fixture_remove(&guest);
    fixture_remove(&host);
}

static const struct loss *find_loss(const struct dataset *set, uint64_t seq, enum cause cause) {
    const struct series *series = &set->cases[0].mode[MODE_TIMING];
    const struct loss *found = NULL;
    for (size_t i = 0; i < series->loss_count; i++)
        if (series->loss[i].seq == seq && series->loss[i].cause == cause) {
            assert_null(found); // never two words on one cause
            found = &series->loss[i];
        }
    return found;
}

static bool has_note(const struct dataset *set, bool warn, const char *text) {
    for (size_t i = 0; i < set->note_count; i++)
        if (set->notes[i].warn == warn && strstr(set->notes[i].text, text))
            return true;
    return false;
}

static size_t warnings(const struct dataset *set) {
    size_t count = 0;
    for (size_t i = 0; i < set->note_count; i++)
        count += set->notes[i].warn;
    return count;
}

static void assert_close(double value, double expected, double within) {
    assert_true(fabs(value - expected) <= within);
}

static void test_hosts_times_take_the_place_of_estimates(void **state) {
    (void)state;
    struct setup s = plain;
    struct dataset set;
    s.guest_cpuid_s = 0.101;
    join(&s, &set);
    for (uint64_t seq = 0; seq < 2; seq++) {
        const struct loss *cpuid = find_loss(&set, seq, CAUSE_EXIT_CPUID);
        assert_true(cpuid && cpuid->by_host && cpuid->basis == BASIS_TIMED);
        assert_close(cpuid->seconds, 0.1, 1e-3);
        assert_in_range(cpuid->count, 995, 1005);
        const struct loss *steal = find_loss(&set, seq, CAUSE_HOST_STEAL);
        assert_true(steal && steal->by_host);
        assert_close(set.cases[0].mode[MODE_TIMING].point[seq].steal_s, 0.01, 1e-4);
        // The host saw no timer exit where the guest counted some: 0, not nothing.
        const struct loss *timer = find_loss(&set, seq, CAUSE_EXIT_TIMER);
        assert_true(timer && timer->by_host && timer->seconds == 0 && timer->basis == BASIS_TIMED);
        // What the guest cannot explain is no time of its own once the host has told; what is its own stays.
        assert_null(find_loss(&set, seq, CAUSE_HOST_HIDDEN));
        const struct loss *irq = find_loss(&set, seq, CAUSE_GUEST_IRQ);
        assert_true(irq && !irq->by_host);
        const struct loss *monitor = find_loss(&set, seq, CAUSE_HOP_VMM);
        assert_true(monitor && monitor->scope == SCOPE_LATENCY);
    }
    assert_non_null(strstr(set.joined, "known by its knocks before 2 samples"));
    assert_non_null(strstr(set.joined, "to within 2 us"));
    assert_int_equal(warnings(&set), 0);
    const struct hist *hist = set.cases[0].mode[MODE_TIMING].hist[CAUSE_EXIT_CPUID];
    assert_non_null(hist);
    assert_in_range(hist_total(hist), 1900, 2200);
    dataset_free(&set);
}

static void test_a_disagreement_beyond_both_errors_is_a_warning(void **state) {
    (void)state;
    struct setup s = plain;
    struct dataset set;
    s.guest_cpuid_s = 0.2;
    join(&s, &set);
    assert_true(has_note(&set, true, "exit.cpuid: the guest's own estimate, 0.4 s (2000 times)"));
    assert_int_equal(warnings(&set), 1);
    assert_close(find_loss(&set, 0, CAUSE_EXIT_CPUID)->seconds, 0.1, 1e-3);
    dataset_free(&set);
}

// A window that lies in the sample by a half gives a half, and may be wrong by as much.
static void test_edges_are_prorated_and_their_error_told(void **state) {
    (void)state;
    struct setup s = plain;
    struct dataset set;
    s.late_s = 0.05;
    join(&s, &set);
    const struct loss *cpuid = find_loss(&set, 0, CAUSE_EXIT_CPUID);
    assert_close(cpuid->seconds, 0.1, 1e-6);
    assert_close(cpuid->se, sqrt(2) * 0.01 * 0.5, 1e-5);
    dataset_free(&set);
    s.late_s = 0;
    join(&s, &set);
    assert_true(find_loss(&set, 0, CAUSE_EXIT_CPUID)->se < 1e-3);
    dataset_free(&set);
}

// What happens at the sample's rate is the sample's: a storm loses nothing at its ends, whatever comes behind it.
static void test_a_storm_that_ends_with_its_sample_is_whole(void **state) {
    (void)state;
    struct setup s = plain;
    struct dataset set;
    s.late_s = 0.03;
    s.storm = true;
    join(&s, &set);
    for (uint64_t seq = 0; seq < 2; seq++) {
        const struct loss *cpuid = find_loss(&set, seq, CAUSE_EXIT_CPUID);
        assert_true(labs((long)cpuid->count - 1000) <= 2);
        assert_close(cpuid->seconds, 0.1, 3e-4);
        assert_true(cpuid->se < 2e-3);
    }
    dataset_free(&set);
}

// A CPUID takes the guest 150 us, of which the host sees 100: the rest is added to every exit.
static void test_what_the_tracepoints_do_not_enclose_is_added(void **state) {
    (void)state;
    struct setup s = plain;
    struct dataset set;
    s.calibrated_s = 150e-6;
    join(&s, &set);
    const struct loss *cpuid = find_loss(&set, 0, CAUSE_EXIT_CPUID);
    assert_close(cpuid->seconds, 0.15, 2e-3);
    assert_close(cpuid->se, 1e-3, 2e-4);
    assert_close(find_loss(&set, 0, CAUSE_HOST_STEAL)->seconds, 0.01, 1e-4); // no exit
    assert_non_null(strstr(set.joined, "To each exit 50 us"));
    dataset_free(&set);
    s.calibrated_s = 90e-6; // less than the host saw: nothing to add
    join(&s, &set);
    assert_close(find_loss(&set, 0, CAUSE_EXIT_CPUID)->seconds, 0.1, 1e-3);
    dataset_free(&set);
}

static void test_without_knocks_kvms_offset_serves(void **state) {
    (void)state;
    struct setup s = plain;
    struct dataset set;
    s.knocks = false;
    s.offset = true;
    join(&s, &set);
    assert_non_null(strstr(set.joined, "by KVM's own tsc_offset"));
    assert_close(find_loss(&set, 1, CAUSE_EXIT_CPUID)->seconds, 0.1, 1e-3);
    dataset_free(&set);
}

static void assert_not_joined(const struct setup *s, const char *why) {
    struct dataset set;
    join(s, &set);
    assert_true(has_note(&set, true, why));
    assert_true(!set.joined || strstr(why, "cover"));
    const struct loss *cpuid = find_loss(&set, 0, CAUSE_EXIT_CPUID);
    assert_true(cpuid && !cpuid->by_host);
    assert_non_null(find_loss(&set, 0, CAUSE_HOST_HIDDEN));
    dataset_free(&set);
}

static void test_what_cannot_be_joined_stays_the_guests(void **state) {
    (void)state;
    struct setup s = plain;
    s.guest_cpuid_s = 0.1;
    s.knocks = false;
    assert_not_joined(&s, "none of its virtual machines saw this guest's knocks");
    s = plain;
    s.guest_cpuid_s = 0.1;
    s.counted_only = true;
    assert_not_joined(&s, "kvm_exit never fired");
    s = plain;
    s.guest_cpuid_s = 0.1;
    s.to_s = 4; // the second sample begins at 5
    assert_not_joined(&s, "cover 1 of 2 timing samples");
}

static void test_more_vcpus_than_the_case_used_make_upper_bounds(void **state) {
    (void)state;
    struct setup s = plain;
    struct dataset set;
    s.vcpus = 2;
    join(&s, &set);
    const struct loss *cpuid = find_loss(&set, 0, CAUSE_EXIT_CPUID);
    assert_close(cpuid->seconds, 0.2, 1e-3);
    assert_true(cpuid->at_most);
    assert_true(has_note(&set, false, "upper bounds"));
    dataset_free(&set);
}

// Two virtual machines: the one that heard the knocks.
static void test_the_right_machine_is_found_among_several(void **state) {
    (void)state;
    struct fixture guest;
    struct fixture own;
    struct fixture other;
    struct host_journal journals[2];
    struct dataset set;
    struct error err;
    struct setup s = plain;
    struct setup stranger = plain;
    stranger.knocks = false;
    stranger.offset = true;
    stranger.cpuid_s = 0.05;
    write_guest(&guest, &s);
    write_host(&own, &s);
    write_host(&other, &stranger);
    assert_int_equal(dataset_load(&set, guest.path, &err), 0);
    assert_int_equal(host_load(&journals[0], other.path, &err), 0);
    assert_int_equal(host_load(&journals[1], own.path, &err), 0);
    join_guest(&set, journals, 2);
    assert_close(find_loss(&set, 0, CAUSE_EXIT_CPUID)->seconds, 0.1, 1e-3);
    dataset_free(&set);
    host_free(&journals[0]);
    host_free(&journals[1]);
    fixture_remove(&guest);
    fixture_remove(&own);
    fixture_remove(&other);
}

static void assert_bad_host(const char *lines, const char *why) {
    struct fixture f;
    struct host_journal journal;
    struct error err = {0};
    fixture_begin(&f, "box", "host", "box");
    str_add(&f.text, lines);
    fixture_end(&f);
    assert_int_equal(host_load(&journal, f.path, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    char text[1500];
    error_line(&err, text, sizeof text);
    assert_non_null(strstr(text, why));
    host_free(&journal);
    fixture_remove(&f);
}

static void test_bad_host_journals(void **state) {
    (void)state;
    assert_bad_host("", "no virtual machine was recorded");
    assert_bad_host("{\"t\":\"window\",\"start_tsc\":1,\"end_tsc\":2,\"vcpu\":0,\"obs\":[]}\n", "\"vm\"");
    assert_bad_host("{\"t\":\"window\",\"start_tsc\":1,\"end_tsc\":2,\"vm\":{\"pid\":\"x\"},\"obs\":[]}\n", "\"pid\"");
    assert_bad_host("{\"t\":\"window\",\"start_tsc\":1,\"vm\":{\"pid\":1},\"obs\":[]}\n", "\"end_tsc\"");
    assert_bad_host(
        "{\"t\":\"window\",\"start_tsc\":1,\"end_tsc\":2,\"vm\":{\"pid\":1},\"vcpu\":99999999,\"obs\":[]}\n",
        "\"vcpu\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_times_take_the_place_of_estimates),
        cmocka_unit_test(test_a_disagreement_beyond_both_errors_is_a_warning),
        cmocka_unit_test(test_edges_are_prorated_and_their_error_told),
        cmocka_unit_test(test_a_storm_that_ends_with_its_sample_is_whole),
        cmocka_unit_test(test_what_the_tracepoints_do_not_enclose_is_added),
        cmocka_unit_test(test_without_knocks_kvms_offset_serves),
        cmocka_unit_test(test_what_cannot_be_joined_stays_the_guests),
        cmocka_unit_test(test_more_vcpus_than_the_case_used_make_upper_bounds),
        cmocka_unit_test(test_the_right_machine_is_found_among_several),
        cmocka_unit_test(test_bad_host_journals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
