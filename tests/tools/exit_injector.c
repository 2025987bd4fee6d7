// SPDX-License-Identifier: Apache-2.0
// Spends a chosen share of its CPU time in VM exits, and tells the true share by its own clock: ground truth for the
// exit profiler. Usage: exit_injector KIND SHARE SECONDS, where KIND is
//   cpuid, hypercall   that instruction for SHARE (0..1) of the time, arithmetic for the rest
//   pio                the same with writes to port 0x80, which does nothing (needs root and no kernel lockdown)
//   devport            the same done by the kernel, through /dev/port; what the system call takes without it (a write
//   to
//                      /dev/null) is not counted
//   pause, rdtsc       the same; nothing exits, where the hypervisor lets these through
//   barrier            OpenMP threads, of which all but one wait at a barrier
// SECONDS is CPU time of the main thread. Prints {"kind", "share", "cpu_s"}. Exits with 77 where the kind does not
// exist or is refused.
#include "core/arch.h"
#include "core/clock.h"
#include "core/memory.h"

#include <fcntl.h>
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
                              : "the processor refuses that instruction"); // emulated ones do not look at ioperm()
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

#if defined(__x86_64__)
static void port(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        __asm__ volatile("outb %b0, $0x80" ::"a"(0));
}

// To ports 0x80 to 0x87 (pages of a DMA controller that nobody uses): one after the other, so that what the system call
// does on pages that it finds cold after an exit is little beside the exits.
static void put_bytes(int fd) {
    static const char bytes[8];
    if (pwrite(fd, bytes, sizeof bytes, 0x80) != sizeof bytes)
        not_here("/dev/port does not take what is written");
}

static void kernel_port(unsigned count) {
    static int fd = -1;
    if (fd < 0 && (fd = open("/dev/port", O_WRONLY)) < 0)
        not_here("/dev/port cannot be opened");
    for (unsigned i = 0; i < count; i++)
        put_bytes(fd);
}

static void no_port(unsigned count) {
    static int fd = -1;
    if (fd < 0 && (fd = open("/dev/null", O_WRONLY)) < 0)
        not_here("/dev/null cannot be opened");
    for (unsigned i = 0; i < count; i++)
        put_bytes(fd);
}

static void cpuid(unsigned count) {
    struct arch_cpuid r;
    for (unsigned i = 0; i < count; i++)
        arch_cpuid(0, 0, &r);
}

// Unknown calls: the hypervisor returns an error. Intel and AMD have an instruction each.
static void intel_hypercall(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        long number = -1;
        __asm__ volatile("vmcall" : "+a"(number)::"memory");
    }
}

static void amd_hypercall(unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        long number = -1;
        __asm__ volatile("vmmcall" : "+a"(number)::"memory");
    }
}

static void spin_pause(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        __asm__ volatile("pause");
}

static void spin_rdtsc(unsigned count) {
    for (unsigned i = 0; i < count; i++)
        __asm__ volatile("rdtsc" ::: "rax", "rdx");
}

static const struct {
    const char *name;
    void (*run)(unsigned count);
    unsigned burst; // at least; a fraction of a millisecond
} injected[] = {{"cpuid", cpuid, 16},        {"hypercall", amd_hypercall, 16}, {"pio", port, 16},
                {"devport", kernel_port, 4}, {"pause", spin_pause, 200},       {"rdtsc", spin_rdtsc, 200}};

static void (*find(const char *name, unsigned *burst))(unsigned) {
    for (size_t i = 0; i < ARRAY_LEN(injected); i++) {
        if (strcmp(injected[i].name, name) == 0) {
            struct arch_cpuid r;
            arch_cpuid(0, 0, &r);
            if (injected[i].run == port && ioperm(0x80, 1, 1))
                not_here("port 0x80 is refused");
            *burst = injected[i].burst;
            const int intel = r.ebx == 0x756e6547; // "Genu"
            return intel && injected[i].run == amd_hypercall ? intel_hypercall : injected[i].run;
        }
    }
    return NULL;
}
#else
static void (*find(const char *name, unsigned *burst))(unsigned) {
    (void)name;
    *burst = 0;
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

static void timed(void (*run)(unsigned), unsigned count, struct stopwatch *watch) {
    for (unsigned i = 0; i < count; i++) {
        mark();
        const uint64_t before = arch_ticks();
        run(1);
        const uint64_t after = arch_ticks();
        watch->all++;
        if (interrupted() || (double)(after - before) > watch->most)
            continue;
        watch->clean++;
        watch->ticks += (double)(after - before);
    }
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// A stopwatch for an operation: three times its median and 50 us are the most that it takes.
static struct stopwatch stopwatch_for(void (*run)(unsigned), double hz) {
    enum { TRIALS = 201 };
    double times[TRIALS];
    for (int i = 0; i < TRIALS; i++) {
        const uint64_t before = arch_ticks();
        run(1);
        times[i] = (double)(arch_ticks() - before);
    }
    qsort(times, TRIALS, sizeof times[0], ascending);
    return (struct stopwatch){.most = 3 * times[TRIALS / 2] + 50e-6 * hz};
}

static double inject(void (*run)(unsigned), unsigned burst, double share, double seconds, double *used) {
    struct clock_ticks clock;
    unsigned random = 1;
    double inside = 0;
    double around = 0; // ticks of an operation that are not the exit's
    clock_calibrate(0.05, &clock);
    struct stopwatch watch = stopwatch_for(run, clock.hz);
    if (run == kernel_port) {
        struct stopwatch call = stopwatch_for(no_port, clock.hz);
        timed(no_port, 2000, &call);
        around = call.ticks / (double)call.clean;
    }
    const double start = cpu_s();
    double now = start;
    while (now - start < seconds) {
        if (inside < share * (now - start)) {
            random = random * 1103515245U + 12345U; // bursts of different lengths: no beat with the profiler's period
            timed(run, burst + (random >> 16) % (4 * burst), &watch);
            inside = watch.clean ? (watch.ticks / (double)watch.clean - around) * (double)watch.all / clock.hz : 0;
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
        fprintf(stderr, "usage: exit_injector cpuid|hypercall|pio|devport|pause|rdtsc|barrier SHARE SECONDS\n");
        return 2;
    }
    const double share = strtod(argv[2], NULL);
    const double seconds = strtod(argv[3], NULL);
    double truth = 0;
    double used = seconds;
    unsigned burst = 0;
    signal(SIGILL, on_refusal);
    signal(SIGSEGV, on_refusal);
    void (*run)(unsigned) = find(argv[1], &burst);
    if (run)
        truth = inject(run, burst, share, seconds, &used);
    else if (strcmp(argv[1], "barrier") == 0)
        wait_at_barriers(seconds);
    else
        not_here("there is no such kind on this processor");
    printf("{\"kind\":\"%s\",\"share\":%.6f,\"cpu_s\":%.6f}\n", argv[1], truth, used);
    return 0;
}
