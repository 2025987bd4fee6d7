// SPDX-License-Identifier: Apache-2.0
// From timed pairs to observations: sums over CPUs, lost pairs, pages that the host had not backed. And the probe
// itself, where eBPF is permitted: what this process does is seen, and only that.
#include "collectors/exit_timing.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
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

static const struct observation *find(const struct sample *s, enum cause cause, enum obs_scope scope) {
    const struct observation *found = NULL;
    for (size_t i = 0; i < s->obs.count; i++) {
        if (s->obs.items[i].cause != cause || s->obs.items[i].scope != scope)
            continue;
        assert_null(found); // one observation for a cause and scope
        found = &s->obs.items[i];
    }
    return found;
}

// Why a cause is not known; NULL: it is.
static const char *why(const struct sample *s, enum cause cause, enum obs_scope scope) {
    for (size_t i = 0; i < s->obs.untold_count; i++)
        if (s->obs.untold[i].cause == cause && s->obs.untold[i].scope == scope)
            return s->obs.untold[i].why;
    return NULL;
}

static void near(double value, double expected) {
    assert_true(fabs(value - expected) <= 1e-9 * fabs(expected) + 1e-15);
}

static void sums_only_the_jobs_time_on_its_cpus(void **state) {
    (void)state;
    static struct timing_cpu from[3];
    static struct timing_cpu to[3];
    struct timing_row rows[TIMING_EVENTS];
    from[0].rows[WHOSE_JOB][TIMING_TIMER] = (struct timing_row){.count = 10, .ns = 1000, .unpaired = 1};
    to[0].rows[WHOSE_JOB][TIMING_TIMER] = (struct timing_row){.count = 13, .ns = 7000, .unpaired = 2};
    to[0].rows[WHOSE_OTHERS][TIMING_TIMER] = (struct timing_row){.count = 100, .ns = 1}; // its CPU, not its time
    to[1].rows[WHOSE_JOB][TIMING_TIMER] = (struct timing_row){.count = 1000, .ns = 1};   // not its CPU
    to[2].rows[WHOSE_JOB][TIMING_TIMER] = (struct timing_row){.count = 4, .ns = 500};
    to[2].rows[WHOSE_JOB][TIMING_TIMER].hist[9] = 4;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    CPU_SET(2, &cpus);
    timing_sum(from, to, 3, &cpus, WHOSE_JOB, rows);
    assert_int_equal(rows[TIMING_TIMER].count, 7);
    assert_int_equal(rows[TIMING_TIMER].ns, 6500);
    assert_int_equal(rows[TIMING_TIMER].unpaired, 1);
    assert_int_equal(rows[TIMING_TIMER].hist[9], 4);
    timing_sum(from, to, 3, NULL, WHOSE_COUNT, rows);
    assert_int_equal(rows[TIMING_TIMER].count, 1107);
}

static void lost_pairs_count_with_the_mean(void **state) {
    (void)state;
    struct timing_row rows[TIMING_EVENTS] = {
        [TIMING_TIMER] = {.count = 90, .ns = 180000, .unpaired = 10}, [TIMING_KICK] = {.unpaired = 3}};
    struct timing_facts facts = {
        .sources = {[TIMING_TIMER] = "a", [TIMING_KICK] = "b", [TIMING_IPI] = "c", [TIMING_IPI_WAIT] = "d"}};
    rows[TIMING_TIMER].hist[10] = 90;
    struct sample s;
    sample_init(&s);
    timing_report(rows, &facts, &s.out);
    const struct observation *timer = find(&s, CAUSE_EXIT_TIMER, SCOPE_CPU);
    assert_int_equal(timer->basis, BASIS_TIMED);
    assert_int_equal(timer->count, 100);
    near(timer->seconds, 200e-6);
    near(timer->se, 2e-6 * sqrt(10));
    assert_true(timer->has_hist && hist_total(&timer->hist) == 90);
    assert_null(find(&s, CAUSE_EXIT_KICK, SCOPE_CPU)); // it happened, how long is not known
    assert_int_equal(s.obs.untold_count, 1);
    assert_int_equal(s.obs.untold[0].cause, CAUSE_EXIT_KICK);
    assert_int_equal(s.obs.untold[0].basis, BASIS_TIMED);
    assert_non_null(strstr(s.obs.untold[0].why, "seen whole"));
    const struct observation *ipi = find(&s, CAUSE_EXIT_IPI, SCOPE_CPU);
    assert_true(ipi && ipi->count == 0 && ipi->seconds == 0); // none: that is known
    assert_null(find(&s, CAUSE_EXIT_TLB, SCOPE_CPU));         // no source: nothing is said
    sample_free(&s);
}

