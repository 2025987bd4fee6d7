// SPDX-License-Identifier: Apache-2.0
// From the eBPF counters to observations: sums over CPUs, prices, no double counting, doubts about zeros. And the probe
// itself, loaded and attached, where that is permitted.
#include "collectors/guest_counts.h"
#include "collectors/msr.h"
#include "core/arch.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct sample {
    struct observations obs;
    cJSON *circumstances;
    cJSON *notes;
    struct collector_output out;
};

static void sample_init(struct sample *s) {
    *s = (struct sample){.circumstances = cJSON_CreateObject(), .notes = cJSON_CreateArray()};
    s->out = (struct collector_output){.obs = &s->obs, .circumstances = s->circumstances, .notes = s->notes};
}

static void sample_free(struct sample *s) {
    observations_free(&s->obs);
    cJSON_Delete(s->circumstances);
    cJSON_Delete(s->notes);
}

static const struct observation *find(const struct sample *s, enum cause cause) {
    const struct observation *found = NULL;
    for (size_t i = 0; i < s->obs.count; i++) {
        if (s->obs.items[i].cause != cause)
            continue;
        assert_null(found); // one observation for a cause
        found = &s->obs.items[i];
    }
    return found;
}

static struct guest_facts all_attached(const struct calibration *calibration) {
    struct guest_facts facts = {.calibration = calibration, .hypervisor = true};
    for (size_t i = 0; i < guest_source_count; i++)
        facts.attached[i] = true;
    return facts;
}

static struct calibration unit_costs(void) {
    struct calibration c = {0};
    c.traps[TRAP_TIMER_ARM] =
        (struct trap_cost){.measured = true, .mean_s = 2.5e-6, .se_s = 1e-7, .native_s = 0.5e-6, .exits = true};
    return c;
}

static void sums_only_the_jobs_time_on_its_cpus(void **state) {
    (void)state;
    static struct guest_exits_cpu from[3];
    static struct guest_exits_cpu to[3];
    struct guest_exits_row *from0 = &from[0].whose[WHOSE_JOB];
    struct guest_exits_row *to0 = &to[0].whose[WHOSE_JOB];
    struct guest_exits_row *to2 = &to[2].whose[WHOSE_JOB];
    from0->events[EVENT_MSR_DEADLINE] = 100;
    to0->events[EVENT_MSR_DEADLINE] = 130;
    to[0].whose[WHOSE_OTHERS].events[EVENT_MSR_DEADLINE] = 500; // its CPU, but not its time
    to[1].whose[WHOSE_JOB].events[EVENT_MSR_DEADLINE] = 1000;   // not its CPU
    to2->events[EVENT_MSR_DEADLINE] = 7;
    from0->msrs[0] = (struct msr_slot){.msr = 0x1d9, .count = 5};
    to0->msrs[0] = (struct msr_slot){.msr = 0x1d9, .count = 6};
    to2->msrs[0] = (struct msr_slot){.msr = 0x48, .count = 50}; // the CPUs' slots are in another order
    to2->msrs[1] = (struct msr_slot){.msr = 0x1d9, .count = 2};
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    CPU_SET(2, &cpus);
    struct guest_counts counts;
    guest_counts_sum(from, to, 3, &cpus, WHOSE_COUNT, &counts);
    assert_int_equal(counts.events[EVENT_MSR_DEADLINE], 537);
    free(counts.msrs);
    guest_counts_sum(from, to, 3, &cpus, WHOSE_JOB, &counts);
    assert_int_equal(counts.events[EVENT_MSR_DEADLINE], 37);
    const struct calibration costs = unit_costs();
    const struct guest_facts facts = all_attached(&costs);
    struct sample s;
    sample_init(&s);
    guest_counts_report(&counts, &facts, &s.out);
    assert_int_equal(find(&s, CAUSE_EXIT_TIMER)->count, 37);
    assert_int_equal(find(&s, CAUSE_EXIT_MSR)->count, 3); // 0x1d9; SPEC_CTRL passes without an exit
    char *detail = json_print_line(find(&s, CAUSE_EXIT_MSR)->detail);
    assert_non_null(strstr(detail, "\"msr_0x1d9\":3"));
    assert_non_null(strstr(detail, "\"no_exit\":{\"msr_0x48_SPEC_CTRL\":50}"));
    free(detail);
    sample_free(&s);
    free(counts.msrs);
}

