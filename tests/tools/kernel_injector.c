// SPDX-License-Identifier: Apache-2.0
// Makes a chosen number of operations of which the guest's kernel leaves the guest, among operations that are the same
// without it: ground truth for what times the kernel's exits. Usage: kernel_injector KIND COUNT TOTAL
//   timer   arms a timer and disarms it TOTAL times; COUNT of them are due before any other, so that the hardware is
//           programmed (200 us: other programs' timers, a millisecond apart, seldom come before)
//   ipi     membarrier(2) TOTAL times; a thread runs on another CPU during COUNT of them, so that it is interrupted
//   flush   touches a page and gives it back TOTAL times; a thread runs on another CPU during COUNT of them, so that
//           its TLB is flushed, too
//   touch   touches TOTAL pages for the first time; COUNT of them are new to this process, the others were given back
//           just before, by 8192 pages at a time, which are touched twice to begin with
// Prints {"kind", "count", "cpu_s"}: the CPU time of these operations; for touch, "count" is how many pages were slow:
// whether the host had backed a page is not ours to choose. Exits with 77 where the kind cannot be had.
#include "core/clock.h"
#include "core/memory.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096U

static void bind(const cpu_set_t *allowed, int which) {
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, allowed) && which-- == 0)
            CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

// CPU time of this thread: other programs on its CPU do not count.
static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct outcome {
    size_t count;
    double cpu_s;
};

static int no(const char *why) {
    fprintf(stderr, "kernel_injector: %s\n", why);
    exit(77);
}

