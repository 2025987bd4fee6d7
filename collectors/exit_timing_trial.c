// SPDX-License-Identifier: Apache-2.0
// Tries what was attached: a source that does not see what this process surely does is let go, and what exits and
// touches take here becomes the limits beyond which they are something else. See exit_timing_trial.h.
#include "collectors/exit_timing_trial.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

// What all CPUs saw while this process did something.
static void seen_during(struct exit_timing *t, void (*work)(void), struct timing_row *rows) {
    memcpy(t->before, t->cpus, timing_map_bytes(t));
    work();
    timing_sum(t->before, t->cpus, t->cpu_count, NULL, WHOSE_COUNT, rows);
}

static void nap(void) {
    enum { NAPS = 30 };
    for (int i = 0; i < NAPS; i++)
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
}

static void limit_exits(struct exit_timing *t, double limit_ns) {
    for (int e = 0; e < TIMING_EVENTS; e++)
        if (timing_meanings[e].over == OVER_HOST)
            t->control->limit_ns[e] = (unsigned long long)limit_ns;
}

// Naps arm timers. A function that is not called then belongs to a clock event device that is not in use, and a
// register that is not written leaves pairs of tracepoints without an end.
void timing_try_timer(struct exit_timing *t) {
    struct timing_row rows[TIMING_EVENTS];
    while (t->facts.sources[TIMING_TIMER]) {
        seen_during(t, nap, rows);
        if (rows[TIMING_TIMER].count) {
            limit_exits(t, timing_plain_limit_ns(&rows[TIMING_TIMER]));
            return;
        }
        timing_take(t, TIMING_TIMER, timing_drop(t, TIMING_TIMER) + 1);
    }
}

#define BLOCK ((size_t)4 << 20)
#define PAGE  ((size_t)4096)

enum { SMALL_ROUNDS = 4 };

// Pages that were given back last are the ones that are handed out next: used by the guest before, so backed by the
// host.
static void touch_again(size_t step, int advice, int rounds) {
    char *memory = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return;
    char *aligned = memory + (BLOCK - (uintptr_t)memory % BLOCK);
    madvise(aligned, BLOCK, advice);
    for (int i = 0; i < rounds; i++) {
        for (size_t at = 0; at < BLOCK; at += step)
            ((volatile char *)aligned)[at] = 1;
        madvise(aligned, BLOCK, MADV_DONTNEED);
    }
    munmap(memory, 2 * BLOCK);
}

static void touch_first(void) {
    touch_again(PAGE, MADV_NOHUGEPAGE, 1);
}

// Where tracing of functions is switched off (kernel.ftrace_enabled) some kernels attach programs to them all the same,
// and never call these. First touches are sure to happen: where they are not seen, no function is to be trusted.
void timing_try_functions(struct exit_timing *t) {
    struct timing_row rows[TIMING_EVENTS];
    timing_take(t, TIMING_TOUCH, 0);
    if (t->part_count == 0 || t->parts[0].source->how == BY_TRACEPOINTS)
        return;
    seen_during(t, touch_first, rows);
    if (rows[TIMING_TOUCH].count)
        return;
    t->no_functions = true;
    t->functions_refused = EOPNOTSUPP;
    timing_take(t, TIMING_TOUCH, timing_drop(t, TIMING_TOUCH) + 1);
}

static void touch_small(void) {
    touch_again(PAGE, MADV_NOHUGEPAGE, SMALL_ROUNDS);
}

static void touch_huge(void) {
    touch_again(BLOCK / 2, MADV_HUGEPAGE, 80);
}

// What a touch takes where the host has backed the page, in the terms of the sources in use.
void timing_try_touches(struct exit_timing *t) {
    struct timing_row rows[TIMING_EVENTS];
    seen_during(t, touch_first, rows);
    seen_during(t, touch_small, rows);
    // Before Linux 6.2 rss_stat tells 64 pages at once.
    if (t->facts.sources[TIMING_TOUCH] && rows[TIMING_TOUCH].count < SMALL_ROUNDS * (BLOCK / PAGE) / 2)
        timing_drop(t, TIMING_TOUCH);
    t->facts.backed[TIMING_TOUCH] = timing_backed_from(&rows[TIMING_TOUCH], 2e3);
    seen_during(t, touch_huge, rows);
    t->facts.backed[TIMING_TOUCH_HUGE] = timing_backed_from(&rows[TIMING_TOUCH_HUGE], 2e4);
    t->control->limit_ns[TIMING_TOUCH] = (unsigned long long)t->facts.backed[TIMING_TOUCH].limit_ns;
    t->control->limit_ns[TIMING_TOUCH_HUGE] = (unsigned long long)t->facts.backed[TIMING_TOUCH_HUGE].limit_ns;
}
