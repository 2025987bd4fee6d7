// SPDX-License-Identifier: Apache-2.0
// The exit profiler: where in the program the hypervisor took its time, from timer ticks alone (docs/method.md).
//
// A tick that comes while the hypervisor handles an exit is delivered when the guest goes on, at the instruction behind
// the one that left. So the share of the job's ticks that stand behind, say, CPUID is the share of its time spent
// there. An address does not prove an exit: kinds count by the table `kinds` below, and never those whose native loop
// looks just the same.
//
// The same ticks tell when the CPU was away: those that come late (host.hidden). exit_profile.h has the rules.
#include "collectors/exit_profile.h"
#include "collectors/hypervisor.h"
#include "collectors/probe.h"
#include "collectors/tick_cost.h"
#include "core/clock.h"
#include "core/memory.h"
#include "probes/exit_profiler.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PERIOD_S     1.00313e-3 // of ticks; shares no small multiple with HZ = 100, 250, 300, 1000
#define BUDGET       0.01       // share of the time that ticks may cost, where nothing else is asked for
#define SLOT_S       0.05       // batches take turns as often
#define ENOUGH_TICKS 30         // to know from them how late ticks usually are

struct exit_profiler {
    struct exit_profiler_bpf *bpf;
    struct profiler_cpu *counters; // the kernel's, mapped; by CPU number
    struct profiler_job *job;      // mapped
    size_t cpus;                   // possible CPUs
    struct bpf_link **links;       // by CPU number, in a sample
    double least_period_s;         // of ticks
    double budget;                 // share of the time that ticks may cost
    struct profile_terms terms;    // of the sample that is running or comes next
    struct process_watch *watch;   // in a sample
};

// --- opening ------------------------------------------------------------------------------------------------------

static size_t counter_bytes(const struct exit_profiler *p) {
    return p->cpus * sizeof *p->counters;
}

static int load(struct exit_profiler *p) {
    int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0)
        return cpus;
    p->cpus = (size_t)cpus;
    p->links = mem_alloc(p->cpus * sizeof(struct bpf_link *));
    p->bpf = exit_profiler_bpf__open();
    if (!p->bpf)
        return -errno;
    bpf_map__set_max_entries(p->bpf->maps.cpus, (unsigned)p->cpus);
    int result = exit_profiler_bpf__load(p->bpf);
    if (result)
        return result;
    p->counters = probe_map(p->bpf->maps.cpus, counter_bytes(p));
    p->job = probe_map(p->bpf->maps.job, sizeof *p->job);
    return p->counters && p->job ? 0 : -errno;
}

static int attach_cpu(struct exit_profiler *p, int cpu) {
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = (uint64_t)llround(p->terms.period_s * 1e9),
        .disabled = 1,
    };
    int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct bpf_link *link = bpf_program__attach_perf_event(p->bpf->progs.on_tick, fd); // enables it
    if (!link) {
        int error = errno;
        close(fd);
        return -error;
    }
    p->links[cpu] = link; // and owns the descriptor
    return 0;
}

static void detach(struct exit_profiler *p) {
    for (size_t cpu = 0; cpu < p->cpus; cpu++) {
        bpf_link__destroy(p->links[cpu]); // NULL is fine
        p->links[cpu] = NULL;
    }
}

static void release_sample(struct exit_profiler *p) {
    detach(p);
    process_watch_free(p->watch);
    p->watch = NULL;
}

static void exit_profiler_close(void *state) {
    struct exit_profiler *p = state;
    release_sample(p);
    if (p->counters)
        munmap(p->counters, counter_bytes(p));
    if (p->job)
        munmap(p->job, sizeof *p->job);
    exit_profiler_bpf__destroy(p->bpf); // NULL is fine
    free(p->links);
    free(p);
}

static void tell_job(struct exit_profiler *p, unsigned session) {
    memset(p->counters, 0, counter_bytes(p));
    *p->job = (struct profiler_job){
        .session = session,
        .start_ns = clock_now_ns(),
        .period_ns = (uint64_t)llround(p->terms.period_s * 1e9),
        .slot_ns = (uint64_t)(SLOT_S * 1e9),
        .late_ns = (uint64_t)llround(p->terms.late_s * 1e9),
    };
}

// How late ticks usually are, from those that there were; what was known before if they are too few.
static void learn_lateness(struct exit_profiler *p, const unsigned late[PROFILER_LATE]) {
    unsigned ticks = 0;
    for (int b = 0; b < PROFILER_LATE; b++)
        ticks += late[b];
    if (ticks >= ENOUGH_TICKS)
        p->terms.late_s = tick_late_limit_ns(tick_usual_late_ns(late)) * 1e-9;
}

