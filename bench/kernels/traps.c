// SPDX-License-Identifier: Apache-2.0
// Measures traps. See traps.h for what the figures mean.
#include "bench/kernels/traps.h"

#include "bench/kernels/distribution.h"
#include "bench/kernels/kernels.h"
#include "core/arch.h"
#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define PAGE        4096U
#define MIN_SAMPLES 30U // fewer do not make batch means

// Thresholds of `exits`, in seconds. An exit and entry with nothing in between takes 1000 cycles and more on current
// processors (facts: CPUID exit 3000 to 6000 cycles in Linux commit b0b6a8d3be16), 250 ns at 4 GHz; the natively
// slowest of the instructions, CPUID, 60 to 120 ns. Writing the TSC deadline or the local APIC's count natively takes
// 50 to 200 ns. A function-call IPI and its acknowledgement between cores of one package take 1 to 2 us natively.
#define INSTRUCTION_EXITS_S 250e-9
#define TIMER_ARM_EXITS_S   400e-9
#define IPI_EXITS_S         2.5e-6

// One measurement in progress.
struct session {
    enum trap trap;
    const cpu_set_t *cpus;
    struct trap_series *series;
    uint64_t begin_ns;  // clock and counter when it began
    uint64_t begin;     //
    uint64_t end_ns;    // when the time is up
    double seconds;     // per unit of the values: they are collected in ticks where the counter timed them
    double empty;       // ticks between two readings with nothing in between
    double native_s;    // found on the way
    const char *reason; // why nothing was measured
};

// The counter, or the system's clock where there is none: all that matters is that both ends use the same.
static uint64_t now(void) {
    uint64_t ticks = arch_ticks();
    return ticks ? ticks : clock_raw_ns();
}

static bool more(const struct session *s) {
    return s->series->count < s->series->capacity && clock_raw_ns() < s->end_ns;
}

static void push(struct session *s, double value) {
    if (s->series->count < s->series->capacity)
        s->series->values[s->series->count++] = value;
}

// How long a unit of the counter is, from all that has passed since the measurement began.
static double seconds_per_tick(const struct session *s) {
    return (double)(clock_raw_ns() - s->begin_ns) * 1e-9 / (double)(now() - s->begin);
}

// Longer than this and the host took the CPU away: traps.h, "The mean". In the unit of `median`.
static double long_value(double median, double seconds_per_unit) {
    return 20 * median + 50e-6 / seconds_per_unit;
}

static double empty_pair(void) {
    double values[255];
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        uint64_t begin = now();
        values[i] = (double)(now() - begin);
    }
    return distribution_quantile(values, ARRAY_LEN(values), 0.5);
}

// --- instructions and system calls ----------------------------------------------------------------------------------

static void measure_instruction(struct session *s) {
    unsigned group = s->trap == TRAP_CPUID ? 1 : 64;
    trap_instruction execute = traps_instruction(s->trap, &s->reason);
    if (!execute)
        return;
    while (more(s)) {
        uint64_t begin = now();
        execute(group);
        push(s, ((double)(now() - begin) - s->empty) / group);
    }
}

static void measure_syscall(struct session *s) {
    enum { GROUP = 16 };
    while (more(s)) {
        uint64_t begin = now();
        for (int i = 0; i < GROUP; i++)
            syscall(SYS_getppid);
        push(s, ((double)(now() - begin) - s->empty) / GROUP);
    }
}

// --- timer ----------------------------------------------------------------------------------------------------------

// Arms a timer and takes it back. Both program the hardware if the timer is the CPU's earliest one: for its expiry,
// then for what is due next.
static double timed_arm(int fd, const struct itimerspec *when) {
    static const struct itimerspec never;
    uint64_t begin = now();
    timerfd_settime(fd, 0, when, NULL);
    timerfd_settime(fd, 0, &never, NULL);
    return (double)(now() - begin);
}

