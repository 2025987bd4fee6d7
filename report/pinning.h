// SPDX-License-Identifier: Apache-2.0
// Which CPUs the cases of a journal were bound to. Pure functions. May include: core, report/dataset.h.
#pragma once

#include "report/dataset.h"

#include <sched.h>

// Cases that were bound alike.
struct pinning {
    const char *cpus;   // "0-3,8"; borrowed from the first of them
    const char **cases; // their names, borrowed
    size_t count;
    size_t capacity;
};

struct pinnings {
    struct pinning *group; // in the order of the journal
    size_t count;
    size_t capacity;
};

// Journals that do not tell have none. pinnings_free() releases the result.
struct pinnings pinnings_find(const struct dataset *set);
void pinnings_free(struct pinnings *list);

// The CPUs of a group; empty where its text names none.
cpu_set_t pinning_cpus(const struct pinning *group);
