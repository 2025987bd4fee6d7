// SPDX-License-Identifier: Apache-2.0
// The exit profiler: its arithmetic on made-up ticks, names of addresses, and the profiler itself against a program
// that knows how long it was in exits, where eBPF is permitted.
#include "bench/calibrate.h"
#include "collectors/exit_profile.h"
#include "collectors/tick_cost.h"
#include "core/arch.h"
#include "core/clock.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// --- arithmetic ---------------------------------------------------------------------------------------------------

static void shares(void **state) {
    (void)state;
    struct tick_batches all = {{0}};
    struct tick_batches hits = {{0}};
    struct tick_share share = tick_share(&hits, &all);
    assert_true(share.value == 0 && share.se == 1); // no tick, no knowledge
    for (int b = 0; b < PROFILER_BATCHES; b++)
        all.ticks[b] = 100;
    share = tick_share(&hits, &all);
    assert_true(share.value == 0 && share.se > 0.0003 && share.se < 0.002); // never met, but not known to be 0
    for (int b = 0; b < PROFILER_BATCHES; b++)
        hits.ticks[b] = 25;
    share = tick_share(&hits, &all);
    assert_true(fabs(share.value - 0.25) < 1e-12);
    assert_true(fabs(share.se - sqrt(0.25 * 0.75 / 1600)) < 1e-4); // batches agree by chance: the binomial holds
    for (int b = 0; b < PROFILER_BATCHES; b++)
        hits.ticks[b] = b % 2 ? 50 : 0; // ticks of a batch are all alike: far fewer independent ones than there seem
    share = tick_share(&hits, &all);
    assert_true(fabs(share.value - 0.25) < 1e-12);
    assert_true(fabs(share.se - sqrt(16. / 15 * 16 * 25 * 25) / 1600) < 1e-12);
}

static void late_ticks_are_not_the_exits(void **state) {
    (void)state;
    unsigned late[PROFILER_LATE] = {0};
    assert_true(tick_within(late, 1e6) == 0);
    late[10] = 30; // 1 to 2 us
    late[24] = 10; // 17 to 34 ms
    assert_true(tick_within(late, 100e3) == 30);
    assert_true(tick_within(late, 1e9) == 40);
    assert_true(fabs(tick_within(late, 1536) - 15) < 1e-12); // the limit lies in the middle of a bucket
    assert_true(tick_within(late, 100) == 0);
    struct tick_batches sum = {{0}};
    const unsigned ticks[PROFILER_BATCHES] = {4, 8};
    tick_add(&sum, ticks, 0.75);
    tick_add(&sum, ticks, 0.25);
    assert_true(sum.ticks[0] == 4 && sum.ticks[1] == 8 && tick_total(&sum) == 12);
}

static void usual_lateness(void **state) {
    (void)state;
    unsigned late[PROFILER_LATE] = {0};
    assert_true(tick_usual_late_ns(late) == 0);
    late[10] = 30; // 1 to 2 us
    late[24] = 50; // the host was away most of the time: that is not what is usual
    assert_true(fabs(tick_usual_late_ns(late) - 1024 * (1 + 20. / 30)) < 1e-9);
    late[10] = 0;
    assert_true(fabs(tick_usual_late_ns(late) - 1.25 * (1 << 24)) < 1e-6);
    assert_true(tick_late_limit_ns(0) == 50e3 && tick_late_limit_ns(5e3) == 150e3);
}