// What a tick takes from a program, at the rate that is the highest for a sample. 0, or -errno if ticks are refused.
static int measure_interrupt(struct exit_profiler *p) {
    enum { TICKS = 120 };
    const int cpu = sched_getcpu();
    cpu_set_t before;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_getaffinity(0, sizeof before, &before);
    sched_setaffinity(0, sizeof one, &one);
    p->terms.period_s = PERIOD_S;
    tell_job(p, own_session());
    int result = attach_cpu(p, cpu);
    const double cost_s = result ? 0 : tick_cost_s(&p->counters[cpu].runs, TICKS, 3 * TICKS * PERIOD_S);
    detach(p);
    sched_setaffinity(0, sizeof before, &before);
    if (result)
        return result;
    const struct profiler_cpu *seen = &p->counters[cpu];
    const double program_s = seen->runs ? (double)seen->run_ns * 1e-9 / (double)seen->runs : 0;
    p->terms.interrupt_s = fmax(cost_s - program_s, 0);
    p->terms.period_s = tick_period(cost_s, p->budget, p->least_period_s);
    learn_lateness(p, seen->late);
    return 0;
}

static void *exit_profiler_open(const struct collect_options *options, struct collector_status *status) {
    status->state = COLLECTOR_ACTIVE;
    probe_quiet();
    struct exit_profiler *p = mem_alloc(sizeof *p);
    p->terms = (struct profile_terms){.calibration = options->calibration, .hypervisor = hypervisor_below()};
    p->least_period_s = fmax(PERIOD_S, options->tick_period_s);
    p->budget = options->tick_budget > 0 ? options->tick_budget : BUDGET;
    const char *doing = "loading the eBPF program";
    int result = load(p);
    if (result == 0) {
        doing = "sampling by a timer (perf_event_open, cpu-clock)";
        result = measure_interrupt(p);
    }
    if (result) {
        probe_refused(status, doing, -result);
        exit_profiler_close(p);
        return NULL;
    }
    if (p->terms.hypervisor && p->terms.calibration && !p->terms.calibration->traps[TRAP_CPUID].measured)
        collector_say(status, COLLECTOR_DEGRADED, "calibrate again on a quiet machine",
                      "exit.cpuid is not measured: what CPUID costs here could not be calibrated");
    else if (!p->job->steal)
        collector_say(status, COLLECTOR_DEGRADED, "a kernel with CONFIG_PARAVIRT and CONFIG_FAIR_GROUP_SCHED",
                      "host.hidden is not told: this kernel's steal clock cannot be read, and what it holds would be "
                      "counted twice");
    return p;
}

// --- a sample -----------------------------------------------------------------------------------------------------

// Reads and removes all addresses; `profile` may be NULL.
static void take_sites(const struct exit_profiler *p, struct profile *profile) {
    enum { AT_ONCE = 256 };
    struct profiler_key *keys = mem_alloc(AT_ONCE * sizeof *keys);
    struct profiler_site *values = mem_alloc(AT_ONCE * sizeof *values);
    int fd = bpf_map__fd(p->bpf->maps.sites);
    struct profiler_key position;
    void *from = NULL;
    for (int result = 0; result == 0; from = &position) {
        __u32 count = AT_ONCE;
        result = bpf_map_lookup_and_delete_batch(fd, from, &position, keys, values, &count, NULL);
        if (result && errno != ENOENT) // ENOENT: these were the last
            break;
        for (__u32 i = 0; i < count && profile; i++)
            profile_add_site(profile, &p->terms, &keys[i], &values[i]);
    }
    free(keys);
    free(values);
}

static int exit_profiler_begin(void *state, const struct sample_window *window, struct error *err) {
    struct exit_profiler *p = state;
    take_sites(p, NULL);
    p->watch = process_watch_start(p->bpf->maps.new_processes, p->bpf->maps.processes);
    tell_job(p, window_session(window));
    int result = 0;
    for (size_t cpu = 0; cpu < p->cpus && result == 0; cpu++) {
        if (CPU_ISSET(cpu, window->cpus))
            result = attach_cpu(p, (int)cpu);
    }
    if (result == 0)
        return 0;
    release_sample(p);
    error_set(err, EXIT_CODE_LACKS, "starting the sampling timers");
    return error_why(err, "%s", strerror(-result));
}

static int exit_profiler_end(void *state, const struct sample_window *window, struct collector_output *out,
                             struct error *err) {
    struct exit_profiler *p = state;
    struct profile profile = {.sites = NULL};
    (void)err;
    detach(p);
    process_watch_stop(p->watch);
    for (size_t cpu = 0; cpu < p->cpus; cpu++) {
        if (CPU_ISSET(cpu, window->cpus))
            profile_add_cpu(&profile, &p->counters[cpu]);
    }
    take_sites(p, &profile);
    profile_report(&profile, &p->terms, p->job->steal, p->watch, out);
    release_sample(p);
    // For the next sample.
    if (profile.runs > 0)
        p->terms.period_s = tick_period(profile_tick_s(&profile, &p->terms), p->budget, p->least_period_s);
    learn_lateness(p, profile.late);
    profile_free(&profile);
    return 0;
}

const struct collector_ops collector_exit_profiler = {
    .abi = COLLECTOR_ABI,
    .name = "exit_profiler",
    .summary =
        "where the hypervisor took its time, by a timer's ticks: behind instructions that leave (cpuid, ports, "
        "hypercalls), or hidden (late ticks)",
    .in_timing = false,
    .perturbs = true,   // its ticks are timer exits
    .least_cpu_s = 1.0, // some hundred ticks
    .open = exit_profiler_open,
    .begin = exit_profiler_begin,
    .end = exit_profiler_end,
    .close = exit_profiler_close,
};
