// SPDX-License-Identifier: Apache-2.0
// perf_event_open by name, and the self-test. See pmu_events.h.
#include "collectors/pmu_events.h"

#include "core/memory.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <perfmon/pfmlib_perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The first of each kind leads its group.
const struct pmu_event pmu_events[] = {
    {"PERF_COUNT_HW_CPU_CYCLES", "pmu_cycles", 1, true},
    {"PERF_COUNT_HW_INSTRUCTIONS", "pmu_instructions", 1, true},
    {"PERF_COUNT_HW_REF_CPU_CYCLES", "pmu_ref_cycles", 1, true},
    {"PERF_COUNT_HW_CACHE_MISSES", "pmu_llc_misses", 1, true},
    {"PERF_COUNT_SW_TASK_CLOCK", "pmu_task_clock_s", 1e-9, false},
    {"PERF_COUNT_SW_CONTEXT_SWITCHES", "pmu_context_switches", 1, false},
    {"PERF_COUNT_SW_CPU_MIGRATIONS", "pmu_cpu_migrations", 1, false},
    {"PERF_COUNT_SW_PAGE_FAULTS", "pmu_page_faults", 1, false},
};
_Static_assert(ARRAY_LEN(pmu_events) == PMU_EVENT_COUNT, "PMU_EVENT_COUNT is wrong");

// A leader waits for pmu_enable(): members that join a group that is counting already would never count.
static int open_attr(struct perf_event_attr *attr, pid_t pid, int cpu, int leader) {
    attr->size = sizeof *attr;
    attr->disabled = leader < 0;
    attr->read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    int fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, leader, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int encode(const char *name, int privileges, struct perf_event_attr *attr) {
    pfm_perf_encode_arg_t arg = {.attr = attr, .size = sizeof arg};
    if (pfm_initialize() != PFM_SUCCESS)
        return -1;
    *attr = (struct perf_event_attr){0};
    return pfm_get_os_event_encoding(name, privileges, PFM_OS_PERF_EVENT, &arg) == PFM_SUCCESS ? 0 : -1;
}

int pmu_open(const struct pmu_event *event, pid_t pid, int cpu, int leader) {
    struct perf_event_attr attr;
    if (encode(event->name, PFM_PLM0 | PFM_PLM3, &attr))
        return -ENOSYS;
    attr.inherit = pid > 0;
    int fd = open_attr(&attr, pid, cpu, leader);
    if (fd != -EACCES || pid < 0)
        return fd;
    attr.exclude_kernel = 1; // perf_event_paranoid 2: user mode only
    attr.exclude_hv = 1;
    return open_attr(&attr, pid, cpu, leader);
}

int pmu_enable(int leader) {
    return ioctl(leader, PERF_EVENT_IOC_ENABLE, 0) ? -errno : 0;
}

int pmu_read(int fd, struct pmu_count *out) {
    uint64_t v[3]; // value, time enabled, time running
    if (read(fd, v, sizeof v) != sizeof v)
        return -(errno ? errno : EIO);
    out->running_share = v[1] ? (double)v[2] / (double)v[1] : 1;
    out->value = v[2] ? (double)v[0] * ((double)v[1] / (double)v[2]) : 0;
    return 0;
}

// --- the self-test ------------------------------------------------------------------------------------------------

bool pmu_loop_believable(const struct pmu_loop *loop, char *why, size_t size) {
    const struct {
        const char *what;
        double expected, counted;
    } rows[] = {
        {"instructions", loop->expected_instructions, loop->instructions},
        {"cycles", loop->expected_cycles, loop->cycles},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (fabs(rows[i].counted - rows[i].expected) <= 0.1 * rows[i].expected)
            continue;
        snprintf(why, size, "the PMU lies: a loop of %.3g %s was counted as %.3g", rows[i].expected, rows[i].what,
                 rows[i].counted);
        return false;
    }
    return true;
}

// A chain of instructions that each take one cycle and wait for the one before (bitwise NOT: no processor renames or
// fuses it away), 100 in a round, so that the loop's own two or three are in the noise.
#define CHAIN 100

static void run_chain(uint64_t rounds) {
    uint64_t x = 1;
#if defined(__x86_64__)
    __asm__ volatile("1: .rept 100\n not %0\n .endr\n dec %1\n jnz 1b" : "+r"(x), "+r"(rounds) : : "cc");
#elif defined(__aarch64__)
    __asm__ volatile("1: .rept 100\n mvn %0, %0\n .endr\n subs %1, %1, #1\n b.ne 1b" : "+r"(x), "+r"(rounds) : : "cc");
#else
    (void)x;
    (void)rounds;
#endif
}

// 1: counted. 0: no such counters, error in *error.
static int count_chain(uint64_t rounds, struct pmu_loop *loop, int *error) {
    struct perf_event_attr attr;
    struct pmu_count counts[2] = {{0}};
    int fds[2] = {-1, -1};
    for (int i = 0; i < 2; i++) {
        fds[i] = encode(pmu_events[i].name, PFM_PLM3, &attr) ? -ENOSYS : open_attr(&attr, 0, -1, i ? fds[0] : -1);
        if (fds[i] >= 0)
            continue;
        *error = -fds[i];
        if (i == 1)
            close(fds[0]);
        return 0;
    }
    pmu_enable(fds[0]);
    run_chain(rounds);
    for (int i = 0; i < 2; i++) {
        pmu_read(fds[i], &counts[i]);
        close(fds[i]);
    }
    *loop = (struct pmu_loop){
        .expected_instructions = (CHAIN + 2) * (double)rounds,
        .expected_cycles = CHAIN * (double)rounds,
        .cycles = counts[0].value,
        .instructions = counts[1].value,
    };
    return 1;
}

bool pmu_self_test(char *why, size_t why_size, char *hint, size_t hint_size) {
    enum { ROUNDS = 100000 }; // 10^7 cycles: a few milliseconds
    struct pmu_loop loop = {0};
    int error = 0;
    if (count_chain(ROUNDS, &loop, &error)) {
        if (pmu_loop_believable(&loop, why, why_size))
            return true;
        snprintf(hint, hint_size, "ask the provider for a working virtual PMU; bare-metal instances have the real one");
        return false;
    }
    snprintf(why, why_size, "no hardware counters (perf_event_open: %s)", strerror(error));
    if (error == EACCES || error == EPERM)
        snprintf(hint, hint_size, "run as root, or: sysctl kernel.perf_event_paranoid=1");
    else
        snprintf(hint, hint_size, "a host that gives the guest a virtual PMU (QEMU: -cpu host,pmu=on), or bare metal");
    return false;
}
