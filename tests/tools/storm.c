// SPDX-License-Identifier: Apache-2.0
// A fixed piece of work, with a known number of events in it that leave a guest: ground truth for hosts and guests
// alike. Linked statically, so that the same file runs on a KVM host and in its guest.
//
//   storm KIND EACH UNITS     UNITS units of some 0.5 ms of arithmetic; with each unit EACH events of KIND:
//       none     no events
//       cpuid    CPUID instructions
//       timer    expiries of a timer, spread over the unit: each is set 50 us ahead
//       ipi      page faults of which perf notifies itself by an interrupt: the CPU sends itself an IPI (needs root)
//
// Prints {"kind","events","wall_s"} to standard output. Exits with 77 where the kind is refused.
#include <cpuid.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t expired;

#define ROUNDS_OF_UNIT 100000
#define TIMER_NS       50000 // shorter than a unit's share of one timer

struct storm {
    unsigned each;
    uint64_t events;
    char *page;
    struct perf_event_mmap_page *ring;
    timer_t timer;
};

static void work(unsigned rounds) {
    uint64_t x = 88172645463325252U;
    for (unsigned i = 0; i < rounds; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    __asm__ volatile("" ::"r"(x));
}

static int begin_none(struct storm *s) {
    (void)s;
    return 0;
}

static void unit_none(struct storm *s) {
    (void)s;
    work(ROUNDS_OF_UNIT);
}

static void unit_cpuid(struct storm *s) {
    unsigned a, b, c, d;
    work(ROUNDS_OF_UNIT);
    for (unsigned i = 0; i < s->each; i++)
        __cpuid(0, a, b, c, d);
    s->events += s->each;
}

static void on_expiry(int number) {
    (void)number;
    expired++;
}

static int begin_timer(struct storm *s) {
    struct sigaction action = {.sa_handler = on_expiry, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    return timer_create(CLOCK_MONOTONIC, NULL, &s->timer);
}

static void unit_timer(struct storm *s) {
    const struct itimerspec soon = {.it_value = {.tv_nsec = TIMER_NS}};
    for (unsigned i = 0; i < s->each; i++) {
        timer_settime(s->timer, 0, &soon, NULL);
        work(ROUNDS_OF_UNIT / s->each);
    }
}

// A software event of each page fault that wants a reader woken each time.
static int begin_ipi(struct storm *s) {
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof attr,
                                   .config = PERF_COUNT_SW_PAGE_FAULTS,
                                   .sample_period = 1,
                                   .wakeup_events = 1};
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    void *ring = fd < 0 ? MAP_FAILED : mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    s->page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    s->ring = ring;
    return ring == MAP_FAILED || s->page == MAP_FAILED ? -1 : 0;
}

static void unit_ipi(struct storm *s) {
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    work(ROUNDS_OF_UNIT);
    for (unsigned i = 0; i < s->each; i++) {
        madvise(s->page, size, MADV_DONTNEED);
        *(volatile char *)s->page = 1;
        s->ring->data_tail = s->ring->data_head; // read: a full ring would notify nobody
    }
    s->events += s->each;
}

static const struct kind {
    const char *name;
    int (*begin)(struct storm *s); // 0, or -1 where it is refused
    void (*unit)(struct storm *s);
} kinds[] = {
    {"none", begin_none, unit_none},
    {"cpuid", begin_none, unit_cpuid},
    {"timer", begin_timer, unit_timer},
    {"ipi", begin_ipi, unit_ipi},
};

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    const struct kind *kind = NULL;
    for (size_t i = 0; argc == 4 && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(argv[1], kinds[i].name) == 0)
            kind = &kinds[i];
    struct storm s = {.each = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0};
    if (!kind || (s.each == 0 && strcmp(kind->name, "timer") == 0)) {
        fprintf(stderr, "usage: storm none|cpuid|timer|ipi EACH UNITS\n");
        return 2;
    }
    if (kind->begin(&s)) {
        perror("storm");
        return 77;
    }
    double begin = now_s();
    for (unsigned long n = strtoul(argv[3], NULL, 10); n > 0; n--) {
        kind->unit(&s);
    }
    printf("{\"kind\":\"%s\",\"events\":%llu,\"wall_s\":%.6f}\n", kind->name,
           (unsigned long long)s.events + (unsigned long long)expired, now_s() - begin);
    return 0;
}
