// SPDX-License-Identifier: Apache-2.0
// The exit profiler: where in the program the hypervisor took its time, from timer ticks alone (docs/method.md).
//
// A tick that comes while the hypervisor handles an exit is delivered when the guest goes on, at the instruction behind
// the one that left. So the share of the job's ticks that stand behind, say, CPUID is the share of its time spent
// there. An address does not prove an exit: kinds count by the table `kinds` below, and never those whose native loop
// looks just the same.
#include "collectors/collectors.h"
#include "collectors/decode.h"
#include "collectors/probe.h"
#include "collectors/process_watch.h"
#include "collectors/tick_buckets.h"
#include "core/arch.h"
#include "core/clock.h"
#include "core/memory.h"
#include "probes/exit_profiler.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PERIOD_S       1.00313e-3 // of ticks; shares no small multiple with HZ = 100, 250, 300, 1000
#define BUDGET         0.01       // share of the time that ticks may cost
#define SLOT_S         0.05       // batches take turns as often
#define TOP_SITES      10
#define NO_PRICE_LIMIT 1.0 // periods: how late a tick behind an exit of unknown price may be

// The kinds that are told from the address. RDTSC and PAUSE are not among them: a loop that spins on them natively has
// its ticks in the same places. Nor are MSR accesses, which guest_exits counts, and HLT, which is sleep.
static const struct {
    enum instruction instruction;
    enum cause cause;
    enum trap trap; // whose calibration says whether it exits here and what it takes; TRAP_COUNT: not calibrated,
                    // hypervisors intercept it without exception
} kinds[] = {
    {INSTRUCTION_CPUID, CAUSE_EXIT_CPUID, TRAP_CPUID},
    {INSTRUCTION_PORT, CAUSE_EXIT_PIO, TRAP_COUNT},
    {INSTRUCTION_HYPERCALL, CAUSE_EXIT_HYPERCALL, TRAP_COUNT},
};
#define KINDS ARRAY_LEN(kinds)

struct exit_profiler {
    struct exit_profiler_bpf *bpf;
    struct profiler_cpu *counters; // the kernel's, mapped; by CPU number
    struct profiler_job *job;      // mapped
    size_t cpus;                   // possible CPUs
    struct bpf_link **links;       // by CPU number, in a sample
    const struct calibration *calibration;
    bool hypervisor;
    struct process_watch *watch; // in a sample
    double period_s;
    double interrupt_s; // what a tick costs without the program's own work: measured by measure_interrupt()
};

// One address, as it comes out of the map.
struct site {
    struct profiler_key key;
    struct profiler_site ticks;
    size_t kind;   // index in kinds
    double weight; // share of its ticks that the exit accounts for
};

// What a sample's ticks say.
struct profile {
    struct site *sites; // those of a kind that counts, most ticks first
    size_t count;
    size_t capacity;
    struct tick_batches all; // the job's ticks
    struct tick_batches hits[KINDS];
    uint64_t on_host[KINDS]; // ticks behind such an instruction, but too late for the exit
    uint64_t runs, run_ns, overflow, kernel, missed;
};

// --- opening ------------------------------------------------------------------------------------------------------

static size_t counter_bytes(const struct exit_profiler *p) {
    return p->cpus * sizeof *p->counters;
}

static void *map_in(const struct bpf_map *map, size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
    return memory == MAP_FAILED ? NULL : memory;
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
    p->counters = map_in(p->bpf->maps.cpus, counter_bytes(p));
    p->job = map_in(p->bpf->maps.job, sizeof *p->job);
    return p->counters && p->job ? 0 : -errno;
}