// Beyond the limit the host had taken the CPU away, which is counted elsewhere.
static void what_the_host_cut_into_is_not_an_exit(void **state) {
    (void)state;
    struct timing_row rows[TIMING_EVENTS] = {
        [TIMING_TIMER] = {.count = 10, .ns = 9 * 3000 + 5000000, .over = 1, .over_ns = 5000000},
        [TIMING_KICK] = {.count = 1, .ns = 5000000, .over = 1, .over_ns = 5000000}};
    struct timing_facts facts = {.sources = {[TIMING_TIMER] = "a", [TIMING_KICK] = "b"}};
    struct sample s;
    sample_init(&s);
    timing_report(rows, &facts, &s.out);
    assert_int_equal(find(&s, CAUSE_EXIT_TIMER, SCOPE_CPU)->count, 10);
    near(find(&s, CAUSE_EXIT_TIMER, SCOPE_CPU)->seconds, 30e-6);
    assert_null(find(&s, CAUSE_EXIT_KICK, SCOPE_CPU)); // no plain one was seen
    sample_free(&s);
    struct timing_row row = {.count = 2};
    row.hist[12] = 2; // the median is taken to lie in the middle of 4096 .. 8192
    near(timing_plain_limit_ns(&row), 20 * 4096 * sqrt(2) + 50e3);
}

// A part of a cause is not the cause: where one of its events could not be timed, that is said beside what was.
static void a_part_is_not_the_whole(void **state) {
    (void)state;
    struct timing_row rows[TIMING_EVENTS] = {
        [TIMING_IPI] = {.count = 10, .ns = 30000}, [TIMING_IPI_WAIT] = {.unpaired = 4}};
    struct timing_facts facts = {.sources = {[TIMING_IPI] = "send", [TIMING_IPI_WAIT] = "wait", [TIMING_TOUCH] = "t"}};
    struct sample s;
    sample_init(&s);
    timing_report(rows, &facts, &s.out);
    assert_int_equal(find(&s, CAUSE_EXIT_IPI, SCOPE_CPU)->count, 10);
    assert_int_equal(s.obs.untold_count, 2);
    assert_non_null(strstr(why(&s, CAUSE_EXIT_STAGE2, SCOPE_CPU), "backed")); // nothing to hold its touches against
    assert_non_null(strstr(why(&s, CAUSE_EXIT_IPI, SCOPE_CPU), "seen whole"));
    sample_free(&s);
}