// Takes the mean cost of a later timer out of each earlier one, interrupts that hit either included, so that they
// cancel; half of what is left is one programming. 100 us is not the earliest expiry where another timer or the tick is
// due before: such an arming does not program the hardware and shows no difference. Those below a quarter of the upper
// quartile are left out for that.
static void keep_programmed(struct session *s, const double *later) {
    double *earlier = s->series->values;
    size_t n = s->series->count;
    double limit = long_value(distribution_quantile(later, n, 0.5), seconds_per_tick(s));
    double mean = distribution_of(later, n, limit).mean;
    double threshold = (distribution_quantile(earlier, n, 0.75) - mean) / 4;
    s->series->count = 0;
    for (size_t i = 0; i < n; i++)
        if (earlier[i] - mean > threshold)
            push(s, (earlier[i] - mean) / 2);
}

// The kernel programs the hardware only for the earliest timer of a CPU.
static void measure_timer_arm(struct session *s) {
    static const struct itimerspec soon = {.it_value = {.tv_nsec = 100000}};
    static const struct itimerspec late = {.it_value = {.tv_sec = 100}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (fd < 0) {
        s->reason = "the kernel has no timerfd";
        return;
    }
    double *later = mem_alloc(s->series->capacity * sizeof *later);
    while (more(s)) {
        later[s->series->count] = timed_arm(fd, &late);
        push(s, timed_arm(fd, &soon));
    }
    if (s->series->count >= MIN_SAMPLES)
        keep_programmed(s, later);
    free(later);
    close(fd);
}

static void measure_timer_wake(struct session *s) {
    enum { SLEEP_NS = 200000 };
    prctl(PR_SET_TIMERSLACK, 1UL); // the default lets the kernel be 50 us late
    s->seconds = 1e-9;
    while (more(s)) {
        uint64_t due = clock_now_ns() + SLEEP_NS;
        struct timespec at = {.tv_sec = (time_t)(due / 1000000000U), .tv_nsec = (long)(due % 1000000000U)};
        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == 0)
            push(s, (double)(clock_now_ns() - due));
    }
}

// --- IPI ------------------------------------------------------------------------------------------------------------

struct peer {
    const cpu_set_t *cpus;
    atomic_bool stop;
    atomic_ulong rounds; // how often it went round its loop: stands still while the peer is not running
};

// Spins without PAUSE, which may leave the guest.
static void *spin(void *argument) {
    struct peer *peer = argument;
    kernel_bind(peer->cpus, 1);
    while (!atomic_load_explicit(&peer->stop, memory_order_relaxed))
        atomic_fetch_add_explicit(&peer->rounds, 1, memory_order_relaxed);
    return NULL;
}

static int membarrier(int command) {
    return (int)syscall(SYS_membarrier, command, 0, 0);
}

static void measure_ipi_peer(struct session *s) {
    struct peer peer = {.cpus = s->cpus};
    pthread_t thread;
    if (CPU_COUNT(s->cpus) < 2) {
        s->reason = "there is only one CPU";
        return;
    }
    if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) < 0 || pthread_create(&thread, NULL, spin, &peer) != 0) {
        s->reason = "membarrier or a second thread was refused";
        return;
    }
    while (more(s)) {
        unsigned long rounds = atomic_load_explicit(&peer.rounds, memory_order_relaxed);
        uint64_t begin = now();
        membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        double ticks = (double)(now() - begin) - s->empty;
        // No IPI is sent to a peer that is not running.
        if (atomic_load_explicit(&peer.rounds, memory_order_relaxed) != rounds)
            push(s, ticks);
    }
    atomic_store(&peer.stop, true);
    pthread_join(thread, NULL);
}

static void measure_ipi_alone(struct session *s) {
    if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) < 0) {
        s->reason = "the kernel has no membarrier";
        return;
    }
    while (more(s)) {
        uint64_t begin = now();
        membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        push(s, (double)(now() - begin) - s->empty);
    }
}

// --- memory ---------------------------------------------------------------------------------------------------------

static char *map_small_pages(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    return memory;
}

static double timed_touch(const struct session *s, char *page) {
    uint64_t begin = now();
    *(volatile char *)page = 1;
    return (double)(now() - begin) - s->empty;
}

