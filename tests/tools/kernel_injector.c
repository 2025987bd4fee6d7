// SPDX-License-Identifier: Apache-2.0
// Makes a chosen number of operations of which the guest's kernel leaves the guest, among operations that are the same
// without it: ground truth for what times the kernel's exits. Usage: kernel_injector KIND COUNT TOTAL
//   timer   arms a timer and disarms it TOTAL times; COUNT of them are due before any other, so that the hardware is
//           programmed
//   ipi     membarrier(2) TOTAL times; a thread runs on another CPU during COUNT of them, so that it is interrupted
//   touch   touches TOTAL pages for the first time; COUNT of them are new to this process, the others were given back
//           just before
// Prints {"kind", "count", "wall_s"}: the time of these operations; for touch, "count" is how many pages were slow:
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

static int no(const char *why) {
    fprintf(stderr, "kernel_injector: %s\n", why);
    exit(77);
}

// --- timer ----------------------------------------------------------------------------------------------------------

static double timers(const cpu_set_t *allowed, size_t *count, size_t total) {
    (void)allowed;
    static const struct itimerspec never;
    static const struct itimerspec soon = {.it_value = {.tv_nsec = 900000}};
    static const struct itimerspec late = {.it_value = {.tv_sec = 1000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (fd < 0)
        no("no timerfd");
    uint64_t begin = clock_now_ns();
    for (size_t i = 0; i < total; i++) {
        bool inject = i * *count / total != (i + 1) * *count / total; // spread evenly
        timerfd_settime(fd, 0, inject ? &soon : &late, NULL);
        timerfd_settime(fd, 0, &never, NULL);
    }
    double wall_s = (double)(clock_now_ns() - begin) * 1e-9;
    close(fd);
    return wall_s;
}

// --- ipi ------------------------------------------------------------------------------------------------------------

struct peer {
    const cpu_set_t *allowed;
    atomic_bool stop;
    atomic_ulong rounds;
};

static void *spin(void *argument) {
    struct peer *peer = argument;
    bind(peer->allowed, 1);
    while (!atomic_load_explicit(&peer->stop, memory_order_relaxed))
        atomic_fetch_add_explicit(&peer->rounds, 1, memory_order_relaxed);
    return NULL;
}

// One membarrier; its seconds.
static double barrier(void) {
    uint64_t begin = clock_now_ns();
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    return (double)(clock_now_ns() - begin) * 1e-9;
}

static double ipis(const cpu_set_t *allowed, size_t *count, size_t total) {
    struct peer peer = {.allowed = allowed};
    pthread_t thread;
    double wall_s = 0;
    if (CPU_COUNT(allowed) < 2 || syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0)
        no("it takes two CPUs and membarrier");
    if (pthread_create(&thread, NULL, spin, &peer))
        no("no second thread");
    for (size_t done = 0; done < *count;) {
        unsigned long rounds = atomic_load_explicit(&peer.rounds, memory_order_relaxed);
        double seconds = barrier();
        // A peer that is not running is not interrupted.
        if (atomic_load_explicit(&peer.rounds, memory_order_relaxed) == rounds)
            continue;
        wall_s += seconds;
        done++;
    }
    atomic_store(&peer.stop, true);
    pthread_join(thread, NULL);
    for (size_t i = *count; i < total; i++)
        wall_s += barrier();
    return wall_s;
}

// --- touch ----------------------------------------------------------------------------------------------------------

static char *pages(size_t n) {
    char *memory = mmap(NULL, (n + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        no("not enough memory");
    madvise(memory, (n + 1) * PAGE, MADV_NOHUGEPAGE);
    return memory;
}

static double touch(char *memory, size_t n, size_t *slow) {
    enum { SLOW_NS = 8000 }; // a page that the host has backed takes 1 to 2 us
    double wall_s = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t begin = clock_now_ns();
        ((volatile char *)memory)[i * PAGE] = 1;
        uint64_t ns = clock_now_ns() - begin;
        *slow += ns > SLOW_NS;
        wall_s += (double)ns * 1e-9;
    }
    return wall_s;
}

static double touches(const cpu_set_t *allowed, size_t *count, size_t total) {
    (void)allowed;
    enum { AGAIN = 1024 }; // few, so that the kernel hands the same pages out again
    char *again = pages(AGAIN);
    char *fresh = pages(*count);
    size_t slow = 0;
    size_t ignored = 0;
    double wall_s = 0;
    memset(again, 1, (size_t)AGAIN * PAGE);
    for (size_t left = total - *count; left > 0;) {
        size_t now = left < AGAIN ? left : AGAIN;
        madvise(again, (size_t)AGAIN * PAGE, MADV_DONTNEED);
        wall_s += touch(again, now, &ignored);
        left -= now;
    }
    wall_s += touch(fresh, *count, &slow);
    *count = slow;
    return wall_s;
}

static const struct {
    const char *name;
    double (*run)(const cpu_set_t *allowed, size_t *count, size_t total);
} kinds[] = {{"timer", timers}, {"ipi", ipis}, {"touch", touches}};

int main(int argc, char **argv) {
    size_t count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    size_t total = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (size_t i = 0; i < ARRAY_LEN(kinds) && count <= total && total > 0; i++) {
        if (strcmp(kinds[i].name, argv[1]) != 0)
            continue;
        bind(&allowed, 0);
        double wall_s = kinds[i].run(&allowed, &count, total);
        printf("{\"kind\":\"%s\",\"count\":%zu,\"wall_s\":%.9f}\n", argv[1], count, wall_s);
        return 0;
    }
    fprintf(stderr, "usage: kernel_injector timer|ipi|touch COUNT TOTAL\n");
    return 2;
}
