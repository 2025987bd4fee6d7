// SPDX-License-Identifier: Apache-2.0
// Limits of control groups, versions 1 and 2. See cgroup_limits.h. A new one is a row of the table.
#include "collectors/cgroup_limits.h"

#include "core/json.h"
#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *key;
    const char *controller; // version 1: it has a tree of its own; empty: version 2
    const char *file;
} limits[] = {
    {"cgroup_cpu_max", "", "cpu.max"},
    {"cgroup_memory_max", "", "memory.max"},
    {"cgroup_memory_high", "", "memory.high"},
    {"cgroup_cpu_quota_us", "cpu", "cpu.cfs_quota_us"},
    {"cgroup_memory_limit", "memory", "memory.limit_in_bytes"},
};

// From here on version 1 means no limit: LONG_MAX in whole pages.
static const double NO_LIMIT = 9e18;

// What a text allows: a number, or quota and period. Infinite: all ("max", -1).
static double allowed(const char *text) {
    char *rest;
    double first = strtod(text, &rest);
    if (rest == text || first < 0 || first >= NO_LIMIT)
        return INFINITY;
    double period = strtod(rest, NULL);
    return period > 0 ? first / period : first;
}

static bool read_line(const char *path, char *out, size_t size) {
    FILE *f = fopen(path, "re");
    bool got = f && fgets(out, (int)size, f);
    if (f)
        fclose(f);
    if (got)
        out[strcspn(out, "\n")] = '\0';
    return got;
}

// The path of the process in the tree of a controller; free() it. NULL: there is none.
static char *own_group(const char *proc, const char *controller) {
    char *path = mem_printf("%s/self/cgroup", proc);
    FILE *f = fopen(path, "re");
    char line[1024];
    char *group = NULL;
    free(path);
    while (f && !group && fgets(line, sizeof line, f)) { // HIERARCHY:CONTROLLER,...:/PATH
        line[strcspn(line, "\n")] = '\0';
        char *names = strchr(line, ':');
        char *own = names ? strchr(names + 1, ':') : NULL;
        if (!own)
            continue;
        *own++ = '\0';
        names++;
        bool mine = !*controller && !*names;
        for (char *rest = names, *name; *controller && (name = strsep(&rest, ","));)
            mine |= strcmp(name, controller) == 0;
        group = mine ? mem_strdup(own) : NULL;
    }
    if (f)
        fclose(f);
    return group;
}

// The least that a group or one above it allows.
static void add_least(cJSON *object, size_t i, const char *sys, char *group) {
    double least = INFINITY;
    char text[128];
    char kept[128] = "";
    for (;;) {
        char *path = mem_printf("%s/fs/cgroup%s%s%s/%s", sys, *limits[i].controller ? "/" : "", limits[i].controller,
                                group, limits[i].file);
        if (read_line(path, text, sizeof text) && allowed(text) < least) {
            least = allowed(text);
            snprintf(kept, sizeof kept, "%s", text);
        }
        free(path);
        if (!*group)
            break;
        *strrchr(group, '/') = '\0';
    }
    if (*kept)
        json_add_string(object, limits[i].key, kept);
}

void cgroup_limits_add(cJSON *object, const char *proc, const char *sys) {
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        char *group = own_group(proc, limits[i].controller);
        if (group && *group == '/') {
            if (!group[1])
                *group = '\0';
            add_least(object, i, sys, group);
        }
        free(group);
    }
}