// What could not be attached saw nothing: that is no 0, of none of the causes that it fills.
static void what_was_not_attached_is_not_known(void **state) {
    (void)state;
    struct timing_row rows[TIMING_EVENTS] = {[TIMING_IPI] = {.count = 10, .ns = 30000}};
    struct timing_facts facts = {
        .sources = {[TIMING_TIMER] = "a", [TIMING_IPI] = "send", [TIMING_IPI_WAIT] = "wait", [TIMING_KICK] = "k"},
        .lost = {[TIMING_TIMER] = EMFILE, [TIMING_IPI_WAIT] = EMFILE, [TIMING_TLB] = EMFILE}};
    struct sample s;
    sample_init(&s);
    timing_report(rows, &facts, &s.out);
    assert_null(find(&s, CAUSE_EXIT_TIMER, SCOPE_CPU));
    assert_int_equal(find(&s, CAUSE_EXIT_IPI, SCOPE_CPU)->count, 10); // a part, and said to be one
    assert_int_equal(find(&s, CAUSE_EXIT_KICK, SCOPE_CPU)->count, 0); // known
    assert_non_null(strstr(why(&s, CAUSE_EXIT_TIMER, SCOPE_CPU), "attached: Too many open files"));
    assert_string_equal(why(&s, CAUSE_EXIT_IPI, SCOPE_CPU), why(&s, CAUSE_EXIT_TIMER, SCOPE_CPU));
    assert_null(why(&s, CAUSE_EXIT_KICK, SCOPE_CPU));
    assert_null(why(&s, CAUSE_EXIT_TLB, SCOPE_CPU)); // nothing ever timed it
    sample_free(&s);
}

// Sending counts, waiting for the others adds time, and makes the line an upper bound.
static void sending_and_waiting_are_one_cause(void **state) {
    (void)state;
    struct timing_row rows[TIMING_EVENTS] = {
        [TIMING_IPI] = {.count = 10, .ns = 30000}, [TIMING_IPI_WAIT] = {.count = 4, .ns = 20000}};
    struct timing_facts facts = {.sources = {[TIMING_IPI] = "send", [TIMING_IPI_WAIT] = "wait"}};
    struct sample s;
    sample_init(&s);
    timing_report(rows, &facts, &s.out);
    const struct observation *ipi = find(&s, CAUSE_EXIT_IPI, SCOPE_CPU);
    assert_int_equal(ipi->count, 10);
    near(ipi->seconds, 50e-6);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(ipi->detail, "upper_bound")));
    const cJSON *wait = cJSON_GetObjectItem(ipi->detail, "wait");
    near(cJSON_GetObjectItem(wait, "seconds")->valuedouble, 20e-6);
    assert_string_equal(cJSON_GetObjectItem(wait, "source")->valuestring, "wait");
    sample_free(&s);
}

// The programs that time an inner event run in the outer one's time, and are no exit.
static void programs_of_inner_events_are_taken_out(void **state) {
    (void)state;
    struct timing_row rows[TIMING_EVENTS] = {[TIMING_IPI] = {.count = 10, .ns = 30000},
                                             [TIMING_IPI_WAIT] = {.count = 10, .ns = 20000, .inner = 10},
                                             [TIMING_TLB] = {.count = 1, .ns = 100, .inner = 2}};
    struct timing_facts facts = {.sources = {[TIMING_IPI] = "s", [TIMING_IPI_WAIT] = "w", [TIMING_TLB] = "t"},
                                 .programs_ns = 200};
    struct sample s;
    sample_init(&s);
    timing_report(rows, &facts, &s.out);
    near(find(&s, CAUSE_EXIT_IPI, SCOPE_CPU)->seconds, 30e-6 + 18e-6);
    assert_true(find(&s, CAUSE_EXIT_TLB, SCOPE_CPU)->seconds == 0); // never less
    sample_free(&s);
}

