// SPDX-License-Identifier: Apache-2.0
// perf_event_open by name, and the self-test. See pmu_events.h.
#include "collectors/pmu_events.h"

#include "core/arch.h"
#include "core/memory.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <linux/perf_event.h>
#include <math.h>
#include <perfmon/pfmlib_perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct pmu_software_event pmu_software[] = {
    {"perf::PERF_COUNT_SW_TASK_CLOCK", "pmu_task_clock_s", 1e-9},
    {"perf::PERF_COUNT_SW_CONTEXT_SWITCHES", "pmu_context_switches", 1},
    {"perf::PERF_COUNT_SW_CPU_MIGRATIONS", "pmu_cpu_migrations", 1},
    {"perf::PERF_COUNT_SW_PAGE_FAULTS", "pmu_page_faults", 1},
};
_Static_assert(ARRAY_LEN(pmu_software) == PMU_SOFTWARE_COUNT, "PMU_SOFTWARE_COUNT is wrong");

// --- encoding -----------------------------------------------------------------------------------------------------

// libpfm4 encodes for PMUs other than this machine's if it is told so by its environment. The programs that we start
// shall not inherit that.
static bool start_libpfm(void) {
    const char *before = getenv("LIBPFM_ENCODE_INACTIVE");
    if (!before)
        setenv("LIBPFM_ENCODE_INACTIVE", "1", 1);
    bool started = pfm_initialize() == PFM_SUCCESS; // does nothing from the second time on
    if (!before)
        unsetenv("LIBPFM_ENCODE_INACTIVE");
    return started;
}

static int encode(const char *name, bool user_only, struct perf_event_attr *attr) {
    pfm_perf_encode_arg_t arg = {.attr = attr, .size = sizeof arg};
    const int privileges = user_only ? PFM_PLM3 : PFM_PLM0 | PFM_PLM3;
    *attr = (struct perf_event_attr){.size = 0};
    if (!start_libpfm() || pfm_get_os_event_encoding(name, privileges, PFM_OS_PERF_EVENT, &arg) != PFM_SUCCESS)
        return -1;
    return 0;
}

bool pmu_can_encode(const char *name) {
    struct perf_event_attr attr;
    return encode(name, false, &attr) == 0;
}

// An arm64 PMU counts nothing for an event that it does not have, and says so: the kernel shows those that it has
// (PMCEID) under their architectural names, which are libpfm4's in lower case. Where it shows none, nothing is known.
static bool is_missing(const char *name) {
    const char *event = strstr(name, "::");
    if (strcmp(arch_name, "aarch64") != 0 || !event || strncmp(name, "perf", 4) == 0)
        return false;
    glob_t all = {0};
    glob_t found = {0};
    char *path = mem_printf("/sys/bus/event_source/devices/armv8_*/events/%s", event + 2);
    for (char *c = strrchr(path, '/'); *c; c++)
        *c = (char)tolower((unsigned char)*c);
    bool shows_events = glob("/sys/bus/event_source/devices/armv8_*/events/cpu_cycles", 0, NULL, &all) == 0;
    bool has = glob(path, 0, NULL, &found) == 0;
    globfree(&all);
    globfree(&found);
    free(path);
    return shows_events && !has;
}

// --- counting -----------------------------------------------------------------------------------------------------

// A leader waits for pmu_enable(): members that join a group that is counting already would never count.
static int open_attr(struct perf_event_attr *attr, pid_t pid, int cpu, int leader) {
    attr->size = sizeof *attr;
    attr->disabled = leader < 0;
    attr->read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    int fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, leader, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int pmu_open(const char *name, const struct pmu_target *target, int leader) {
    struct perf_event_attr attr;
    if (encode(name, target->user_only, &attr))
        return -ENOSYS;
    if (is_missing(name))
        return -ENOENT;
    attr.inherit = target->pid > 0;
    attr.exclude_hv = target->user_only;
    return open_attr(&attr, target->pid, target->cpu, leader);
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
    static const char *const names[] = {"perf::PERF_COUNT_HW_CPU_CYCLES", "perf::PERF_COUNT_HW_INSTRUCTIONS"};
    static const struct pmu_target self = {.pid = 0, .cpu = -1, .user_only = true};
    struct pmu_count counts[2] = {{0}};
    int fds[2] = {-1, -1};
    for (int i = 0; i < 2; i++) {
        fds[i] = pmu_open(names[i], &self, i ? fds[0] : -1);
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

// --- the reference clock ------------------------------------------------------------------------------------------

// The rate in one loop of about a millisecond.
static double rate_once(int fd) {
    enum { ROUNDS = 20000 };
    struct pmu_count before = {0};
    struct pmu_count after = {0};
    const uint64_t start = arch_ticks();
    if (pmu_read(fd, &before))
        return NAN;
    run_chain(ROUNDS);
    if (pmu_read(fd, &after))
        return NAN;
    const uint64_t ticks = arch_ticks() - start;
    return ticks ? (after.value - before.value) / (double)ticks : NAN;
}

double pmu_reference_rate(const char *name) {
    enum { TIMES = 10 };
    static const struct pmu_target self = {.pid = 0, .cpu = -1};
    double most = NAN;
    int fd = pmu_open(name, &self, -1);
    if (fd < 0)
        return NAN;
    pmu_enable(fd);
    for (int i = 0; i < TIMES; i++)
        most = fmax(most, rate_once(fd)); // fmax() prefers a number to NaN
    close(fd);
    return most;
}