static void prices(void **state) {
    (void)state;
    struct calibration costs = unit_costs();
    struct observation o = {.cause = CAUSE_EXIT_TIMER, .basis = BASIS_COUNTED, .count = 1000};
    o.detail = cJSON_CreateObject();
    guest_price(&costs, TRAP_TIMER_ARM, TRAP_COUNT, &o);
    assert_int_equal(o.basis, BASIS_CALIBRATED);
    assert_true(fabs(o.seconds - 1000 * 2.0e-6) < 1e-12); // native work taken out
    assert_true(fabs(o.se - 1000 * 1e-7) < 1e-12);
    costs.traps[TRAP_TIMER_ARM].native_s = 3e-6; // dearer than the trap: never a negative loss
    guest_price(&costs, TRAP_TIMER_ARM, TRAP_COUNT, &o);
    assert_true(o.seconds == 0);
    costs = unit_costs();
    costs.traps[TRAP_TIMER_ARM].exits = false;
    guest_price(&costs, TRAP_TIMER_ARM, TRAP_COUNT, &o);
    assert_true(o.seconds == 0 && o.se == 0);
    // Less what the same call costs without an IPI, and the two errors together.
    costs.traps[TRAP_IPI_PEER] = (struct trap_cost){.measured = true, .mean_s = 5e-6, .se_s = 3e-8, .exits = true};
    costs.traps[TRAP_IPI_ALONE] = (struct trap_cost){.measured = true, .mean_s = 1e-6, .se_s = 4e-8};
    guest_price(&costs, TRAP_IPI_PEER, TRAP_IPI_ALONE, &o);
    assert_true(fabs(o.seconds - 1000 * 4e-6) < 1e-12);
    assert_true(fabs(o.se - 1000 * 5e-8) < 1e-12);
    cJSON_Delete(o.detail);
    costs = unit_costs();
    o = (struct observation){.basis = BASIS_COUNTED, .count = 5};
    guest_price(NULL, TRAP_TIMER_ARM, TRAP_COUNT, &o);
    guest_price(&costs, TRAP_IPI_PEER, TRAP_IPI_ALONE, &o); // not measured
    assert_int_equal(o.basis, BASIS_COUNTED);
}

static void one_cause_for_an_exit(void **state) {
    (void)state;
    struct guest_counts counts = {0};
    counts.events[EVENT_IDLE] = 40;
    counts.events[EVENT_IPI_SEND_CPU] = 25; // the same IPIs as the 30 below, told by the kernel's functions
    counts.events[EVENT_RESCHEDULE] = 30;
    struct msr_slot icr = {.msr = MSR_X2APIC_ICR, .count = 30};
    ARRAY_PUSH(counts.msrs, counts.msr_count, counts.msr_capacity, icr);
    const struct guest_facts facts = all_attached(NULL);
    struct sample s;
    sample_init(&s);
    guest_counts_report(&counts, &facts, &s.out);
    assert_int_equal(find(&s, CAUSE_EXIT_IPI)->count, 30);
    assert_int_equal(find(&s, CAUSE_EXIT_HALT)->count, 40);
    assert_int_equal(find(&s, CAUSE_EXIT_HALT)->basis, BASIS_COUNTED);
    assert_int_equal(find(&s, CAUSE_EXIT_IRQ)->basis, BASIS_COUNTED);
    assert_null(find(&s, CAUSE_EXIT_STAGE2)); // cannot be seen here: nothing is said
    assert_int_equal(cJSON_GetArraySize(s.notes), 0);
    sample_free(&s);
    free(counts.msrs);
}

