// SPDX-License-Identifier: Apache-2.0
// /proc/stat's arithmetic on recorded text, and the decision whether there is a steal clock.
#include "collectors/proc_stat.h"
#include "collectors/steal_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

static const char before[] =
    "cpu  35313 0 8559 201493 3442 0 192 2596 0 0\n"
    "cpu0 18542 0 3515 102143 327 0 21 1221 0 0\n"
    "cpu1 16771 0 5043 99349 3114 0 170 1375 0 0\n"
    "intr 399140 0 0 1 13\n"
    "ctxt 726760\n"
    "btime 1790000000\n";
static const char after[] =
    "cpu  35453 0 8599 201493 3442 0 194 2604 0 0\n"
    "cpu0 18642 0 3545 102143 327 0 22 1224 0 0\n"
    "cpu1 16811 0 5053 99349 3000 0 171 1380 0 0\n"
    "ctxt 727760\n";

static void parses_and_subtracts(void **state) {
    (void)state;
    struct error err;
    struct proc_stat a;
    struct proc_stat b;
    assert_int_equal(proc_stat_parse(before, &a, &err), 0);
    assert_int_equal(proc_stat_parse(after, &b, &err), 0);
    assert_int_equal(a.count, 2);
    assert_int_equal(a.cpus[1].ticks[CPU_STEAL], 1375);
    assert_int_equal(b.context_switches - a.context_switches, 1000);
    cpu_set_t both;
    cpu_set_t first;
    CPU_ZERO(&both);
    CPU_ZERO(&first);
    CPU_SET(0, &both);
    CPU_SET(0, &first);
    CPU_SET(1, &both);
    CPU_SET(7, &both); // offline: not counted
    unsigned cpus = 0;
    double hz = proc_stat_hz();
    assert_true(fabs(proc_stat_seconds(&a, &b, &both, CPU_STEAL, &cpus) - 8 / hz) < 1e-12);
    assert_int_equal(cpus, 2);
    assert_true(fabs(proc_stat_seconds(&a, &b, &first, CPU_STEAL, &cpus) - 3 / hz) < 1e-12);
    assert_int_equal(cpus, 1);
    assert_true(proc_stat_seconds(&a, &b, &both, CPU_IOWAIT, NULL) == 0); // went backwards
    proc_stat_free(&a);
    proc_stat_free(&b);
}

static void old_and_broken_files(void **state) {
    (void)state;
    struct error err;
    struct proc_stat s;
    assert_int_equal(proc_stat_parse("cpu0 1 2 3 4\n", &s, &err), 0); // 2.4: no iowait, no steal
    assert_int_equal(s.cpus[0].ticks[CPU_IDLE], 4);
    assert_int_equal(s.cpus[0].ticks[CPU_STEAL], 0);
    proc_stat_free(&s);
    static const char *const broken[] = {
        "", "nothing\n", "cpu0 1 2\n", "cpu0 1 2 3 x\n", "cpu0 1 2 3 4 five\n", "cpu99999999 1 2 3 4\n", "cpu0",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        assert_int_equal(proc_stat_parse(broken[i], &s, &err), -1);
        assert_int_equal(err.code, EXIT_CODE_INPUT);
    }
    assert_int_equal(proc_stat_read("/nonexistent/stat", &s, &err), -1);
}

static void standard_errors(void **state) {
    (void)state;
    double tick = 1 / proc_stat_hz();
    assert_true(fabs(proc_stat_quantum_se(6) - tick) < 1e-12); // sqrt(6 CPUs / 6)
    // Nothing or everything of the window is seen by every tick alike: only the quantum is left.
    assert_true(fabs(proc_stat_sampling_se(0, 10, 2) - proc_stat_quantum_se(2)) < 1e-12);
    assert_true(fabs(proc_stat_sampling_se(20, 10, 2) - proc_stat_quantum_se(2)) < 1e-12);
    assert_true(proc_stat_sampling_se(10, 10, 2) > proc_stat_quantum_se(2));
}

static void steal_clock(void **state) {
    (void)state;
    static const struct {
        struct steal_evidence evidence;
        bool provided;
        const char *word; // in the reason
    } cases[] = {
        {{.seen = true, .can_tell = true, .hypervisor = true, .signature = "Microsoft Hv"}, true, "reported"},
        {{.can_tell = true, .hypervisor = true, .signature = "KVMKVMKVM", .kvm_features = 0x01007efb}, true, "KVM"},
        {{.can_tell = true, .hypervisor = true, .signature = "KVMKVMKVM", .kvm_features = 0x1000000}, false, "bit 5"},
        {{.can_tell = true, .hypervisor = true, .signature = "KVMKVMKVM", .kvm_features = 0x20, .switched_off = true},
         false,
         "no-steal-acc"},
        {{.can_tell = true, .hypervisor = true, .signature = "XenVMMXenVMM"}, true, "Xen"},
        {{.can_tell = true, .hypervisor = true, .signature = "TCGTCGTCGTCG"}, false, "proves nothing"},
        {{.can_tell = true}, true, "no hypervisor"},
        {{.can_tell = false}, false, "proves nothing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct steal_clock clock;
        steal_clock_decide(&cases[i].evidence, &clock);
        assert_int_equal(clock.provided, cases[i].provided);
        assert_int_equal(clock.counts, cases[i].provided && cases[i].evidence.hypervisor); // bare metal has none
        assert_non_null(strstr(clock.reason, cases[i].word));
        assert_int_equal(clock.hint[0] != '\0', !clock.provided);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_and_subtracts),
        cmocka_unit_test(old_and_broken_files),
        cmocka_unit_test(standard_errors),
        cmocka_unit_test(steal_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
