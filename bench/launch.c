// SPDX-License-Identifier: Apache-2.0
// Launching on several cores. See launch.h.
#include "bench/launch.h"

#include "core/memory.h"
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void words_add(struct words *words, char *owned) {
    ARRAY_PUSH(words->items, words->count, words->capacity, owned);
}

void words_free(struct words *words) {
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct words){0};
}

unsigned launch_cores(const cpu_set_t *cpus) {
    cpu_set_t cores; // each by its first hardware thread
    CPU_ZERO(&cores);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, cpus))
            continue;
        int first = cpu;
        char *path = mem_printf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        FILE *f = fopen(path, "re");
        if (f) {
            if (fscanf(f, "%d", &first) != 1 || first < 0 || first >= CPU_SETSIZE)
                first = cpu;
            fclose(f);
        }
        free(path);
        CPU_SET(first, &cores);
    }
    return (unsigned)CPU_COUNT(&cores);
}

// "0,1,4": Open MPI does not look at the affinity it inherits when it binds ranks.
static char *cpu_list(const cpu_set_t *cpus) {
    struct str list = {0};
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, cpus))
            str_printf(&list, "%s%d", list.length ? "," : "", cpu);
    return list.text;
}

void launch_add(struct words *words, const struct bench_context *context, uint64_t ranks, bool oversubscribe) {
    for (const char *const *word = context->launch; word && *word; word++)
        words_add(words, mem_strdup(*word));
    if (context->launch)
        return;
    words_add(words, mem_strdup("mpirun"));
    words_add(words, mem_strdup("-np"));
    words_add(words, mem_printf("%llu", (unsigned long long)ranks));
    words_add(words, mem_strdup("--bind-to"));
    words_add(words, mem_strdup(oversubscribe ? "none" : "core"));
    if (oversubscribe) {
        words_add(words, mem_strdup("--oversubscribe"));
    } else if (CPU_COUNT(context->cpus) < sysconf(_SC_NPROCESSORS_ONLN)) {
        words_add(words, mem_strdup("--cpu-set"));
        words_add(words, cpu_list(context->cpus));
    }
}

const char *const *launch_environment(void) {
    static const char *const of_root[] = {"OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", NULL};
    return geteuid() == 0 ? of_root : NULL;
}
