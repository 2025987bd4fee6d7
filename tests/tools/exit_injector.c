// SPDX-License-Identifier: Apache-2.0
// Spends a chosen share of its CPU time in VM exits, and tells the true share by its own clock: ground truth for the
// exit profiler. Usage: exit_injector KIND SHARE SECONDS, where KIND is
//   cpuid, hypercall   that instruction for SHARE (0..1) of the time, arithmetic for the rest
//   pio                the same with writes to port 0x80, which does nothing (needs root and no kernel lockdown)
//   pause, rdtsc       the same; nothing exits, where the hypervisor lets these through
//   barrier            OpenMP threads, of which all but one wait at a barrier
// SECONDS is CPU time of the main thread. Prints {"kind", "share", "cpu_s"}. Exits with 77 where the kind does not
// exist or is refused.
#include "core/arch.h"
#include "core/clock.h"
#include "core/memory.h"

#include <omp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <sys/io.h>
#endif
#include <time.h>
#include <unistd.h>

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void not_here(const char *why) {
    if (write(STDERR_FILENO, "exit_injector: ", 15) < 0 || write(STDERR_FILENO, why, strlen(why)) < 0 ||
        write(STDERR_FILENO, "\n", 1) < 0)
        _exit(1);
    _exit(77);
}

static void on_refusal(int number) {
    not_here(number == SIGILL ? "this processor does not have that instruction"
                              : "the processor refuses that instruction");
}