static void only_what_exceeds_a_backed_page_is_lost(void **state) {
    (void)state;
    struct timing_row backed = {.count = 1000, .ns = 1500000};
    backed.hist[10] = 1000; // all between 1024 and 2048 ns
    struct timing_row rows[TIMING_EVENTS] = {
        [TIMING_TOUCH] = {.count = 5000, .ns = 9350000, .over = 100, .over_ns = 2000000},
        [TIMING_TOUCH_HUGE] = {.count = 5, .ns = 500000}};
    struct timing_facts facts = {.sources = {[TIMING_TOUCH] = "x", [TIMING_TOUCH_HUGE] = "x"}};
    facts.backed[TIMING_TOUCH] = timing_backed_from(&backed, 2000);
    near(facts.backed[TIMING_TOUCH].mean_ns, 1500);
    assert_true(facts.backed[TIMING_TOUCH].limit_ns > 3500 && facts.backed[TIMING_TOUCH].limit_ns < 4100);
    struct sample s;
    sample_init(&s);
    timing_report(rows, &facts, &s.out);
    const struct observation *o = find(&s, CAUSE_EXIT_STAGE2, SCOPE_CPU);
    assert_int_equal(o->count, 100);
    near(o->seconds, 100 * 18500e-9);
    assert_null(cJSON_GetObjectItem(o->detail, "touch_huge")); // what a backed one takes is not known
    sample_free(&s);
    backed.count = 99;
    assert_false(timing_backed_from(&backed, 2000).known);
}

// Every source can be found, and tracepoints before functions nowhere: the better one first.
static void the_table_is_sound(void **state) {
    (void)state;
    bool has[TIMING_EVENTS] = {false};
    for (size_t i = 0; i < timing_source_count; i++) {
        const struct timing_source *source = &timing_sources[i];
        has[source->event] = true;
        assert_int_equal(source->how == BY_TRACEPOINTS || source->how == BY_ENTRY, source->programs[0] != NULL);
        assert_true(source->how != BY_ENTRY || strstr(source->name, ".."));
        for (size_t k = 0; k < i; k++) {
            assert_true(source->how == BY_TRACEPOINTS || strcmp(source->name, timing_sources[k].name) != 0);
            if (timing_sources[k].event == source->event && timing_sources[k].how == BY_TRACEPOINTS)
                assert_true(source->how == BY_TRACEPOINTS);
        }
    }
    for (int e = 0; e < TIMING_EVENTS; e++)
        assert_true(has[e] && timing_meanings[e].name);
}

// A kernel that lets some sources be used, and what was asked of it.
struct kernel {
    bool functions;      // may be traced
    bool tracepoints;    // are there
    const char *only;    // of the functions this one alone; NULL: all
    unsigned tried;      // sources
    unsigned used_by[4]; // by enum timing_how
};

static bool use(void *state, const struct timing_source *source) {
    struct kernel *kernel = state;
    bool works = kernel->tracepoints;
    if (source->how != BY_TRACEPOINTS)
        works = kernel->functions && (!kernel->only || strcmp(kernel->only, source->name) == 0);
    kernel->tried++;
    kernel->used_by[source->how] += works;
    return works;
}

static unsigned sources_of(enum timing_event event, unsigned rank) {
    unsigned n = 0;
    for (size_t i = 0; i < timing_source_count; i++)
        n += timing_sources[i].event == event && timing_sources[i].rank == rank;
    return n;
}

// Functions before tracepoints, all of a rank together, and no worse one beside a better one.
static void the_best_source_is_chosen(void **state) {
    (void)state;
    struct kernel all = {.functions = true, .tracepoints = true};
    assert_int_equal(timing_choose(TIMING_TIMER, 0, use, &all), 0);
    assert_int_equal(all.used_by[BY_FUNCTION], sources_of(TIMING_TIMER, 0));
    assert_int_equal(all.used_by[BY_TRACEPOINTS], 0);
    assert_int_equal(all.tried, sources_of(TIMING_TIMER, 0));

    struct kernel refused = {.tracepoints = true}; // BPF trampolines are not permitted
    assert_int_equal(timing_choose(TIMING_TIMER, 0, use, &refused), 2);
    assert_int_equal(refused.used_by[BY_FUNCTION], 0);
    assert_int_equal(refused.used_by[BY_TRACEPOINTS], 1);
    assert_int_equal(timing_choose(TIMING_IPI_WAIT, 0, use, &refused), 1);

    struct kernel old = {.functions = true, .only = "clockevents_program_event"};
    assert_int_equal(timing_choose(TIMING_TIMER, 0, use, &old), 1);
    assert_int_equal(old.used_by[BY_FUNCTION], 1);
}

