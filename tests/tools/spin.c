// SPDX-License-Identifier: Apache-2.0
// A fixed amount of work: so many millions of dependent multiplications (3 or 4 cycles each on most processors), for
// comparisons whose truth is known. Usage: spin MILLIONS
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    double millions = argc == 2 ? strtod(argv[1], NULL) : 0;
    if (!(millions > 0 && millions < 1e6)) {
        fprintf(stderr, "usage: spin MILLIONS\n");
        return 2;
    }
    volatile uint64_t start = 1; // not known to the compiler, which must then do the work
    uint64_t x = start;
    for (uint64_t i = (uint64_t)(millions * 1e6); i > 0; i--)
        x = x * 6364136223846793005u + 1442695040888963407u;
    return x == 0;
}
