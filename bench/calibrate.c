// SPDX-License-Identifier: Apache-2.0
// Calibrates this subject's traps in a child process. See calibrate.h.
#include "bench/calibrate.h"

#include "bench/kernels/traps.h"
#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// Shares of the budget: what is slow or varies needs more.
static const double shares[TRAP_COUNT] = {
    [TRAP_SYSCALL] = 0.04,      [TRAP_CPUID] = 0.1,           [TRAP_RDTSC] = 0.04,    [TRAP_PAUSE] = 0.04,
    [TRAP_TIMER_ARM] = 0.12,    [TRAP_TIMER_WAKE] = 0.15,     [TRAP_IPI_PEER] = 0.1,  [TRAP_IPI_ALONE] = 0.04,
    [TRAP_TOUCH_BACKED] = 0.06, [TRAP_TOUCH_UNBACKED] = 0.15, [TRAP_DISK_READ] = 0.1,
};

// Shares for the second way, by regression.
static const double slope_shares[TRAP_COUNT] = {
    [TRAP_CPUID] = 0.05, [TRAP_TIMER_ARM] = 0.1, [TRAP_IPI_PEER] = 0.15, [TRAP_TOUCH_BACKED] = 0.03};

// What is cheap to measure again, where it leaves the guest: its price may move.
static bool worth_again(enum trap trap, const struct calibration *first) {
    bool cheap = trap == TRAP_CPUID || trap == TRAP_RDTSC || trap == TRAP_TIMER_ARM || trap == TRAP_IPI_PEER;
    return cheap && first->traps[trap].measured && first->traps[trap].exits;
}

static void measure_again(const cpu_set_t *cpus, double budget_s, const struct calibration *first,
                          struct calibration *out) {
    struct trap_series series = {.capacity = 1 << 16};
    int wanted = 0;
    for (int i = 0; i < TRAP_COUNT; i++)
        wanted += worth_again((enum trap)i, first);
    series.values = mem_alloc(series.capacity * sizeof *series.values);
    for (int i = 0; i < TRAP_COUNT; i++)
        if (worth_again((enum trap)i, first))
            trap_measure((enum trap)i, cpus, budget_s / wanted, &out->traps[i], &series);
        else
            out->traps[i].why = "not measured again";
    free(series.values);
}

static void measure_all(const cpu_set_t *cpus, double budget_s, struct calibration *out) {
    struct trap_series series = {.capacity = 1 << 16};
    struct clock_ticks ticks;
    double clock_s = 0.05 * budget_s;
    clock_calibrate(clock_s, &ticks);
    out->tsc_hz = ticks.hz;
    out->tsc_hz_se = ticks.hz_se;
    series.values = mem_alloc(series.capacity * sizeof *series.values);
    for (int i = 0; i < TRAP_COUNT; i++) {
        trap_measure((enum trap)i, cpus, shares[i] * budget_s, &out->traps[i], &series);
        trap_slope((enum trap)i, cpus, slope_shares[i] * budget_s, &out->traps[i]);
    }
    free(series.values);
}

// Waits for the child at most `limit_s`, then ends it. Its wait status.
static int finish(pid_t child, double limit_s) {
    int status = 0;
    int fd = pidfd_open(child, 0);
    struct pollfd event = {.fd = fd, .events = POLLIN};
    if (fd >= 0 && poll(&event, 1, (int)(limit_s * 1000)) == 0)
        kill(child, SIGKILL);
    if (fd >= 0)
        close(fd);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static int died(int status, struct error *err) {
    error_set(err, EXIT_CODE_INTERNAL, "measuring what traps cost here");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return error_why(err, "it did not end in time and was killed");
    if (WIFSIGNALED(status))
        return error_why(err, "the process that measures ended by signal %d (%s)", WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
    return error_why(err, "the process that measures ended with code %d", WEXITSTATUS(status));
}

static int in_a_child(const cpu_set_t *cpus, double budget_s, const struct calibration *first, struct calibration *out,
                      struct error *err) {
    *out = (struct calibration){0};
    struct calibration *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        error_set(err, EXIT_CODE_LACKS, "sharing memory with the process that measures traps");
        return error_why(err, "%s", strerror(errno));
    }
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent && first)
            measure_again(cpus, budget_s, first, shared);
        else if (getppid() == parent)
            measure_all(cpus, budget_s, shared);
        _exit(0);
    }
    int result = -1;
    if (child < 0) {
        error_set(err, EXIT_CODE_LACKS, "starting the process that measures traps");
        error_why(err, "%s", strerror(errno));
    } else {
        int status = finish(child, 10 + 5 * budget_s); // writing the file and a stolen CPU may take their time
        result = status == 0 ? 0 : died(status, err);
    }
    if (result == 0)
        *out = *shared; // `why` points to static text, which is at the same place in the child
    munmap(shared, sizeof *shared);
    return result;
}

int calibrate(const cpu_set_t *cpus, double budget_s, struct calibration *out, struct error *err) {
    return in_a_child(cpus, budget_s, NULL, out, err);
}

int calibrate_again(const cpu_set_t *cpus, double budget_s, const struct calibration *first, struct calibration *out,
                    struct error *err) {
    return in_a_child(cpus, budget_s, first, out, err);
}
