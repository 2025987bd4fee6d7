// SPDX-License-Identifier: Apache-2.0
// The memory of the job when its work is done: how much, how much of it in huge pages, on which NUMA nodes. Works for
// every user, costs nothing during the work. See footprint.h.
#include "collectors/footprint.h"
#include "collectors/collectors.h"
#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 0.9 // share of the job's CPU time that its root process must account for, or it is not the job

// One line of smaps_rollup, "Name:   123 kB", and where it counts.
static const struct {
    const char *name;
    bool resident;
    bool huge;
} rows[] = {
    {"Rss:", true, false},           {"AnonHugePages:", false, true}, {"ShmemPmdMapped:", false, true},
    {"FilePmdMapped:", false, true}, {"Shared_Hugetlb:", true, true}, {"Private_Hugetlb:", true, true},
};

static const char *next_line(const char *line) {
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

bool footprint_parse(const char *smaps, struct footprint *out) {
    bool found = false;
    *out = (struct footprint){0};
    for (const char *line = smaps; *line; line = next_line(line)) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            size_t length = strlen(rows[i].name);
            if (strncmp(line, rows[i].name, length) != 0)
                continue;
            uint64_t bytes = strtoull(line + length, NULL, 10) << 10;
            out->resident_bytes += rows[i].resident ? bytes : 0;
            out->huge_bytes += rows[i].huge ? bytes : 0;
            found |= i == 0;
        }
    }
    return found;
}

static uint64_t page_bytes_of(const char *line, const char *end) {
    const char *size = strstr(line, "kernelpagesize_kB=");
    return (size && size < end ? strtoull(size + 18, NULL, 10) : 4) << 10;
}

bool footprint_parse_nodes(const char *numa_maps, uint64_t bytes[FOOTPRINT_NODES]) {
    bool found = false;
    memset(bytes, 0, FOOTPRINT_NODES * sizeof *bytes);
    for (const char *line = numa_maps; *line; line = next_line(line)) {
        const char *end = next_line(line);
        uint64_t page = page_bytes_of(line, end);
        for (const char *word = strstr(line, " N"); word && word < end; word = strstr(word + 1, " N")) {
            unsigned node;
            unsigned long long pages;
            if (sscanf(word, " N%u=%llu", &node, &pages) != 2 || node >= FOOTPRINT_NODES)
                continue;
            bytes[node] += pages * page;
            found = true;
        }
    }
    return found;
}

// --- the collector ---------------------------------------------------------------------------------------------------

static bool has_nodes(void) {
    FILE *f = fopen("/sys/devices/system/node/online", "re");
    char text[64] = "";
    if (!f)
        return false;
    bool several = fgets(text, sizeof text, f) && strpbrk(text, ",-");
    fclose(f);
    return several;
}

struct footprint_state {
    bool nodes; // more than one: reading numa_maps walks all pages, which is for nothing on a single node
};

static void *footprint_open(const struct collect_options *options, struct collector_status *status) {
    (void)options;
    size_t length;
    char *text = json_read_file("/proc/self/smaps_rollup", 1U << 16, &length, NULL);
    if (!text) {
        collector_say(status, COLLECTOR_UNAVAILABLE, "a kernel from 4.14 on with CONFIG_PROC_PAGE_MONITOR",
                      "there is no /proc/self/smaps_rollup");
        return NULL;
    }
    free(text);
    struct footprint_state *state = mem_alloc(sizeof *state);
    state->nodes = has_nodes();
    status->state = COLLECTOR_ACTIVE;
    return state;
}

static int footprint_begin(void *state, const struct sample_window *window, struct error *err) {
    (void)state;
    (void)window;
    (void)err;
    return 0;
}

// NULL if the process is gone or it is another user's.
static char *read_of(pid_t process, const char *file) {
    size_t length;
    char *path = mem_printf("/proc/%d/%s", (int)process, file);
    char *text = json_read_file(path, 64U << 20, &length, NULL);
    free(path);
    return text;
}

static void add_nodes(pid_t process, struct collector_output *out) {
    uint64_t bytes[FOOTPRINT_NODES];
    char *text = read_of(process, "numa_maps");
    if (text && footprint_parse_nodes(text, bytes)) {
        cJSON *nodes = cJSON_AddObjectToObject(out->circumstances, "memory_on_node_bytes");
        for (int node = 0; node < FOOTPRINT_NODES; node++) {
            char name[16];
            snprintf(name, sizeof name, "%d", node);
            if (bytes[node])
                json_add_u64(nodes, name, bytes[node]);
        }
    }
    free(text);
}

// A job whose work was done by processes that have ended is not told: what is left of it is not what worked.
static int footprint_end(void *state, const struct sample_window *window, struct collector_output *out,
                         struct error *err) {
    (void)err;
    const struct footprint_state *footprint = state;
    struct footprint found;
    if (!(window->cpu_s > 0) || window->live.run_s < MOST * window->cpu_s)
        return 0;
    char *text = read_of(window->job, "smaps_rollup");
    if (text && footprint_parse(text, &found) && found.resident_bytes) {
        json_add_u64(out->circumstances, "resident_bytes", found.resident_bytes);
        json_add_double(out->circumstances, "huge_page_share", (double)found.huge_bytes / (double)found.resident_bytes);
        if (footprint->nodes)
            add_nodes(window->job, out);
    }
    free(text);
    return 0;
}

static void footprint_close(void *state) {
    free(state);
}

const struct collector_ops collector_footprint = {
    .abi = COLLECTOR_ABI,
    .name = "footprint",
    .summary = "the job's memory after its work: resident, in huge pages, on which NUMA nodes (/proc)",
    .in_timing = true,
    .open = footprint_open,
    .begin = footprint_begin,
    .end = footprint_end,
    .close = footprint_close,
};