// What was chosen turned out not to be called: the search goes on behind it.
static void the_choice_goes_on(void **state) {
    (void)state;
    struct kernel all = {.functions = true, .tracepoints = true};
    assert_int_equal(timing_choose(TIMING_TIMER, 1, use, &all), 1);
    assert_int_equal(timing_choose(TIMING_TIMER, 2, use, &all), 2);
    assert_int_equal(all.used_by[BY_TRACEPOINTS], 1);
    all = (struct kernel){.functions = true, .tracepoints = true};
    assert_int_equal(timing_choose(TIMING_TIMER, 3, use, &all), TIMING_UNUSED);
    assert_int_equal(all.tried, 0);
}

// Nothing times an event: nothing is said of it, and its counts have the calibrated cost (guest_exits).
static void without_a_source_the_counts_stand(void **state) {
    (void)state;
    struct kernel bare = {.functions = false};
    for (int e = 0; e < TIMING_EVENTS; e++)
        assert_int_equal(timing_choose((enum timing_event)e, 0, use, &bare), TIMING_UNUSED);
    struct kernel functionless = {.tracepoints = true};
    assert_int_equal(timing_choose(TIMING_KICK, 0, use, &functionless), TIMING_UNUSED);

    struct timing_row rows[TIMING_EVENTS] = {[TIMING_IPI] = {.count = 10, .ns = 20000}};
    struct timing_facts facts = {.sources = {[TIMING_IPI] = "native_send_call_func_ipi"}};
    struct sample s;
    sample_init(&s);
    timing_report(rows, &facts, &s.out);
    assert_non_null(find(&s, CAUSE_EXIT_IPI, SCOPE_CPU));
    assert_null(find(&s, CAUSE_EXIT_TIMER, SCOPE_CPU));
    assert_null(find(&s, CAUSE_EXIT_KICK, SCOPE_CPU));
    sample_free(&s);
}

