// SPDX-License-Identifier: Apache-2.0
// Unit costs a second way: elapsed time of blocks of operations against how many of them leave the guest. See traps.h.
#include "bench/kernels/kernels.h"
#include "bench/kernels/traps.h"
#include "core/arch.h"
#include "core/clock.h"
#include "core/memory.h"

#include <linux/membarrier.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PAGE   ((size_t)4096)
#define REGION (MOST * PAGE)

enum {
    LEVELS = 5, // a block has 0, 1/4, 1/2, 3/4 or all
    MOST = 16,  // of these operations of the kind
    MAX_BLOCKS = 8000,
    MIN_BLOCKS = 30, // fewer give no slope
    GAP_NS = 30000,  // between IPIs: the peer must be through with the last one
};

// What a block needs between its set-up and its end.
struct rig {
    const cpu_set_t *cpus;
    trap_instruction execute;
    int timer;
    char *memory;
    atomic_bool stop;
    atomic_ulong rounds; // of the spinning peer
    pthread_t peer;
};

// --- the kinds ------------------------------------------------------------------------------------------------------

static bool open_instruction(struct rig *rig, enum trap trap) {
    const char *why;
    rig->execute = traps_instruction(trap, &why);
    return rig->execute;
}

static bool instructions(struct rig *rig, unsigned count) {
    rig->execute(count);
    return true;
}

static bool open_timer(struct rig *rig, enum trap trap) {
    (void)trap;
    rig->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    return rig->timer >= 0;
}

// A timer is armed and taken back. Where it is the CPU's earliest, both program the hardware; a far one takes the same
// way through the kernel without.
static bool arm_timers(struct rig *rig, unsigned count) {
    static const struct itimerspec never;
    static const struct itimerspec soon = {.it_value = {.tv_nsec = 100000}};
    static const struct itimerspec late = {.it_value = {.tv_sec = 100}};
    for (unsigned i = 0; i < MOST; i++) {
        timerfd_settime(rig->timer, 0, i < count ? &soon : &late, NULL);
        timerfd_settime(rig->timer, 0, &never, NULL);
    }
    return true;
}

static void close_timer(struct rig *rig) {
    close(rig->timer);
}

static void *spin(void *argument) {
    struct rig *rig = argument;
    kernel_bind(rig->cpus, 1);
    while (!atomic_load_explicit(&rig->stop, memory_order_relaxed))
        atomic_fetch_add_explicit(&rig->rounds, 1, memory_order_relaxed);
    return NULL;
}

static bool open_peer(struct rig *rig, enum trap trap) {
    (void)trap;
    return CPU_COUNT(rig->cpus) > 1 && syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 &&
           pthread_create(&rig->peer, NULL, spin, rig) == 0;
}

// No IPI is sent to a peer that does not run: such a block is not of the level that it should be.
static bool barriers(struct rig *rig, unsigned count) {
    bool all_sent = true;
    for (unsigned i = 0; i < MOST; i++) {
        unsigned long rounds = atomic_load_explicit(&rig->rounds, memory_order_relaxed);
        if (i < count) {
            syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
            all_sent = all_sent && atomic_load_explicit(&rig->rounds, memory_order_relaxed) != rounds;
        }
        uint64_t from = clock_raw_ns();
        while (clock_raw_ns() < from + GAP_NS)
            ;
    }
    return all_sent;
}

static void close_peer(struct rig *rig) {
    atomic_store(&rig->stop, true);
    pthread_join(rig->peer, NULL);
}

static bool open_memory(struct rig *rig, enum trap trap) {
    (void)trap;
    void *memory = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    rig->memory = memory;
    madvise(memory, REGION, MADV_NOHUGEPAGE);
    return true;
}

// Pages given back are the ones the kernel hands out next: those that the guest and its host have.
static void give_back(struct rig *rig) {
    madvise(rig->memory, REGION, MADV_DONTNEED);
}

static bool touches(struct rig *rig, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        *(volatile char *)(rig->memory + i * PAGE) = 1;
    return true;
}

static void close_memory(struct rig *rig) {
    munmap(rig->memory, REGION);
}

