// SPDX-License-Identifier: Apache-2.0
// Which CPUs the cases were bound to; see the header. May include: core, report/dataset.h.
#include "report/pinning.h"

#include "core/memory.h"
#include "core/parse.h"

#include <stdlib.h>

struct pinnings pinnings_find(const struct dataset *set) {
    struct pinnings list = {0};
    struct names seen = {0};
    for (size_t i = 0; i < set->case_count; i++) {
        const struct dataset_case *c = &set->cases[i];
        if (!c->cpu_list || !*c->cpu_list)
            continue;
        size_t at = names_add(&seen, c->cpu_list);
        if (at >= list.count)
            ARRAY_PUSH(list.group, list.count, list.capacity, (struct pinning){.cpus = c->cpu_list});
        struct pinning *group = &list.group[at];
        ARRAY_PUSH(group->cases, group->count, group->capacity, c->name);
    }
    names_free(&seen);
    return list;
}

void pinnings_free(struct pinnings *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->group[i].cases);
    free(list->group);
    *list = (struct pinnings){0};
}

cpu_set_t pinning_cpus(const struct pinning *group) {
    cpu_set_t cpus;
    struct error ignored = {0};
    if (parse_cpus("cpu_list", group->cpus, &cpus, &ignored))
        CPU_ZERO(&cpus);
    return cpus;
}
