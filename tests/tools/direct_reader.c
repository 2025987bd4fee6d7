// SPDX-License-Identifier: Apache-2.0
// Reads a disk or file past the page cache, one block after the other, and times each read itself: what a collector
// tells of the disk can be held against that. Prints one JSON line. Usage: direct_reader FILE READS [BYTES]
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv) {
    const long reads = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    const size_t bytes = argc > 3 ? (size_t)strtol(argv[3], NULL, 10) : 4096;
    void *buffer = NULL;
    double sum_s = 0;
    if (reads <= 0 || bytes == 0 || posix_memalign(&buffer, 4096, bytes)) {
        fprintf(stderr, "usage: direct_reader FILE READS [BYTES]\n");
        return 2;
    }
    int file = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
    off_t end = file < 0 ? 0 : lseek(file, 0, SEEK_END) / (off_t)bytes * (off_t)bytes;
    if (end <= 0) {
        perror(argv[1]);
        return 4;
    }
    for (long i = 0; i < reads; i++) {
        double begin = now_s();
        if (pread(file, buffer, bytes, (off_t)i * (off_t)bytes % end) != (ssize_t)bytes) {
            perror("reading");
            return 1;
        }
        sum_s += now_s() - begin;
    }
    printf("{\"reads\":%ld,\"sum_s\":%.9f,\"mean_s\":%.9f}\n", reads, sum_s, sum_s / (double)reads);
    free(buffer);
    return 0;
}
