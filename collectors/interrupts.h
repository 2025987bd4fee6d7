// SPDX-License-Identifier: Apache-2.0
// How often each of the kernel's interrupts came, as /proc/interrupts tells it. May include: core.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct interrupt {
    unsigned number;
    uint64_t count;   // on all CPUs
    uint64_t *by_cpu; // by the file's columns
    char *name;       // of its handlers, "virtio1-req.0"
};

// Numbered interrupts only, in the file's order. Start with {0}.
struct interrupts {
    struct interrupt *items;
    size_t count;
    size_t capacity;
    size_t columns; // CPUs that are there
};

// Reads the text of /proc/interrupts. What is not such a text gives no interrupts.
void interrupts_parse(const char *text, struct interrupts *out);

// Reads the machine's. Empty if it cannot be read.
void interrupts_read(struct interrupts *out);
void interrupts_free(struct interrupts *list);

// The interrupt of this number, or NULL.
const struct interrupt *interrupts_find(const struct interrupts *list, unsigned number);