static void nap(int count) {
    for (int i = 0; i < count; i++)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void touch(size_t pages) {
    char *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    madvise(memory, pages * 4096, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < pages; i++)
        ((volatile char *)memory)[i * 4096] = 1;
    munmap(memory, pages * 4096);
}

static void work(void) {
    nap(200);
    touch(2000);
}

// Somebody else on the same CPUs, in a session of its own, while this process waits.
static void neighbour_works(void) {
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        work();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

// How many were timed in the observation of a cause, from its detail; -1 where nothing times it here.
static double timed(const struct sample *s, enum cause cause, enum obs_scope scope, const char *what) {
    const struct observation *o = find(s, cause, scope);
    const cJSON *part = o ? cJSON_GetObjectItem(o->detail, what) : NULL;
    return part ? strtod(cJSON_GetObjectItem(part, "timed")->valuestring, NULL) : -1; // whole numbers are kept as text
}

// A sample while this process may open so many more files (-1: as many as it likes); its programs take one each.
static void sample_with_files(void *t, int more, struct sample *s) {
    struct error err;
    cpu_set_t cpus;
    struct rlimit old;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    struct sample_window w = {.job = getpid(), .cpus = &cpus, .mode = MODE_ATTRIBUTION, .start_ns = 1};
    int next = dup(STDOUT_FILENO);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit few = {(rlim_t)(next + more), old.rlim_max};
    close(next);
    sample_init(s);
    if (more >= 0)
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int result = collector_exit_timing.begin(t, &w, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(result, 0);
    touch(100);
    nap(20);
    w.end_ns = 2;
    assert_int_equal(collector_exit_timing.end(t, &w, &s->out, &err), 0);
}

// The second sample has files for the task switches, the statistics and one program, so that no source is whole; the
// third has all of them again.
static void what_does_not_attach_again_is_not_known(void **state) {
    (void)state;
    struct collector_status status = {0};
    const struct collect_options options = {0};
    struct sample s[3];
    void *t = collector_exit_timing.open(&options, &status);
    if (!t) {
        print_message("skipped: %s\n", status.reason);
        skip();
    }
    for (int i = 0; i < 3; i++)
        sample_with_files(t, i == 1 ? 3 : -1, &s[i]);
    collector_exit_timing.close(t);
    assert_true(s[0].obs.count > 2);
    for (size_t i = 0; i < s[0].obs.count; i++) {
        const struct observation *o = &s[0].obs.items[i];
        if (o->cause == CAUSE_OBSERVER)
            continue;
        assert_null(find(&s[1], o->cause, o->scope));
        assert_non_null(strstr(why(&s[1], o->cause, o->scope), "could not be attached: "));
        assert_true(find(&s[2], o->cause, o->scope) || strstr(why(&s[2], o->cause, o->scope), "seen whole"));
    }
    assert_non_null(strstr(why(&s[1], CAUSE_GUEST_IRQ, SCOPE_CPU), "Too many open files"));
    assert_non_null(find(&s[2], CAUSE_GUEST_IRQ, SCOPE_CPU));
    for (int i = 0; i < 3; i++)
        sample_free(&s[i]);
}

static void probe_times_the_jobs_work(void **state) {
    (void)state;
    struct error err;
    struct collector_status status = {0};
    const struct collect_options options = {0};
    void *t = collector_exit_timing.open(&options, &status);
    if (!t) {
        print_message("skipped: %s\n", status.reason);
        skip();
    }
    cpu_set_t cpus;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    for (int own = 0; own < 2; own++) {
        struct sample s;
        sample_init(&s);
        struct sample_window w = {.job = getpid(), .cpus = &cpus, .mode = MODE_ATTRIBUTION, .start_ns = 1};
        assert_int_equal(collector_exit_timing.begin(t, &w, &err), 0);
        if (own)
            work();
        else
            neighbour_works();
        w.end_ns = 2;
        assert_int_equal(collector_exit_timing.end(t, &w, &s.out, &err), 0);
        double arms = timed(&s, CAUSE_EXIT_TIMER, SCOPE_CPU, "arm");
        double touches = timed(&s, CAUSE_EXIT_STAGE2, SCOPE_CPU, "touch");
        if (arms >= 0)
            assert_true(own ? arms >= 50 : arms < 50);
        if (touches >= 0)
            assert_true(own ? touches >= 1800 : touches < 200);
        assert_non_null(find(&s, CAUSE_GUEST_IRQ, SCOPE_CPU));
        assert_non_null(find(&s, CAUSE_EXIT_HALT, SCOPE_BLOCKED));
        assert_non_null(find(&s, CAUSE_OBSERVER, SCOPE_CPU));
        sample_free(&s);
    }
    collector_exit_timing.close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_only_the_jobs_time_on_its_cpus),
        cmocka_unit_test(lost_pairs_count_with_the_mean),
        cmocka_unit_test(what_the_host_cut_into_is_not_an_exit),
        cmocka_unit_test(sending_and_waiting_are_one_cause),
        cmocka_unit_test(a_part_is_not_the_whole),
        cmocka_unit_test(what_was_not_attached_is_not_known),
        cmocka_unit_test(programs_of_inner_events_are_taken_out),
        cmocka_unit_test(only_what_exceeds_a_backed_page_is_lost),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(the_best_source_is_chosen),
        cmocka_unit_test(the_choice_goes_on),
        cmocka_unit_test(without_a_source_the_counts_stand),
        cmocka_unit_test(probe_times_the_jobs_work),
        cmocka_unit_test(what_does_not_attach_again_is_not_known),
    };
    setsid(); // the job is a session: whatever else runs in the caller's would count as ours
    return cmocka_run_group_tests(tests, NULL, NULL);
}