// The pages that were given back last are the ones the kernel hands out next, so a small region that is touched, given
// back and touched again gets pages that the guest has used before, and the host has backed.
static void touch_backed(struct session *s, uint64_t end_ns, size_t count) {
    enum { BYTES = 4 << 20 };
    char *memory = map_small_pages(BYTES);
    if (!memory) {
        s->reason = "4 MiB of memory were refused";
        return;
    }
    memset(memory, 1, BYTES);
    while (clock_raw_ns() < end_ns && s->series->count < count) {
        madvise(memory, BYTES, MADV_DONTNEED);
        for (size_t at = 0; at < BYTES; at += PAGE)
            push(s, timed_touch(s, memory + at));
    }
    munmap(memory, BYTES);
}

static void measure_touch_backed(struct session *s) {
    touch_backed(s, s->end_ns, s->series->capacity);
}

// Only the pages that stand out are kept: slower than 95 % of the backed ones by 2 us and more (a stage-2 fault that
// the host serves takes 10 us and more, a backed page 0.3 to 2 us). Interrupts make some backed pages stand out, too,
// so there must be many more of them than among the backed.
static void measure_touch_unbacked(struct session *s) {
    enum { FRESH = 1 << 30 };
    touch_backed(s, s->begin_ns + (s->end_ns - s->begin_ns) / 8, s->series->capacity);
    if (s->series->count < MIN_SAMPLES)
        return;
    double tick_s = seconds_per_tick(s);
    struct distribution backed = distribution_of(s->series->values, s->series->count, INFINITY);
    double limit = backed.p95 + 2e-6 / tick_s;
    double backed_above = 0;
    for (size_t i = 0; i < s->series->count; i++)
        backed_above += s->series->values[i] > limit;
    backed_above /= (double)s->series->count;

    s->series->count = 0;
    s->native_s = backed.median * tick_s;
    size_t available = kernel_memory_available();
    size_t bytes = available / 20 < FRESH ? available / 20 / PAGE * PAGE : FRESH;
    char *memory = bytes ? map_small_pages(bytes) : NULL;
    if (!memory) {
        s->reason = "there is no memory to spare";
        return;
    }
    size_t touched = 0;
    for (; touched * PAGE < bytes && more(s); touched++) {
        double ticks = timed_touch(s, memory + touched * PAGE);
        if (ticks > limit)
            push(s, ticks);
    }
    munmap(memory, bytes);
    if ((double)s->series->count <= (0.01 + 5 * backed_above) * (double)touched) {
        s->series->count = 0;
        s->reason = "no page was slower than one used before: the host had backed all of them, or there is no host";
    }
}

// --- disk -----------------------------------------------------------------------------------------------------------

enum { FILE_BYTES = 8 << 20, WRITE_BYTES = 1 << 20 };