static void zero_is_doubted(void **state) {
    (void)state;
    struct guest_counts counts = {0};
    counts.events[EVENT_LOCAL_TIMER] = 500; // somebody armed these
    counts.events[EVENT_CALL_FUNCTION] = 500;
    struct guest_facts facts = all_attached(NULL);
    guest_find_blind_spots(&counts, 0, &facts);
    assert_true(facts.blind_timer && facts.blind_ipi);
    struct sample s;
    sample_init(&s);
    guest_counts_report(&counts, &facts, &s.out);
    assert_null(find(&s, CAUSE_EXIT_TIMER));
    assert_null(find(&s, CAUSE_EXIT_IPI));
    assert_non_null(find(&s, CAUSE_EXIT_IRQ));
    assert_int_equal(s.obs.untold_count, 2); // and it is said that they are not known
    assert_int_equal(s.obs.untold[0].cause, CAUSE_EXIT_TIMER);
    assert_int_equal(s.obs.untold[1].cause, CAUSE_EXIT_IPI);
    assert_non_null(strstr(s.obs.untold[1].why, "none is seen being sent"));
    sample_free(&s);

    struct guest_counts few = {0};
    few.events[EVENT_CALL_FUNCTION] = 3;
    guest_find_blind_spots(&few, 0, &facts);
    assert_true(!facts.blind_ipi && facts.doubtful_ipi);
    sample_init(&s);
    guest_counts_report(&few, &facts, &s.out);
    assert_null(find(&s, CAUSE_EXIT_IPI)); // later samples will know
    assert_int_equal(s.obs.untold[0].cause, CAUSE_EXIT_IPI);
    sample_free(&s);

    struct msr_slot stimer = {.msr = 0x400000b1, .count = 1};
    ARRAY_PUSH(counts.msrs, counts.msr_count, counts.msr_capacity, stimer);
    counts.events[EVENT_HYPERV_IPI_ONE] = 1;
    guest_find_blind_spots(&counts, 0, &facts);
    assert_false(facts.blind_timer || facts.blind_ipi);
    sample_init(&s);
    guest_counts_report(&counts, &facts, &s.out);
    assert_null(find(&s, CAUSE_EXIT_IRQ)); // what that timer asks for has no tracepoint
    assert_int_equal(s.obs.untold[0].cause, CAUSE_EXIT_IRQ);
    assert_int_equal(find(&s, CAUSE_EXIT_TIMER)->count, 1);
    assert_int_equal(find(&s, CAUSE_EXIT_IPI)->count, 1);
    sample_free(&s);
    free(counts.msrs);
    const struct guest_counts quiet = {0};
    guest_find_blind_spots(&quiet, 0, &facts);
    assert_false(facts.blind_timer || facts.blind_ipi); // nothing arrived: 0 is 0
    guest_find_blind_spots(&quiet, 30, &facts);
    assert_true(facts.blind_timer && !facts.blind_ipi); // timers were armed, for certain: Xen's
}

// A tracepoint that was there and does not attach any more: what it counts is not known in this sample.
static void what_was_lost_is_not_zero(void **state) {
    (void)state;
    const struct guest_counts counts = {0};
    struct guest_facts facts = {.hypervisor = true};
    for (size_t i = 0; i < guest_source_count; i++)
        facts.lost[i] = guest_sources[i].cause == CAUSE_GUEST_FAULT;
    struct sample s;
    sample_init(&s);
    guest_counts_report(&counts, &facts, &s.out);
    assert_int_equal(s.obs.count, 0);
    assert_int_equal(s.obs.untold_count, 1);
    assert_int_equal(s.obs.untold[0].cause, CAUSE_GUEST_FAULT);
    sample_free(&s);
}

static void what_is_not_attached_says_nothing(void **state) {
    (void)state;
    struct guest_counts counts = {0};
    struct guest_facts facts = {.hypervisor = true};
    struct sample s;
    sample_init(&s);
    guest_counts_report(&counts, &facts, &s.out);
    assert_int_equal(s.obs.count, 0);
    sample_free(&s);
}

