// SPDX-License-Identifier: Apache-2.0
// Compares the wall time of two commands in turn: A B, B A, A B, ... so that drift hits both alike.
// Usage: pairs COUNT A... -- B...
// Prints one line: medians, the median of B/A over the pairs with its exact 95 % interval (order statistics), peak
// memory. May include: core.
#include "core/memory.h"

#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct timed {
    double seconds;
    long peak_kib;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct timed run(char **argv, const posix_spawn_file_actions_t *quiet) {
    pid_t pid;
    int status;
    struct rusage usage;
    double start = now();
    if (posix_spawnp(&pid, argv[0], quiet, NULL, argv, environ) || wait4(pid, &status, 0, &usage) < 0) {
        fprintf(stderr, "pairs: cannot run %s\n", argv[0]);
        exit(4);
    }
    return (struct timed){now() - start, usage.ru_maxrss};
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

// The rank r (from 0) such that [r, n-1-r] holds the median with at least 95 %: binomial(n, 1/2).
static size_t interval_rank(size_t n) {
    double tail = 0;
    for (size_t r = 0; r < n / 2; r++) {
        tail += exp(lgamma((double)n + 1) - lgamma((double)r + 1) - lgamma((double)(n - r) + 1) - (double)n * log(2));
        if (tail > 0.025)
            return r ? r - 1 : 0;
    }
    return 0;
}

int main(int argc, char **argv) {
    int split = 2;
    while (split < argc && strcmp(argv[split], "--") != 0)
        split++;
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    if (count < 6 || count > 100000 || split < 3 || split + 1 >= argc) {
        fputs("Usage: pairs COUNT A... -- B...   (COUNT from 6 on)\n", stderr);
        return 2;
    }
    argv[split] = NULL;
    char **commands[2] = {argv + 2, argv + split + 1};
    size_t n = (size_t)count;
    double *seconds[2] = {mem_alloc(n * sizeof(double)), mem_alloc(n * sizeof(double))};
    double *ratio = mem_alloc(n * sizeof(double));
    long peak[2] = {0, 0};
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&quiet, STDOUT_FILENO, STDERR_FILENO);
    for (size_t i = 0; i < n + 2; i++) { // the first two warm the page cache
        for (size_t turn = 0; turn < 2; turn++) {
            size_t which = (i + turn) % 2;
            struct timed t = run(commands[which], &quiet);
            if (i < 2)
                continue;
            seconds[which][i - 2] = t.seconds;
            peak[which] = t.peak_kib > peak[which] ? t.peak_kib : peak[which];
        }
        if (i >= 2)
            ratio[i - 2] = seconds[1][i - 2] / seconds[0][i - 2];
    }
    for (size_t which = 0; which < 2; which++)
        qsort(seconds[which], n, sizeof(double), by_value);
    qsort(ratio, n, sizeof(double), by_value);
    size_t rank = interval_rank(n);
    printf("A %.2f ms, %ld KiB; B %.2f ms, %ld KiB; B/A %.3f [%.3f, %.3f] over %zu pairs\n", seconds[0][n / 2] * 1e3,
           peak[0], seconds[1][n / 2] * 1e3, peak[1], ratio[n / 2], ratio[rank], ratio[n - 1 - rank], n);
    posix_spawn_file_actions_destroy(&quiet);
    free(seconds[0]);
    free(seconds[1]);
    free(ratio);
    return 0;
}
