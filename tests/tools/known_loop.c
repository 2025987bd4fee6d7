// SPDX-License-Identifier: Apache-2.0
// Executes a known number of instructions: 102 in each round, 100 of them wait for the one before.
// Usage: known_loop ROUNDS. What it takes to start and to end comes on top: some 10^5 without the kernel's part.
#include <stdio.h>
#include <stdlib.h>

static void run_chain(unsigned long rounds) {
    unsigned long x = 1;
#if defined(__x86_64__)
    __asm__ volatile("1: .rept 100\n not %0\n .endr\n dec %1\n jnz 1b" : "+r"(x), "+r"(rounds) : : "cc");
#elif defined(__aarch64__)
    __asm__ volatile("1: .rept 100\n mvn %0, %0\n .endr\n subs %1, %1, #1\n b.ne 1b" : "+r"(x), "+r"(rounds) : : "cc");
#endif
}

int main(int argc, char **argv) {
    unsigned long rounds = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    if (!rounds) {
        fprintf(stderr, "usage: known_loop ROUNDS\n");
        return 2;
    }
    run_chain(rounds);
    return 0;
}
