// SPDX-License-Identifier: Apache-2.0
// Reads blocks of a device past the page cache, one at a time, and prints how many and for how long in all.
// Usage: timed_reader DEVICE COUNT [PAUSE_US]     -> "COUNT SECONDS"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
    static char buffer[BLOCK] __attribute__((aligned(BLOCK)));
    if (argc < 3) {
        fprintf(stderr, "usage: timed_reader DEVICE COUNT [PAUSE_US]\n");
        return 2;
    }
    long count = strtol(argv[2], NULL, 10);
    useconds_t pause_us = argc > 3 ? (useconds_t)strtoul(argv[3], NULL, 10) : 0;
    long start = (long)(now_s() * 1e6); // blocks that an earlier run has read may be in a cache below
    double seconds = 0;
    int fd = open(argv[1], O_RDONLY | O_DIRECT);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (size < BLOCK) {
        fprintf(stderr, "timed_reader: %s: %s\n", argv[1], fd < 0 ? strerror(errno) : "too small");
        return 4;
    }
    for (long i = 0; i < count; i++) {
        off_t at = (start + i) % (size / BLOCK) * BLOCK;
        double begin = now_s();
        if (pread(fd, buffer, BLOCK, at) != BLOCK) {
            fprintf(stderr, "timed_reader: reading %s: %s\n", argv[1], strerror(errno));
            return 5;
        }
        seconds += now_s() - begin;
        if (pause_us)
            usleep(pause_us);
    }
    printf("%ld %.6f\n", count, seconds);
    return 0;
}
