// SPDX-License-Identifier: Apache-2.0
// What a fuzz target includes. A target is one file fuzz_NAME.c that defines the entry below, with seeds in
// corpus/NAME/. `make fuzz` runs it under libFuzzer; `make unit` replays its corpus without.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A promise of the code under test. Stays on in every build.
#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)
