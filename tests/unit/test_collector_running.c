// SPDX-License-Identifier: Apache-2.0
// A job that runs already when a sample begins, and goes on running, is not switched in any more: what it does counts
// as the job's all the same. The probes, loaded and attached, where eBPF is permitted.
#include "collectors/collectors.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGES ((size_t)2000)
#define PAGE  ((size_t)4096)

// Both processes'.
struct shared {
    atomic_int runs; // the job is on its CPU
    atomic_int go;
    atomic_int done;
};

static struct shared *share(void) {
    return mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static int cpu_number(const cpu_set_t *cpus, int which) {
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, cpus) && which-- == 0)
            return cpu;
    return -1;
}

static void bind(int cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

// Touches pages when it is told to, and never sleeps.
static pid_t start_job(struct shared *s, int cpu) {
    pid_t pid = fork();
    if (pid)
        return pid;
    setsid();
    bind(cpu);
    char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(memory, PAGES * PAGE, MADV_NOHUGEPAGE);
    atomic_store(&s->runs, 1);
    while (!atomic_load(&s->go))
        ;
    for (size_t i = 0; i < PAGES; i++)
        ((volatile char *)memory)[i * PAGE] = 1;
    atomic_store(&s->done, 1);
    for (;;)
        ;
}

static void wait_for(atomic_int *flag) {
    while (!atomic_load(flag))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static const struct observation *find(const struct observations *obs, enum cause cause) {
    for (size_t i = 0; i < obs->count; i++)
        if (obs->items[i].cause == cause && obs->items[i].scope == SCOPE_CPU)
            return &obs->items[i];
    return NULL;
}

static double faults(const struct observations *obs) {
    const struct observation *o = find(obs, CAUSE_GUEST_FAULT);
    return o ? (double)o->count : -1;
}

static double touches(const struct observations *obs) {
    const struct observation *o = find(obs, CAUSE_EXIT_STAGE2);
    const cJSON *part = o ? cJSON_GetObjectItem(o->detail, "touch") : NULL;
    return part ? strtod(cJSON_GetObjectItem(part, "timed")->valuestring, NULL) : -1; // whole numbers are kept as text
}

// How many of the job's pages a sample sees; -1: it tells none here.
static double seen_of(const struct collector_ops *ops, void *collector, double (*count)(const struct observations *)) {
    struct error err;
    struct observations obs = {0};
    struct collector_output out = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
    struct shared *s = share();
    cpu_set_t cpus;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    bind(cpu_number(&cpus, 0));
    struct sample_window window = {
        .job = start_job(s, cpu_number(&cpus, 1)), .cpus = &cpus, .mode = MODE_ATTRIBUTION, .start_ns = 1};
    wait_for(&s->runs);
    assert_int_equal(ops->begin(collector, &window, &err), 0);
    atomic_store(&s->go, 1);
    wait_for(&s->done);
    window.end_ns = 2;
    assert_int_equal(ops->end(collector, &window, &out, &err), 0);
    kill(window.job, SIGKILL);
    assert_int_equal(waitpid(window.job, NULL, 0), window.job);
    sched_setaffinity(0, sizeof cpus, &cpus);
    double seen = count(&obs);
    observations_free(&obs);
    cJSON_Delete(out.circumstances);
    cJSON_Delete(out.notes);
    munmap(s, sizeof *s);
    return seen;
}

static void a_running_job_is_seen(const struct collector_ops *ops, double (*count)(const struct observations *)) {
    struct collector_status status = {0};
    const struct collect_options options = {0};
    cpu_set_t cpus;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    void *collector = CPU_COUNT(&cpus) > 1 ? ops->open(&options, &status) : NULL;
    if (!collector) {
        print_message("skipped: %s\n", status.reason[0] ? status.reason : "there is one CPU only");
        skip();
    }
    // Twice: what the first sample leaves behind does not count as the second one's. The second job is another one.
    for (int i = 0; i < 2; i++) {
        double seen = seen_of(ops, collector, count);
        if (seen >= 0)
            assert_true(seen >= 0.9 * PAGES && seen <= 1.5 * PAGES);
    }
    ops->close(collector);
}

static void its_page_faults_are_counted(void **state) {
    (void)state;
    a_running_job_is_seen(&collector_guest_exits, faults);
}

static void its_page_faults_are_timed(void **state) {
    (void)state;
    a_running_job_is_seen(&collector_exit_timing, touches);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_page_faults_are_counted),
        cmocka_unit_test(its_page_faults_are_timed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