static void bare_metal_has_no_exits(void **state) {
    (void)state;
    struct guest_counts counts = {0};
    struct msr_slot deadline = {.msr = MSR_TSC_DEADLINE, .count = 9};
    ARRAY_PUSH(counts.msrs, counts.msr_count, counts.msr_capacity, deadline);
    const struct calibration costs = unit_costs();
    struct guest_facts facts = all_attached(&costs);
    facts.hypervisor = false;
    struct sample s;
    sample_init(&s);
    guest_counts_report(&counts, &facts, &s.out);
    assert_int_equal(find(&s, CAUSE_EXIT_TIMER)->count, 9);
    assert_true(find(&s, CAUSE_EXIT_TIMER)->seconds == 0);
    assert_int_equal(find(&s, CAUSE_EXIT_TIMER)->basis, BASIS_CALIBRATED);
    sample_free(&s);
    free(counts.msrs);
}

static void registers(void **state) {
    (void)state;
    assert_int_equal(msr_cause(0x6e0), CAUSE_EXIT_TIMER);
    assert_int_equal(msr_cause(0x400000b1), CAUSE_EXIT_TIMER);
    assert_int_equal(msr_cause(0x40000070), CAUSE_EXIT_EOI);
    assert_int_equal(msr_cause(0x830), CAUSE_EXIT_IPI);
    assert_int_equal(msr_cause(0x48), CAUSE_COUNT);
    assert_int_equal(msr_cause(0xdeadbeef), CAUSE_EXIT_MSR);
    assert_string_equal(msr_name(0x40000001), "HV");
    assert_null(msr_name(0xdeadbeef));
}

static void nap(int count) {
    for (int i = 0; i < count; i++)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

// Somebody else on the same CPUs, in a session of its own, naps while this process waits.
static void neighbour_naps(int count) {
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        nap(count);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

// Each nap arms a timer. Those of this process are counted, those of another program are not.
static void probe_counts_the_jobs_naps(void **state) {
    (void)state;
    struct error err;
    struct collector_status status = {0};
    const struct collect_options options = {0};
    void *g = collector_guest_exits.open(&options, &status);
    if (!g || strstr(status.reason, "sched_switch")) {
        print_message("skipped: %s\n", status.reason);
        if (g)
            collector_guest_exits.close(g);
        skip();
    }
    cpu_set_t cpus;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    for (int i = 0; i < 2 * MODE_COUNT; i++) {
        enum sample_mode mode = i % 2 ? MODE_ATTRIBUTION : MODE_TIMING;
        bool own = i / 2;
        struct sample s;
        sample_init(&s);
        struct sample_window w = {.job = getpid(), .cpus = &cpus, .mode = mode, .start_ns = 1};
        assert_int_equal(collector_guest_exits.begin(g, &w, &err), 0);
        if (own)
            nap(200);
        else
            neighbour_naps(1000);
        w.end_ns = 2;
        assert_int_equal(collector_guest_exits.end(g, &w, &s.out, &err), 0);
        assert_non_null(find(&s, CAUSE_EXIT_IRQ));
        const struct observation *timer = find(&s, CAUSE_EXIT_TIMER);
        if (timer) // where arming is traced
            assert_true(own ? timer->count >= 100 : timer->count < 100);
        assert_int_equal(find(&s, CAUSE_OBSERVER) != NULL, mode == MODE_ATTRIBUTION);
        assert_int_equal(find(&s, CAUSE_GUEST_FAULT) != NULL,
                         mode == MODE_ATTRIBUTION && strcmp(arch_name, "x86_64") == 0);
        sample_free(&s);
    }
    collector_guest_exits.close(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_only_the_jobs_time_on_its_cpus),
        cmocka_unit_test(prices),
        cmocka_unit_test(one_cause_for_an_exit),
        cmocka_unit_test(zero_is_doubted),
        cmocka_unit_test(what_was_lost_is_not_zero),
        cmocka_unit_test(what_is_not_attached_says_nothing),
        cmocka_unit_test(bare_metal_has_no_exits),
        cmocka_unit_test(registers),
        cmocka_unit_test(probe_counts_the_jobs_naps),
    };
    setsid(); // the job is a session: whatever else runs in the caller's would count as ours
    return cmocka_run_group_tests(tests, NULL, NULL);
}