// Some 10 us of arithmetic without anything that could leave the guest.
static void compute(void) {
    uint64_t x = 88172645463325252U;
    for (int i = 0; i < 8000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    __asm__ volatile("" ::"r"(x));
}

// What an injected operation is: does it once and returns how many ticks of the counter it took.
typedef uint64_t operation(void);

#if defined(__x86_64__)
// The counter is read right before and right behind the instruction, without a call or an access to memory in between:
// what follows an exit finds caches cold, and that is not the exit.
#define OPERATION(name, instruction)                                                                                   \
    static uint64_t name(void) {                                                                                       \
        uint32_t begin;                                                                                                \
        uint32_t begin_high;                                                                                           \
        uint32_t end;                                                                                                  \
        uint32_t end_high;                                                                                             \
        __asm__ volatile("lfence\n\trdtsc\n\tmov %%eax, %0\n\tmov %%edx, %1\n\t" instruction "\n\trdtsc"               \
                         : "=&S"(begin), "=&D"(begin_high), "=&a"(end), "=&d"(end_high)                                \
                         :                                                                                             \
                         : "rbx", "rcx", "memory");                                                                    \
        return ((uint64_t)end_high << 32 | end) - ((uint64_t)begin_high << 32 | begin);                                \
    }

OPERATION(nothing, "")
OPERATION(cpuid, "xor %%eax, %%eax\n\txor %%ecx, %%ecx\n\tcpuid")
OPERATION(intel_hypercall, "mov $-1, %%rax\n\tvmcall") // unknown: the hypervisor returns an error
OPERATION(amd_hypercall, "mov $-1, %%rax\n\tvmmcall")
OPERATION(port, "out %%al, $0x80")
OPERATION(spin_pause, ".rept 100\n\tpause\n\t.endr")
OPERATION(spin_rdtsc, ".rept 100\n\trdtsc\n\t.endr")

static bool is_intel(void) {
    struct arch_cpuid r;
    arch_cpuid(0, 0, &r);
    return r.ebx == 0x756e6547; // "Genu"
}

static operation *find(const char *name) {
    static const struct {
        const char *name;
        operation *run;
    } kinds[] = {
        {"cpuid", cpuid}, {"hypercall", amd_hypercall}, {"pio", port}, {"pause", spin_pause}, {"rdtsc", spin_rdtsc}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        if (kinds[i].run == port && ioperm(0x80, 1, 1))
            not_here("port 0x80 is refused");
        return kinds[i].run == amd_hypercall && is_intel() ? intel_hypercall : kinds[i].run;
    }
    return NULL;
}
#else
static uint64_t nothing(void) {
    return 0;
}
static operation *find(const char *name) {
    (void)name;
    return NULL;
}
#endif

// Did an interrupt come since mark()? Returning from one to user mode clears a selector register that holds one of the
// null selectors 1 to 3 (Intel SDM vol. 2A, IRET); nothing else uses GS here.
#if defined(__x86_64__)
static void mark(void) {
    __asm__ volatile("mov %w0, %%gs" ::"r"(1));
}
static int interrupted(void) {
    unsigned selector;
    __asm__ volatile("mov %%gs, %0" : "=r"(selector));
    return selector != 1;
}
#else
static void mark(void) {}
static int interrupted(void) {
    return 0;
}
#endif

// Time in an operation without that of interrupts, which is the guest's own, and without gaps, which are the host's:
// each one is timed by itself, and those that were interrupted or took far longer count with the mean of the others.
struct stopwatch {
    double most;  // ticks: a longer one met a gap
    double ticks; // of the clean ones
    uint64_t clean;
    uint64_t all;
};

static void timed(operation *run, unsigned count, struct stopwatch *watch) {
    for (unsigned i = 0; i < count; i++) {
        mark();
        const uint64_t ticks = run();
        watch->all++;
        if (interrupted() || (double)ticks > watch->most)
            continue;
        watch->clean++;
        watch->ticks += (double)ticks;
    }
}

static double mean_ticks(const struct stopwatch *watch) {
    return watch->clean ? watch->ticks / (double)watch->clean : 0;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// The most that an operation takes: three times its median and 50 us.
static struct stopwatch stopwatch_for(operation *run, double hz) {
    enum { TRIALS = 201 };
    double times[TRIALS];
    for (int i = 0; i < TRIALS; i++)
        times[i] = (double)run();
    qsort(times, TRIALS, sizeof times[0], ascending);
    return (struct stopwatch){.most = 3 * times[TRIALS / 2] + 50e-6 * hz};
}

static double inject(operation *run, double share, double seconds, double *used) {
    struct clock_ticks clock;
    unsigned random = 1;
    double inside = 0;
    clock_calibrate(0.05, &clock);
    struct stopwatch reading = stopwatch_for(nothing, clock.hz); // the counter's own time is in each operation
    timed(nothing, 10000, &reading);
    struct stopwatch watch = stopwatch_for(run, clock.hz);
    const double start = cpu_s();
    double now = start;
    while (now - start < seconds) {
        if (inside < share * (now - start)) {
            random = random * 1103515245U + 12345U; // bursts of different lengths: no beat with the profiler's period
            timed(run, 16 + (random >> 16) % 64, &watch);
            inside = (mean_ticks(&watch) - mean_ticks(&reading)) * (double)watch.all / clock.hz;
        } else {
            compute();
        }
        now = cpu_s();
    }
    *used = now - start;
    return inside / *used;
}

static void wait_at_barriers(double seconds) {
    const double start = cpu_s();
    int done = 0;
#pragma omp parallel shared(done)
    while (!done) {
#pragma omp master
        {
            for (int i = 0; i < 100; i++)
                compute();
        }
#pragma omp barrier
#pragma omp master
        done = cpu_s() - start > seconds;
#pragma omp barrier
    }
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: exit_injector cpuid|hypercall|pio|pause|rdtsc|barrier SHARE SECONDS\n");
        return 2;
    }
    const double share = strtod(argv[2], NULL);
    const double seconds = strtod(argv[3], NULL);
    double truth = 0;
    double used = seconds;
    signal(SIGILL, on_refusal);
    signal(SIGSEGV, on_refusal);
    operation *run = find(argv[1]);
    if (run)
        truth = inject(run, share, seconds, &used);
    else if (strcmp(argv[1], "barrier") == 0)
        wait_at_barriers(seconds);
    else
        not_here("there is no such kind on this processor");
    printf("{\"kind\":\"%s\",\"share\":%.6f,\"cpu_s\":%.6f}\n", argv[1], truth, used);
    return 0;
}