// Instants are dealt out: in time, in an exit, the guest's own, stolen, hidden.
static void each_instant_in_one_bucket(void **state) {
    (void)state;
    static struct calibration calibration;
    calibration.traps[TRAP_CPUID] =
        (struct trap_cost){.measured = true, .exits = true, .median_s = 5e-6, .mean_s = 5e-6};
    const struct profile_terms terms = {
        .calibration = &calibration, .hypervisor = true, .period_s = 2e-3, .late_s = 70e-6};
    struct profiler_cpu cpu = {.runs = 800, .gaps = 40};
    for (int b = 0; b < PROFILER_BATCHES; b++) {
        cpu.ticks[b] = 50;
        cpu.instants[b] = 62; // 12 passed unanswered
        cpu.lost[b] = 15;
        cpu.stolen[b] = 5 * PROFILER_FRACTION;
    }
    struct profile profile = {.sites = NULL};
    profile_add_cpu(&profile, &cpu);
    struct profile_hidden hidden = profile_hidden(&profile, &terms);
    assert_true(fabs(hidden.seconds - 16 * 10 * 2e-3) < 1e-9); // lost and not stolen
    assert_true(hidden.se > sqrt(160) * 2e-3 * 0.9 && hidden.se < 0.1);
    assert_int_equal(hidden.count, 27); // of 40 gaps

#if defined(__x86_64__)
    struct profiler_site site = {.ticks = {30}, .lost = 60};
    const struct profiler_key user = {.ip = 4096, .process = 1};
    const struct profiler_key kernel = {.ip = 4096};
    memset(site.code, 0x90, sizeof site.code);
    site.late[25] = 30;
    profile_add_site(&profile, &terms, &user, &site); // lost in the program: as it was
    assert_true(profile_hidden(&profile, &terms).seconds == hidden.seconds);
    memcpy(site.code + PROFILER_CODE - 2, "\xfb\x90", 2);
    profile_add_site(&profile, &terms, &user, &site); // no such thing in user mode
    assert_true(profile_hidden(&profile, &terms).seconds == hidden.seconds);
    profile_add_site(&profile, &terms, &kernel, &site);
    assert_true(profile_in_guest(&profile) == 60); // of 240: no tick was ever in time there
    assert_true(fabs(profile_hidden(&profile, &terms).seconds - 0.75 * hidden.seconds) < 1e-9);
    site = (struct profiler_site){.ticks = {190}, .lost = 0};
    memset(site.code, 0x90, sizeof site.code);
    memcpy(site.code + PROFILER_CODE - 2, "\xfb\x90", 2);
    site.late[10] = 190; // the job is there for a quarter of the time: so are the host's gaps
    profile_add_site(&profile, &terms, &kernel, &site);
    assert_true(fabs(profile_in_guest(&profile) - (60 - 180 * 190. / 570)) < 1e-9);

    // CPUID, whose own limit is 150 us: what lies between that and 70 us is an exit's after all.
    struct profiler_site exits = {.ticks = {100}, .lost = 8 + 60};
    memset(exits.code, 0x90, sizeof exits.code);
    memcpy(exits.code + PROFILER_CODE - 2, "\x0f\xa2", 2);
    exits.late[10] = 70;
    exits.late[16] = 8; // 65 to 131 us
    exits.late[25] = 22;
    profile_add_site(&profile, &terms, &user, &exits);
    assert_true(fabs(tick_total(&profile.hits[0]) - 78) < 1e-9 && fabs(profile.too_late[0] - 22) < 1e-9);
    assert_true(profile.in_exits > 6 && profile.in_exits <= 8);
    assert_int_equal(profile.count, 1);
#endif
    profile_free(&profile);
    hidden = profile_hidden(&profile, &terms); // no tick at all
    assert_true(hidden.seconds == 0 && hidden.se > 0);
}

static const struct observation *find(const struct observations *list, enum cause cause) {
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].cause == cause)
            return &list->items[i];
    }
    return NULL;
}

// The reason for which `cause` was not told, or NULL.
static const char *untold(const struct observations *obs, enum cause cause) {
    for (size_t i = 0; i < obs->untold_count; i++)
        if (obs->untold[i].cause == cause)
            return obs->untold[i].why;
    return NULL;
}

