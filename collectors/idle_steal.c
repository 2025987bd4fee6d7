// SPDX-License-Identifier: Apache-2.0
// Loads, attaches and reads the program. See idle_steal.h.
#include "collectors/idle_steal.h"

#include "core/memory.h"
#include "probes/idle_steal.h"
#include "probes/idle_steal.skel.h"

#include <stdlib.h>
#include <sys/mman.h>

struct idle_steal {
    struct idle_steal_bpf *bpf;
    struct idle_steal_cpu *rows; // the kernel's, mapped; by CPU number
    size_t cpus;
};

static bool load(struct idle_steal *s) {
    int cpus = libbpf_num_possible_cpus();
    s->bpf = cpus > 0 ? idle_steal_bpf__open() : NULL;
    if (!s->bpf)
        return false;
    s->cpus = (size_t)cpus;
    bpf_map__set_max_entries(s->bpf->maps.cpus, (unsigned)cpus);
    if (idle_steal_bpf__load(s->bpf))
        return false;
    void *rows =
        mmap(NULL, s->cpus * sizeof *s->rows, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(s->bpf->maps.cpus), 0);
    s->rows = rows == MAP_FAILED ? NULL : rows;
    return s->rows && idle_steal_bpf__attach(s->bpf) == 0;
}

struct idle_steal *idle_steal_open(void) {
    probe_quiet();
    struct idle_steal *s = mem_alloc(sizeof *s);
    if (load(s))
        return s;
    idle_steal_close(s);
    return NULL;
}

void idle_steal_close(struct idle_steal *s) {
    if (!s)
        return;
    if (s->rows)
        munmap(s->rows, s->cpus * sizeof *s->rows);
    idle_steal_bpf__destroy(s->bpf); // NULL is fine
    free(s);
}

double idle_steal_seconds(const struct idle_steal *s, const cpu_set_t *cpus) {
    double seconds = 0;
    for (size_t cpu = 0; s && cpu < s->cpus; cpu++)
        if (CPU_ISSET(cpu, cpus))
            seconds += (double)__atomic_load_n(&s->rows[cpu].ns, __ATOMIC_RELAXED) * 1e-9;
    return seconds;
}

struct probe_cost idle_steal_cost(const struct idle_steal *s) {
    return s ? probe_cost_of(s->bpf->progs.on_sched_switch) : (struct probe_cost){0};
}