static char *pages(size_t n) {
    char *memory = mmap(NULL, (n + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        no("not enough memory");
    madvise(memory, (n + 1) * PAGE, MADV_NOHUGEPAGE);
    return memory;
}

// --- timer ----------------------------------------------------------------------------------------------------------

static struct outcome timers(const cpu_set_t *allowed, size_t count, size_t total) {
    (void)allowed;
    static const struct itimerspec never;
    static const struct itimerspec soon = {.it_value = {.tv_nsec = 200000}};
    static const struct itimerspec late = {.it_value = {.tv_sec = 1000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (fd < 0)
        no("no timerfd");
    double begin = cpu_s();
    for (size_t i = 0; i < total; i++) {
        bool inject = i * count / total != (i + 1) * count / total; // spread evenly
        timerfd_settime(fd, 0, inject ? &soon : &late, NULL);
        timerfd_settime(fd, 0, &never, NULL);
    }
    double seconds = cpu_s() - begin;
    close(fd);
    return (struct outcome){count, seconds};
}

// --- ipi, flush -----------------------------------------------------------------------------------------------------

// For who waits for another CPU. An emulator that lets its CPUs take turns (QEMU's icount) goes on with the next one
// here, not at the end of a turn of milliseconds.
static void relax(void) {
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

struct peer {
    const cpu_set_t *allowed;
    atomic_bool stop;
    atomic_ulong rounds;
};

static void *spin(void *argument) {
    struct peer *peer = argument;
    bind(peer->allowed, 1);
    while (!atomic_load_explicit(&peer->stop, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&peer->rounds, 1, memory_order_relaxed);
        relax();
    }
    return NULL;
}

// Something that takes the other CPUs that run this process.
typedef void operation(void *page);

static void barrier(void *page) {
    (void)page;
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

static void give_back(void *page) {
    *(volatile char *)page = 1;
    madvise(page, PAGE, MADV_DONTNEED);
}

// Operations while the peer runs; NULL: without one. Their CPU time.
static double repeat(operation *act, char *page, size_t n, struct peer *peer) {
    double sum_s = 0;
    for (size_t i = 0; i < n; i++) {
        // A peer that something else keeps from running is not interrupted: waited for.
        unsigned long rounds = peer ? atomic_load_explicit(&peer->rounds, memory_order_relaxed) : 0;
        while (peer && atomic_load_explicit(&peer->rounds, memory_order_relaxed) == rounds)
            relax();
        double begin = cpu_s();
        act(page);
        sum_s += cpu_s() - begin;
    }
    return sum_s;
}

static struct outcome with_peer(operation *act, const cpu_set_t *allowed, size_t count, size_t total) {
    struct peer peer = {.allowed = allowed};
    char *page = pages(1);
    pthread_t thread;
    if (CPU_COUNT(allowed) < 2)
        no("it takes two CPUs");
    if (pthread_create(&thread, NULL, spin, &peer))
        no("no second thread");
    double sum_s = repeat(act, page, count, &peer);
    atomic_store(&peer.stop, true);
    pthread_join(thread, NULL);
    sum_s += repeat(act, page, total - count, NULL);
    return (struct outcome){count, sum_s};
}

static struct outcome ipis(const cpu_set_t *allowed, size_t count, size_t total) {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0)
        no("it takes membarrier");
    return with_peer(barrier, allowed, count, total);
}

static struct outcome flushes(const cpu_set_t *allowed, size_t count, size_t total) {
    return with_peer(give_back, allowed, count, total);
}

// --- touch ----------------------------------------------------------------------------------------------------------

static uint64_t touch_page(char *memory, size_t i) {
    uint64_t from = clock_now_ns();
    ((volatile char *)memory)[i * PAGE] = 1;
    return clock_now_ns() - from;
}

// CPU time of touching n pages; how many took longer than the limit is added to `slow`.
static double touch(char *memory, size_t n, uint64_t limit_ns, size_t *slow) {
    double begin = cpu_s();
    for (size_t i = 0; i < n; i++)
        *slow += touch_page(memory, i) > limit_ns;
    return cpu_s() - begin;
}

static int by_value(const void *a, const void *b) {
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

#define AGAIN 8192U // the kernel hands the same pages out again; more than caches hold, as with new ones

static double touch_timed(char *memory, uint64_t ns[AGAIN]) {
    double begin = cpu_s();
    for (size_t i = 0; i < AGAIN; i++)
        ns[i] = touch_page(memory, i);
    return cpu_s() - begin;
}

// What is longer is not a page that the host has backed: the median of backed ones and half of what it takes, at least,
// to leave the guest, back a page and come back.
static uint64_t slow_limit_ns(uint64_t backed_ns[AGAIN]) {
    enum { EXIT_NS = 6000 };
    qsort(backed_ns, AGAIN, sizeof *backed_ns, by_value);
    return backed_ns[AGAIN / 2] + EXIT_NS / 2;
}

// All touches are in the CPU time and in the count, also those of pages that are there to be given back: they may be
// slow, too.
static struct outcome touches(const cpu_set_t *allowed, size_t count, size_t total) {
    (void)allowed;
    static uint64_t first_ns[AGAIN];
    static uint64_t backed_ns[AGAIN];
    char *again = pages(AGAIN);
    char *fresh = pages(count);
    size_t slow = 0;
    memset(first_ns, 1, sizeof first_ns);
    memset(backed_ns, 1, sizeof backed_ns);
    double sum_s = touch_timed(again, first_ns);
    madvise(again, (size_t)AGAIN * PAGE, MADV_DONTNEED);
    sum_s += touch_timed(again, backed_ns);
    uint64_t limit_ns = slow_limit_ns(backed_ns);
    for (size_t i = 0; i < AGAIN; i++)
        slow += first_ns[i] > limit_ns;
    for (size_t left = total - count; left > 0;) {
        size_t now = left < AGAIN ? left : AGAIN;
        madvise(again, (size_t)AGAIN * PAGE, MADV_DONTNEED);
        sum_s += touch(again, now, limit_ns, &slow);
        left -= now;
    }
    sum_s += touch(fresh, count, limit_ns, &slow);
    return (struct outcome){slow, sum_s};
}

static const struct {
    const char *name;
    struct outcome (*run)(const cpu_set_t *allowed, size_t count, size_t total);
} kinds[] = {{"timer", timers}, {"ipi", ipis}, {"flush", flushes}, {"touch", touches}};

int main(int argc, char **argv) {
    size_t count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    size_t total = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (size_t i = 0; i < ARRAY_LEN(kinds) && count <= total && total > 0; i++) {
        if (strcmp(kinds[i].name, argv[1]) != 0)
            continue;
        bind(&allowed, 0);
        struct outcome found = kinds[i].run(&allowed, count, total);
        printf("{\"kind\":\"%s\",\"count\":%zu,\"cpu_s\":%.9f}\n", argv[1], found.count, found.cpu_s);
        return 0;
    }
    fprintf(stderr, "usage: kernel_injector timer|ipi|flush|touch COUNT TOTAL\n");
    return 2;
}