// Hidden time of a sample is told, or it is said that it is not known: a limit of lateness that does not fit, one that
// is not there yet, no tick at all. Never both, never neither.
static void hidden_is_told_or_not_known(void **state) {
    (void)state;
    static struct calibration calibration;
    calibration.traps[TRAP_CPUID] =
        (struct trap_cost){.measured = true, .exits = true, .median_s = 5e-6, .mean_s = 5e-6};
    static const struct {
        double late_s;
        int bucket; // of the ticks' lateness
        const char *hidden;
    } cases[] = {
        {70e-6, 10, NULL}, {70e-6, 18, "usually came later"}, {0, 10, "not known yet"}, {70e-6, -1, "no tick"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct profile_terms terms = {
            .calibration = &calibration, .hypervisor = true, .period_s = 1e-3, .late_s = cases[i].late_s};
        struct profiler_cpu cpu = {.ticks = {0}};
        for (int b = 0; b < PROFILER_BATCHES && cases[i].bucket >= 0; b++) {
            cpu.ticks[b] = cpu.instants[b] = 50;
            cpu.late[cases[i].bucket] += 50;
        }
        struct profile profile = {.sites = NULL};
        struct observations obs = {0};
        struct collector_output out = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
        profile_add_cpu(&profile, &cpu);
        profile_report(&profile, &terms, true, NULL, &out);
        const char *why = untold(&obs, CAUSE_HOST_HIDDEN);
        assert_int_equal(!find(&obs, CAUSE_HOST_HIDDEN), why != NULL);
        assert_int_equal(why != NULL, cases[i].hidden != NULL);
        assert_true(!why || strstr(why, cases[i].hidden));
        assert_int_equal(!find(&obs, CAUSE_EXIT_CPUID), untold(&obs, CAUSE_EXIT_CPUID) != NULL);
        assert_int_equal(!find(&obs, CAUSE_EXIT_CPUID), cases[i].bucket < 0);
        profile_free(&profile);
        observations_free(&obs);
        cJSON_Delete(out.circumstances);
        cJSON_Delete(out.notes);
    }
}

static void periods_keep_the_budget(void **state) {
    (void)state;
    assert_true(tick_period(20e-6, 0.01, 1e-3) == 2e-3);
    assert_true(tick_period(2e-6, 0.01, 1e-3) == 1e-3);
    assert_true(tick_period(0, 0.01, 1e-3) == 1e-3);
}

#define HANDLER_S 300e-6
static volatile unsigned long long fake_ticks;

static void fake_tick(int number) {
    struct timespec start;
    struct timespec now;
    (void)number;
    fake_ticks++;
    clock_gettime(CLOCK_MONOTONIC_RAW, &start);
    do
        clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    while ((double)(now.tv_sec - start.tv_sec) + 1e-9 * (double)(now.tv_nsec - start.tv_nsec) < HANDLER_S);
}

// A signal that takes 300 us in the place of a tick.
static void a_tick_costs_what_it_takes_from_a_loop(void **state) {
    (void)state;
    double values[] = {5, 4, 500, 6, 5};
    assert_true(fabs(tick_cost_mean(values, 5) - 5) < 1e-12); // in 500 somebody else had the CPU
    assert_true(tick_cost_mean(values, 0) == 0);
    assert_true(tick_cost_s(&fake_ticks, 100, 0.01) == 0); // none came
    const struct itimerval every = {.it_interval = {.tv_usec = 2000}, .it_value = {.tv_usec = 2000}};
    const struct itimerval never = {{0}, {0}};
    signal(SIGALRM, fake_tick);
    assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
    const double cost_s = tick_cost_s(&fake_ticks, 50, 5);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_true(cost_s >
                0.99 * HANDLER_S); // more on a busy machine: who comes back to the CPU finds the signal waiting
}

// --- names --------------------------------------------------------------------------------------------------------

static void names_addresses_of_this_program(void **state) {
    (void)state;
    struct symbol symbol;
    struct symbols *symbols = symbols_of_process(getpid());
    assert_non_null(symbols);
    assert_true(symbols_find(symbols, (uint64_t)(uintptr_t)tick_period + 1, &symbol));
    assert_string_equal(symbol.function, "tick_period");
    assert_int_equal(symbol.offset, 1);
    assert_non_null(strstr(symbol.module, "test_collector_exit_profiler"));
    if (symbol.line) // built with -g
        assert_non_null(strstr(symbol.file, "tick_buckets.c"));
    assert_false(symbols_find(symbols, 16, &symbol)); // nothing is mapped there
    symbols_free(symbols);
    symbols_free(NULL);
    assert_null(symbols_of_process(0x3fffffff));
}

// --- the profiler itself ------------------------------------------------------------------------------------------

struct setting {
    struct calibration calibration;
    struct collector_status status;
    void *profiler; // NULL: not permitted here
};

static int set_up(void **state) {
    struct setting *s = mem_alloc(sizeof *s);
    struct error err;
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    *state = s;
    if (calibrate(&cpus, 0.5, &s->calibration, &err))
        return -1;
    const struct collect_options options = {.calibration = &s->calibration};
    s->profiler = collector_exit_profiler.open(&options, &s->status);
    return 0;
}

static int tear_down(void **state) {
    struct setting *s = *state;
    if (s->profiler)
        collector_exit_profiler.close(s->profiler);
    free(s);
    return 0;
}

static void burn(double seconds) {
    const double start = clock_cpu_s();
    while (clock_cpu_s() - start < seconds) {
        for (unsigned i = 0; i < 20000; i++)
            __asm__ volatile("" ::"r"(i * i));
    }
}

#if defined(__x86_64__)
static void __attribute__((noinline)) many_cpuids(double seconds) {
    struct arch_cpuid r;
    const double start = clock_cpu_s();
    while (clock_cpu_s() - start < seconds) {
        for (unsigned i = 0; i < 100; i++)
            arch_cpuid(0, 0, &r);
    }
}

static void spin_on_pause(double seconds) {
    const double start = clock_cpu_s();
    while (clock_cpu_s() - start < seconds) {
        for (unsigned i = 0; i < 1000; i++)
            __asm__ volatile("pause");
    }
}

static void spin_on_rdtsc(double seconds) {
    const double start = clock_cpu_s();
    while (clock_cpu_s() - start < seconds) {
        for (unsigned i = 0; i < 1000; i++)
            __asm__ volatile("rdtsc" ::: "rax", "rdx");
    }
}
#endif

// Runs `work` in a session of its own under the profiler, which ends while the process is still there.
static void profile(struct setting *s, void (*work)(double), struct collector_output *out) {
    int go[2];
    int done[2];
    char byte;
    struct error err;
    cpu_set_t cpus;
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(done), 0);
    pid_t child = fork();
    if (child == 0) {
        setsid();
        byte = write(done[1], "r", 1) == 1 && read(go[0], &byte, 1) == 1 ? 'w' : 'x';
        if (byte == 'w')
            work(0.3);
        if (write(done[1], "d", 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(done[0], &byte, 1), 1);
    sched_getaffinity(0, sizeof cpus, &cpus);
    struct sample_window window = {.job = child, .cpus = &cpus, .mode = MODE_ATTRIBUTION, .start_ns = clock_now_ns()};
    assert_int_equal(collector_exit_profiler.begin(s->profiler, &window, &err), 0);
    assert_int_equal(write(go[1], "g", 1), 1);
    assert_int_equal(read(done[0], &byte, 1), 1);
    window.end_ns = clock_now_ns();
    assert_int_equal(collector_exit_profiler.end(s->profiler, &window, out, &err), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (int i = 0; i < 2; i++) {
        close(go[i]);
        close(done[i]);
    }
}

static double share_of(const struct observation *o) {
    return cJSON_GetNumberValue(cJSON_GetObjectItem(o->detail, "share"));
}

static void finds_cpuid(void **state) {
#if !defined(__x86_64__)
    skip();
#else
    struct setting *s = *state;
    if (!s->profiler || !s->calibration.traps[TRAP_CPUID].exits)
        skip(); // not permitted, or CPUID does not exit here
    struct observations obs = {0};
    struct collector_output out = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
    profile(s, many_cpuids, &out);
    const struct observation *o = find(&obs, CAUSE_EXIT_CPUID);
    assert_non_null(o);
    assert_int_equal(o->basis, BASIS_SAMPLED);
    assert_true(share_of(o) > 0.8 && share_of(o) <= 1);
    assert_true(o->seconds > 0.15 && o->seconds < 0.6 && o->se > 0 && o->count > 1000);
    const cJSON *site = cJSON_GetArrayItem(cJSON_GetObjectItem(o->detail, "sites"), 0);
    assert_non_null(strstr(cJSON_GetStringValue(cJSON_GetObjectItem(site, "site")), "arch_cpuid+"));
    const char *line = cJSON_GetStringValue(cJSON_GetObjectItem(site, "line"));
    if (line) // built with -g
        assert_non_null(strstr(line, "arch_x86.c"));
    assert_true(find(&obs, CAUSE_OBSERVER)->seconds > 0);
    observations_free(&obs);
    cJSON_Delete(out.circumstances);
    cJSON_Delete(out.notes);
#endif
}

static void finds_nothing(struct setting *s, void (*work)(double)) {
    struct observations obs = {0};
    struct collector_output out = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
    profile(s, work, &out);
    const cJSON *mine = cJSON_GetObjectItem(out.circumstances, "exit_profiler");
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(mine, "ticks")) > 50);
    const struct observation *hidden = find(&obs, CAUSE_HOST_HIDDEN); // how much there is, nobody knows
    assert_true(!hidden || (hidden->seconds >= 0 && hidden->seconds < 10 && hidden->se > 0));
    for (size_t i = 0; i < obs.count; i++) {
        if (obs.items[i].cause != CAUSE_OBSERVER && obs.items[i].cause != CAUSE_HOST_HIDDEN)
            assert_true(share_of(&obs.items[i]) < 0.01);
    }
    observations_free(&obs);
    cJSON_Delete(out.circumstances);
    cJSON_Delete(out.notes);
}

static void finds_nothing_where_nothing_exits(void **state) {
    struct setting *s = *state;
    if (!s->profiler)
        skip();
    finds_nothing(s, burn);
#if defined(__x86_64__)
    finds_nothing(s, spin_on_pause);
    finds_nothing(s, spin_on_rdtsc);
#endif
}

// A kind that was not calibrated to exit is not told, however many ticks lie behind it.
static void believes_the_calibration(void **state) {
#if !defined(__x86_64__)
    skip();
#else
    struct setting *s = *state;
    if (!s->profiler)
        skip();
    const bool exits = s->calibration.traps[TRAP_CPUID].exits;
    struct observations obs = {0};
    struct collector_output out = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
    s->calibration.traps[TRAP_CPUID].exits = false;
    profile(s, many_cpuids, &out);
    assert_null(find(&obs, CAUSE_EXIT_CPUID));
    s->calibration.traps[TRAP_CPUID].exits = exits;
    observations_free(&obs);
    cJSON_Delete(out.circumstances);
    cJSON_Delete(out.notes);
#endif
}

// What a budget asks for, in the sample after the profiler was opened and in the one after that.
static void keeps_the_budget(void **state) {
    struct setting *s = *state;
    struct collector_status status;
    const struct collect_options options = {.calibration = &s->calibration, .tick_budget = 0.002};
    if (!s->profiler)
        skip();
    void *as_they_like = s->profiler;
    s->profiler = collector_exit_profiler.open(&options, &status);
    assert_non_null(s->profiler);
    for (int i = 0; i < 2; i++) {
        struct observations obs = {0};
        struct collector_output out = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
        profile(s, burn, &out);
        const cJSON *detail = find(&obs, CAUSE_OBSERVER)->detail;
        const double tick_s = cJSON_GetNumberValue(cJSON_GetObjectItem(detail, "tick_s"));
        const double period_s = cJSON_GetNumberValue(cJSON_GetObjectItem(detail, "period_s"));
        assert_true(tick_s > 0);
        assert_true(period_s > 1.1e-3);             // not as often as without a budget
        assert_true(tick_s < 0.002 * 2 * period_s); // the program's time in this sample was not known before
        observations_free(&obs);
        cJSON_Delete(out.circumstances);
        cJSON_Delete(out.notes);
    }
    collector_exit_profiler.close(s->profiler);
    s->profiler = as_they_like;
}

static void says_what_it_lacks(void **state) {
    struct setting *s = *state;
    struct collector_status status;
    static const struct calibration nothing;
    const struct collect_options options = {.calibration = &nothing};
    if (!s->profiler) {
        assert_int_equal(s->status.state, COLLECTOR_UNAVAILABLE);
        assert_true(s->status.reason[0] && s->status.hint[0]);
        return;
    }
    void *profiler = collector_exit_profiler.open(&options, &status);
    assert_non_null(profiler);
    collector_exit_profiler.close(profiler);
    if (s->calibration.traps[TRAP_CPUID].exits)
        assert_int_equal(status.state, COLLECTOR_DEGRADED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares),
        cmocka_unit_test(late_ticks_are_not_the_exits),
        cmocka_unit_test(usual_lateness),
        cmocka_unit_test(each_instant_in_one_bucket),
        cmocka_unit_test(hidden_is_told_or_not_known),
        cmocka_unit_test(periods_keep_the_budget),
        cmocka_unit_test(a_tick_costs_what_it_takes_from_a_loop),
        cmocka_unit_test(names_addresses_of_this_program),
        cmocka_unit_test(finds_cpuid),
        cmocka_unit_test(finds_nothing_where_nothing_exits),
        cmocka_unit_test(believes_the_calibration),
        cmocka_unit_test(keeps_the_budget),
        cmocka_unit_test(says_what_it_lacks),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