static int attach_cpu(struct exit_profiler *p, int cpu) {
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_CPU_CLOCK,
        .sample_period = (uint64_t)llround(p->period_s * 1e9),
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

// Bare metal has nothing to exit to. Processors without CPUID cannot say so: taken for a guest.
static bool has_hypervisor(void) {
    struct arch_cpuid r;
    return !arch_cpuid(1, 0, &r) || (r.ecx & (1U << 31));
}

static bool kind_counts(const struct exit_profiler *p, size_t kind) {
    if (kinds[kind].trap == TRAP_COUNT)
        return p->hypervisor;
    return p->calibration && p->calibration->traps[kinds[kind].trap].measured &&
           p->calibration->traps[kinds[kind].trap].exits;
}

// A fixed piece of work, some milliseconds.
static double time_work(void) {
    const double start = clock_cpu_s();
    uint64_t x = 88172645463325252U;
    for (unsigned i = 0; i < 1000000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    __asm__ volatile("" ::"r"(x));
    return clock_cpu_s() - start;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// What a tick takes from a program, the exits that deliver and arm it included: the same work with and without ticks
// that come so often that they show. With t = work + c t / period, c = period (1 - work / t); the median of some pairs.
// 0, or -errno if ticks are refused.
static int measure_interrupt(struct exit_profiler *p) {
    enum { PAIRS = 15 };
    const int cpu = sched_getcpu();
    double costs[PAIRS];
    cpu_set_t before;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_getaffinity(0, sizeof before, &before);
    sched_setaffinity(0, sizeof one, &one);
    int result = 0;
    p->period_s = 1e-4;
    for (int i = 0; i < PAIRS && result == 0; i++) {
        const double without_s = time_work();
        result = attach_cpu(p, cpu);
        costs[i] = p->period_s * (1 - without_s / time_work());
        detach(p);
    }
    sched_setaffinity(0, sizeof before, &before);
    if (result)
        return result;
    qsort(costs, PAIRS, sizeof costs[0], ascending);
    p->interrupt_s = fmax(costs[PAIRS / 2], 0);
    return 0;
}

static void *exit_profiler_open(const struct collect_options *options, struct collector_status *status) {
    status->state = COLLECTOR_ACTIVE;
    probe_quiet();
    struct exit_profiler *p = mem_alloc(sizeof *p);
    p->calibration = options->calibration;
    p->hypervisor = has_hypervisor();
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
    p->period_s = tick_period(p->interrupt_s, BUDGET, PERIOD_S);
    if (p->hypervisor && p->calibration && !p->calibration->traps[TRAP_CPUID].measured)
        collector_say(status, COLLECTOR_DEGRADED, "calibrate again on a quiet machine",
                      "exit.cpuid is not measured: what CPUID costs here could not be calibrated");
    return p;
}

// --- a sample -----------------------------------------------------------------------------------------------------

// Reads and removes all addresses, through `take`.
static void take_sites(const struct exit_profiler *p, void (*take)(void *, const struct site *), void *context) {
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
        for (__u32 i = 0; i < count && take; i++)
            take(context, &(struct site){.key = keys[i], .ticks = values[i]});
    }
    free(keys);
    free(values);
}

static int exit_profiler_begin(void *state, const struct sample_window *window, struct error *err) {
    struct exit_profiler *p = state;
    pid_t session = getsid(window->job);
    take_sites(p, NULL, NULL);
    p->watch = process_watch_start(p->bpf->maps.new_processes, p->bpf->maps.processes);
    memset(p->counters, 0, counter_bytes(p));
    *p->job = (struct profiler_job){
        .session = session > 0 ? (unsigned)session : 0,
        .start_ns = clock_now_ns(),
        .period_ns = (uint64_t)llround(p->period_s * 1e9),
        .slot_ns = (uint64_t)(SLOT_S * 1e9),
    };
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

static enum instruction decode(const struct site *site) {
#if defined(__aarch64__)
    return decode_arm64_before(site->ticks.code, PROFILER_CODE);
#else
    return decode_x86_before(site->ticks.code, PROFILER_CODE);
#endif
}

// Above this a tick met more than the exit. The rule that the calibration applies to itself (bench/kernels/traps.h).
static double limit_ns(const struct exit_profiler *p, size_t kind) {
    if (kinds[kind].trap == TRAP_COUNT)
        return NO_PRICE_LIMIT * p->period_s * 1e9;
    return (20 * p->calibration->traps[kinds[kind].trap].median_s + 50e-6) * 1e9;
}

struct taking {
    const struct exit_profiler *profiler;
    struct profile *profile;
};

static uint64_t ticks_at(const struct site *site) {
    uint64_t sum = 0;
    for (int b = 0; b < PROFILER_BATCHES; b++)
        sum += site->ticks.ticks[b];
    return sum;
}

static void take_site(void *context, const struct site *from) {
    const struct taking *t = context;
    struct profile *profile = t->profile;
    struct site site = *from;
    enum instruction instruction = decode(&site);
    for (size_t k = 0; k < KINDS; k++) {
        if (kinds[k].instruction != instruction || !kind_counts(t->profiler, k))
            continue;
        site.kind = k;
        site.weight = tick_share_within(site.ticks.late, limit_ns(t->profiler, k));
        tick_add(&profile->hits[k], site.ticks.ticks, site.weight);
        profile->on_host[k] += (uint64_t)llround((1 - site.weight) * (double)ticks_at(&site));
        ARRAY_PUSH(profile->sites, profile->count, profile->capacity, site);
    }
}

static int most_ticks_first(const void *a, const void *b) {
    const uint64_t of_a = ticks_at(a);
    const uint64_t of_b = ticks_at(b);
    return of_a < of_b ? 1 : of_a > of_b ? -1 : 0;
}

static void read_profile(const struct exit_profiler *p, const cpu_set_t *cpus, struct profile *out) {
    *out = (struct profile){.sites = NULL};
    for (size_t cpu = 0; cpu < p->cpus; cpu++) {
        const struct profiler_cpu *c = &p->counters[cpu];
        if (!CPU_ISSET(cpu, cpus))
            continue;
        tick_add(&out->all, c->ticks, 1);
        out->runs += c->runs;
        out->run_ns += c->run_ns;
        out->overflow += c->overflow;
        out->kernel += c->kernel;
        out->missed += c->missed;
    }
    take_sites(p, take_site, &(struct taking){.profiler = p, .profile = out});
    if (out->count > 1)
        qsort(out->sites, out->count, sizeof *out->sites, most_ticks_first);
}

// --- the report ---------------------------------------------------------------------------------------------------

static void name_site(struct symbols *symbols, const struct site *site, cJSON *object) {
    struct symbol symbol;
    char text[400];
    snprintf(text, sizeof text, "0x%llx", site->key.ip);
    json_add_string(object, "address", text);
    if (!site->key.process)
        json_add_string(object, "module", "kernel");
    if (!symbols || !symbols_find(symbols, site->key.ip - 1, &symbol)) // - 1: inside the instruction that left
        return;
    if (symbol.function[0])
        snprintf(text, sizeof text, "%s+0x%llx", symbol.function, (unsigned long long)symbol.offset + 1);
    else
        snprintf(text, sizeof text, "+0x%llx", (unsigned long long)symbol.offset + 1);
    json_add_string(object, "site", text);
    json_add_string(object, "module", symbol.module);
    if (symbol.line) {
        snprintf(text, sizeof text, "%s:%d", symbol.file, symbol.line);
        json_add_string(object, "line", text);
    }
}

// The addresses with the most ticks.
static cJSON *sites_to_json(const struct exit_profiler *p, const struct profile *profile, size_t kind) {
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < profile->count && cJSON_GetArraySize(list) < TOP_SITES; i++) {
        const struct site *site = &profile->sites[i];
        if (site->kind != kind)
            continue;
        cJSON *object = cJSON_CreateObject();
        name_site(process_watch_symbols(p->watch, site->key.process, site->key.image), site, object);
        json_add_u64(object, "process", site->key.process);
        json_add_u64(object, "ticks", ticks_at(site));
        json_add_double(object, "seconds", (double)ticks_at(site) * site->weight * p->period_s);
        cJSON_AddItemToArray(list, object);
    }
    return list;
}

// The part of an exit's time that the instruction would take on bare metal, too.
static double native_part(const struct exit_profiler *p, size_t kind) {
    if (kinds[kind].trap == TRAP_COUNT)
        return 0;
    const struct trap_cost *cost = &p->calibration->traps[kinds[kind].trap];
    return cost->mean_s > 0 ? fmin(cost->native_s / cost->mean_s, 1) : 0;
}

// What a tick costs: the program, and the interrupt with its exits.
static double tick_s(const struct exit_profiler *p, const struct profile *profile) {
    return profile->runs ? (double)profile->run_ns * 1e-9 / (double)profile->runs + p->interrupt_s : 0;
}

// How many exits that time holds; 0 where the price of one is not known.
static uint64_t estimated_exits(const struct exit_profiler *p, size_t kind, double seconds) {
    const double unit_s = kinds[kind].trap == TRAP_COUNT ? 0 : p->calibration->traps[kinds[kind].trap].mean_s;
    return unit_s > 0 ? (uint64_t)llround(seconds / unit_s) : 0;
}

static void report_kind(const struct exit_profiler *p, const struct profile *profile, size_t kind,
                        struct collector_output *out) {
    const struct tick_share share = tick_share(&profile->hits[kind], &profile->all);
    const double window_s = tick_total(&profile->all) * (p->period_s - tick_s(p, profile)); // less our own time
    const double exit_part = 1 - native_part(p, kind);
    struct observation o = {
        .cause = kinds[kind].cause,
        .scope = SCOPE_CPU,
        .basis = BASIS_SAMPLED,
        .count = estimated_exits(p, kind, share.value * window_s),
        .seconds = share.value * window_s * exit_part,
        .se = share.se * window_s * exit_part,
        .detail = cJSON_CreateObject(),
    };
    json_add_double(o.detail, "ticks", tick_total(&profile->hits[kind]));
    json_add_double(o.detail, "share", share.value);
    json_add_double(o.detail, "share_se", share.se);
    json_add_double(o.detail, "native_part", 1 - exit_part);
    json_add_u64(o.detail, "too_late", profile->on_host[kind]);
    cJSON_AddItemToObject(o.detail, "sites", sites_to_json(p, profile, kind));
    observations_add(out->obs, o);
}

// A kind that was calibrated is told in any case: its 0 is a statement. The others are told where they were met, so
// that no sample is burdened with the uncertainty of what hardly any program does.
static bool is_told(const struct exit_profiler *p, const struct profile *profile, size_t kind) {
    return kind_counts(p, kind) && (kinds[kind].trap != TRAP_COUNT || tick_total(&profile->hits[kind]) > 0);
}

static void report_cost(struct exit_profiler *p, const struct profile *profile, struct collector_output *out) {
    if (profile->runs == 0)
        return;
    const double cost_s = tick_s(p, profile);
    struct observation o = {
        .cause = CAUSE_OBSERVER,
        .scope = SCOPE_CPU,
        .basis = BASIS_CALIBRATED,
        .count = profile->runs,
        .seconds = cost_s * tick_total(&profile->all),
        .detail = cJSON_CreateObject(),
    };
    json_add_string(o.detail, "source", "exit_profiler");
    json_add_double(o.detail, "tick_s", cost_s);
    json_add_double(o.detail, "period_s", p->period_s);
    observations_add(out->obs, o);
    p->period_s = tick_period(cost_s, BUDGET, PERIOD_S); // of the next sample
}

static void add_circumstances(const struct exit_profiler *p, const struct profile *profile,
                              struct collector_output *out) {
    cJSON *object = cJSON_AddObjectToObject(out->circumstances, "exit_profiler");
    json_add_double(object, "period_s", p->period_s);
    json_add_double(object, "ticks", tick_total(&profile->all));
    json_add_u64(object, "kernel_ticks", profile->kernel);
    json_add_u64(object, "missed_ticks", profile->missed);
    if (profile->overflow == 0)
        return;
    char *text = mem_printf(
        "exit_profiler: %llu ticks were at addresses beyond the %d that are kept: shares of exits "
        "are too low",
        (unsigned long long)profile->overflow, PROFILER_SITES);
    cJSON_AddItemToArray(out->notes, cJSON_CreateString(text));
    free(text);
}

static int exit_profiler_end(void *state, const struct sample_window *window, struct collector_output *out,
                             struct error *err) {
    struct exit_profiler *p = state;
    struct profile profile;
    (void)err;
    detach(p);
    process_watch_stop(p->watch);
    read_profile(p, window->cpus, &profile);
    add_circumstances(p, &profile, out);
    if (tick_total(&profile.all) > 0) {
        for (size_t k = 0; k < KINDS; k++) {
            if (is_told(p, &profile, k))
                report_kind(p, &profile, k, out);
        }
    }
    report_cost(p, &profile, out);
    release_sample(p);
    free(profile.sites);
    return 0;
}

const struct collector_ops collector_exit_profiler = {
    .abi = COLLECTOR_ABI,
    .name = "exit_profiler",
    .summary = "time behind trapping instructions (cpuid, ports, hypercalls), by a timer's ticks, and where",
    .in_timing = false,
    .perturbs = true, // its ticks are timer exits
    .open = exit_profiler_open,
    .begin = exit_profiler_begin,
    .end = exit_profiler_end,
    .close = exit_profiler_close,
};