// A file without a name on a file system that has a disk behind it, or -1.
static int open_direct(void) {
    const char *const folders[] = {"/var/tmp", "/tmp", ".", getenv("HOME")};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        struct statfs fs;
        if (!folders[i] || statfs(folders[i], &fs) < 0 || fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
            continue;
        int fd = open(folders[i], O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

// xorshift64 (G. Marsaglia, 2003): content that no layer can compress, and offsets.
static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static bool fill_file(int fd, char *buffer, uint64_t *random) {
    for (int at = 0; at < FILE_BYTES; at += WRITE_BYTES) {
        for (size_t i = 0; i < WRITE_BYTES; i += sizeof(uint64_t))
            memcpy(buffer + i, &(uint64_t){next_random(random)}, sizeof(uint64_t));
        if (pwrite(fd, buffer, WRITE_BYTES, at) != WRITE_BYTES)
            return false;
    }
    return fdatasync(fd) == 0;
}

static void read_blocks(struct session *s, int fd, char *buffer) {
    uint64_t random = 88172645463325252U;
    if (!fill_file(fd, buffer, &random)) {
        s->reason = "8 MiB could not be written with O_DIRECT under /var/tmp, /tmp, here or $HOME";
        return;
    }
    while (more(s)) {
        off_t at = (off_t)(next_random(&random) % (FILE_BYTES / PAGE) * PAGE);
        uint64_t begin = now();
        ssize_t got = pread(fd, buffer, PAGE, at);
        double ticks = (double)(now() - begin) - s->empty;
        if (got != PAGE) {
            s->reason = "an O_DIRECT read failed";
            return;
        }
        push(s, ticks);
    }
}

static void measure_disk_read(struct session *s) {
    int fd = open_direct();
    if (fd < 0) {
        s->reason = "no file system with O_DIRECT and a disk under /var/tmp, /tmp, here or $HOME";
        return;
    }
    char *buffer = aligned_alloc(PAGE, WRITE_BYTES);
    if (buffer)
        read_blocks(s, fd, buffer);
    free(buffer);
    close(fd);
}

// --- all of them ----------------------------------------------------------------------------------------------------

static const struct {
    void (*measure)(struct session *s);
    bool waits;  // long values belong to the operation: none is excluded
    bool varies; // how long it takes without an exit cannot be told from how long it takes
} methods[TRAP_COUNT] = {
    [TRAP_SYSCALL] = {measure_syscall, false, false},
    [TRAP_CPUID] = {measure_instruction, false, false},
    [TRAP_RDTSC] = {measure_instruction, false, false},
    [TRAP_PAUSE] = {measure_instruction, false, false},
    [TRAP_TIMER_ARM] = {measure_timer_arm, false, false},
    [TRAP_TIMER_WAKE] = {measure_timer_wake, true, true},
    [TRAP_IPI_PEER] = {measure_ipi_peer, false, false},
    [TRAP_IPI_ALONE] = {measure_ipi_alone, false, false},
    [TRAP_TOUCH_UNBACKED] = {measure_touch_unbacked, true, false},
    [TRAP_TOUCH_BACKED] = {measure_touch_backed, false, false},
    [TRAP_DISK_READ] = {measure_disk_read, true, true},
};

bool traps_exit(enum trap trap, const struct distribution *d) {
    switch (trap) {
    case TRAP_CPUID:
    case TRAP_RDTSC:
    case TRAP_PAUSE:
        return d->p05 > INSTRUCTION_EXITS_S;
    case TRAP_TIMER_ARM:
        return d->median > TIMER_ARM_EXITS_S;
    case TRAP_IPI_PEER:
        return d->median > IPI_EXITS_S;
    case TRAP_TOUCH_UNBACKED:
        return true;
    default:
        return false;
    }
}

double traps_limit_s(enum trap trap, const struct trap_series *series) {
    if (methods[trap].waits)
        return INFINITY;
    return long_value(distribution_quantile(series->values, series->count, 0.5), 1);
}

static void summarise(struct session *s, struct trap_cost *out) {
    const struct trap_series *series = s->series;
    struct distribution d = distribution_of(series->values, series->count, traps_limit_s(s->trap, series));
    out->measured = true;
    out->n = d.n + d.excluded;
    out->excluded = d.excluded;
    out->median_s = d.median;
    out->mean_s = d.mean;
    out->p05_s = d.p05;
    out->p95_s = d.p95;
    out->se_s = d.se;
    out->exits = traps_exit(s->trap, &d);
    out->native_s = out->exits || methods[s->trap].varies ? s->native_s : d.median;
}

void trap_measure(enum trap trap, const cpu_set_t *cpus, double budget_s, struct trap_cost *out,
                  struct trap_series *series) {
    struct session s = {.trap = trap, .cpus = cpus, .series = series, .empty = empty_pair()};
    *out = (struct trap_cost){0};
    series->count = 0;
    kernel_bind(cpus, 0);
    s.begin_ns = clock_raw_ns();
    s.begin = now();
    s.end_ns = s.begin_ns + (uint64_t)(budget_s * 1e9);
    methods[trap].measure(&s);
    double tick_s = seconds_per_tick(&s);
    out->why = s.reason;
    if (series->count < MIN_SAMPLES) {
        if (!out->why)
            out->why = "fewer than 30 operations fitted into the time";
        return;
    }
    if (s.seconds == 0)
        s.seconds = tick_s;
    for (size_t i = 0; i < series->count; i++)
        series->values[i] *= s.seconds;
    if (traps_native_cycles(trap) > 0)
        s.native_s = traps_native_cycles(trap) * tick_s;
    summarise(&s, out);
}