static const struct kind {
    bool (*open)(struct rig *rig, enum trap trap);
    void (*before)(struct rig *rig);               // each block, not timed; or NULL
    bool (*work)(struct rig *rig, unsigned count); // false: the block does not count
    void (*close)(struct rig *rig);                // or NULL
    unsigned exits;                                // of one operation
} kinds[TRAP_COUNT] = {
    [TRAP_CPUID] = {open_instruction, NULL, instructions, NULL, 1},
    [TRAP_TIMER_ARM] = {open_timer, NULL, arm_timers, close_timer, 2},
    [TRAP_IPI_PEER] = {open_peer, NULL, barriers, close_peer, 1},
    [TRAP_TOUCH_BACKED] = {open_memory, give_back, touches, close_memory, 1},
};

// --- the line through the blocks
// --------------------------------------------------------------------------------------

struct block {
    unsigned level;
    double ticks;
};

// Blocks in which the host took the CPU away are left out by the rule of single operations: 20 x the median and 50 us.
static double limit_of(const struct block *blocks, size_t count, unsigned level, double tick_s) {
    double *same = mem_alloc((count + 1) * sizeof *same);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (blocks[i].level == level)
            same[n++] = blocks[i].ticks;
    double median = distribution_quantile(same, n, 0.5);
    free(same);
    return median + 20 * median / MOST + 50e-6 / tick_s;
}

static size_t leave_out(struct block *blocks, size_t count, double tick_s) {
    double limits[LEVELS];
    for (unsigned level = 0; level < LEVELS; level++)
        limits[level] = limit_of(blocks, count, level, tick_s);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (blocks[i].ticks <= limits[blocks[i].level])
            blocks[kept++] = blocks[i];
    return kept;
}

void traps_line(const double *x, const double *y, size_t count, double *slope, double *se) {
    double mean_x = 0;
    double mean_y = 0;
    for (size_t i = 0; i < count; i++) {
        mean_x += x[i] / (double)count;
        mean_y += y[i] / (double)count;
    }
    double xx = 0;
    double xy = 0;
    for (size_t i = 0; i < count; i++) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
    }
    *slope = xy / xx;
    double rest = 0;
    for (size_t i = 0; i < count; i++) {
        double off = y[i] - mean_y - *slope * (x[i] - mean_x);
        rest += off * off;
    }
    *se = sqrt(rest / ((double)count - 2) / xx);
}

static void fit(const struct block *blocks, size_t count, unsigned exits, double unit_s, struct trap_cost *out) {
    double *x = mem_alloc(count * sizeof *x);
    double *y = mem_alloc(count * sizeof *y);
    for (size_t i = 0; i < count; i++) {
        x[i] = (double)blocks[i].level * MOST * exits / (LEVELS - 1);
        y[i] = blocks[i].ticks * unit_s;
    }
    traps_line(x, y, count, &out->slope_s, &out->slope_se_s);
    free(x);
    free(y);
}

static uint64_t now(void) {
    uint64_t ticks = arch_ticks();
    return ticks ? ticks : clock_raw_ns();
}

// Levels in an order without a period: a drift of the machine must not look like a slope.
static size_t time_blocks(const struct kind *kind, struct rig *rig, uint64_t end_ns, struct block *blocks) {
    uint32_t random = 1;
    size_t count = 0;
    while (count < MAX_BLOCKS && clock_raw_ns() < end_ns) {
        random = random * 1103515245U + 12345U;
        unsigned level = (random >> 16) % LEVELS;
        if (kind->before)
            kind->before(rig);
        uint64_t begin = now();
        bool counts = kind->work(rig, level * MOST / (LEVELS - 1));
        double ticks = (double)(now() - begin);
        if (counts)
            blocks[count++] = (struct block){level, ticks};
    }
    return count;
}

void trap_slope(enum trap trap, const cpu_set_t *cpus, double budget_s, struct trap_cost *out) {
    const struct kind *kind = &kinds[trap];
    struct rig rig = {.cpus = cpus};
    out->slope_s = out->slope_se_s = 0;
    if (!kind->open || !out->measured || !kind->open(&rig, trap))
        return;
    kernel_bind(cpus, 0);
    struct block *blocks = mem_alloc(MAX_BLOCKS * sizeof *blocks);
    uint64_t begin_ns = clock_raw_ns();
    uint64_t begin = now();
    size_t count = time_blocks(kind, &rig, begin_ns + (uint64_t)(budget_s * 1e9), blocks);
    double tick_s = (double)(clock_raw_ns() - begin_ns) * 1e-9 / (double)(now() - begin);
    if (kind->close)
        kind->close(&rig);
    count = leave_out(blocks, count, tick_s);
    if (count >= MIN_BLOCKS)
        fit(blocks, count, kind->exits, tick_s, out);
    free(blocks);
}
