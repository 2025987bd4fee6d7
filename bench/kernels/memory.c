// SPDX-License-Identifier: Apache-2.0
// Memory of a stated page size, and how much of it a bench may take. See kernels.h.
#include "bench/kernels/kernels.h"

#include "core/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_BYTES ((size_t)2 << 20) // of PMD-sized pages on x86-64 and on arm64 with 4 KiB base pages

static const char *const pages_names[PAGES_COUNT] = {"system", "4k", "thp", "huge"};

int kernel_pages_param(const struct bench_context *context, enum kernel_pages *out, struct error *err) {
    const char *text = bench_param_text(context, "pages");
    for (int i = 0; i < PAGES_COUNT; i++) {
        if (strcmp(text, pages_names[i]) == 0) {
            *out = (enum kernel_pages)i;
            return 0;
        }
    }
    error_set(err, EXIT_CODE_INPUT, "the parameter \"pages\" cannot be \"%s\"", text);
    bench_param_blame(context, "pages", err);
    return error_why(err, "known are system, 4k, thp and huge");
}

// The value in bytes of a line such as "MemTotal:  123 kB" in a file of /proc; 0 if there is none.
static size_t proc_bytes(const char *path, const char *key) {
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    char line[256];
    size_t bytes = 0;
    size_t length = strlen(key);
    while (!bytes && fgets(line, sizeof line, f))
        if (strncmp(line, key, length) == 0)
            bytes = (size_t)strtoull(line + length, NULL, 10) << 10;
    fclose(f);
    return bytes;
}

static bool read_line(const char *path, char *out, int size) {
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool read = fgets(out, size, f) != NULL;
    fclose(f);
    if (read)
        out[strcspn(out, "\n")] = '\0';
    return read;
}

// The number in a file of one control group; SIZE_MAX if there is none ("max").
static size_t group_bytes(const char *group, const char *file) {
    char text[64];
    char *path = mem_printf("/sys/fs/cgroup%s/%s", group, file);
    bool read = read_line(path, text, sizeof text);
    free(path);
    return read && text[0] >= '0' && text[0] <= '9' ? (size_t)strtoull(text, NULL, 10) : SIZE_MAX;
}

// What the control groups (version 2) around this process allow: batch systems limit the job, not the machine.
struct group_limit {
    size_t total; // SIZE_MAX: no limit
    size_t available;
};

static struct group_limit group_limit(void) {
    struct group_limit limit = {SIZE_MAX, SIZE_MAX};
    char line[4096] = "";
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && strncmp(line, "0::", 3) != 0 && fgets(line, sizeof line, f))
        ;
    if (f)
        fclose(f);
    if (strncmp(line, "0::", 3) != 0)
        return limit;
    line[strcspn(line, "\n")] = '\0';
    char *group = line + 3;
    for (char *end = group + strlen(group); end; end = strrchr(group, '/')) {
        *end = '\0';
        size_t max = group_bytes(group, "memory.max");
        size_t used = group_bytes(group, "memory.current");
        if (max == SIZE_MAX || used == SIZE_MAX)
            continue;
        size_t left = max > used ? max - used : 0;
        limit.total = max < limit.total ? max : limit.total;
        limit.available = left < limit.available ? left : limit.available;
    }
    return limit;
}

size_t kernel_memory_total(void) {
    size_t machine = proc_bytes("/proc/meminfo", "MemTotal:");
    size_t group = group_limit().total;
    return group < machine ? group : machine;
}

size_t kernel_memory_available(void) {
    size_t machine = proc_bytes("/proc/meminfo", "MemAvailable:");
    size_t group = group_limit().available;
    return group < machine ? group : machine;
}

const char *kernel_pages_unavailable(const struct bench_context *context) {
    enum kernel_pages pages = PAGES_SYSTEM;
    if (kernel_pages_param(context, &pages, NULL) < 0)
        return NULL;
    if (pages == PAGES_HUGE && proc_bytes("/proc/meminfo", "Hugetlb:") == 0)
        return "no huge pages are reserved: sysctl vm.nr_hugepages=N";
    if (pages != PAGES_THP)
        return NULL;
    char text[64] = "";
    FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
    if (!f)
        return "this kernel has no transparent huge pages";
    bool read = fgets(text, sizeof text, f) != NULL;
    fclose(f);
    return !read || strstr(text, "[never]")
               ? "transparent huge pages are off: echo madvise >/sys/kernel/mm/transparent_hugepage/enabled"
               : NULL;
}

static int does_not_fit(size_t bytes, size_t available, struct error *err) {
    error_set(err, EXIT_CODE_LACKS, "mapping %zu MiB of memory", bytes >> 20);
    error_why(err, "only %zu MiB are available, of which a bench takes at most half", available >> 20);
    return error_remedy(err, "use a smaller \"bytes\" or --size small");
}

int kernel_memory_map(size_t bytes, enum kernel_pages pages, struct kernel_memory *out, struct error *err) {
    *out = (struct kernel_memory){0};
    bytes = (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
    size_t available = kernel_memory_available();
    if (pages != PAGES_HUGE && available && bytes > available / 2)
        return does_not_fit(bytes, available, err);
    size_t mapping_bytes = bytes + (pages == PAGES_HUGE ? 0 : HUGE_BYTES);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (pages == PAGES_HUGE ? MAP_HUGETLB : 0);
    void *mapping = mmap(NULL, mapping_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (mapping == MAP_FAILED) {
        error_set(err, EXIT_CODE_LACKS, "mapping %zu MiB of %s memory", bytes >> 20, pages_names[pages]);
        error_why(err, "%s", strerror(errno));
        return error_remedy(err, pages == PAGES_HUGE ? "reserve more: sysctl vm.nr_hugepages=N" : "use fewer bytes");
    }
    uintptr_t aligned = ((uintptr_t)mapping + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1);
    *out = (struct kernel_memory){(void *)aligned, bytes, mapping, mapping_bytes};
    if (pages == PAGES_4K)
        madvise(mapping, mapping_bytes, MADV_NOHUGEPAGE); // fails only where there are no huge pages
    if (pages == PAGES_THP)
        madvise(mapping, mapping_bytes, MADV_HUGEPAGE); // what came of it: kernel_memory_huge_bytes()
    return 0;
}

void kernel_memory_unmap(struct kernel_memory *memory) {
    if (memory->mapping)
        munmap(memory->mapping, memory->mapping_bytes);
    *memory = (struct kernel_memory){0};
}

size_t kernel_memory_huge_bytes(const struct kernel_memory *memory) {
    FILE *f = fopen("/proc/self/smaps", "re");
    if (!f)
        return 0;
    char line[512];
    size_t huge = 0;
    bool inside = false;
    uintptr_t from = (uintptr_t)memory->mapping;
    while (fgets(line, sizeof line, f)) {
        uintptr_t begin;
        uintptr_t end;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &begin, &end) == 2 && strchr(line, '-') < strchr(line, ' '))
            inside = begin < from + memory->mapping_bytes && end > from;
        else if (inside && strncmp(line, "AnonHugePages:", 14) == 0)
            huge += (size_t)strtoull(line + 14, NULL, 10) << 10;
    }
    fclose(f);
    return huge < memory->bytes ? huge : memory->bytes;
}

// Bytes of the largest-level data cache of a CPU if that CPU is the first in the cache's list of sharers, else 0: so a
// sum over CPUs counts each cache once. *found: sysfs knows a cache of this CPU.
static size_t llc_owned_by(int cpu, bool *found) {
    size_t bytes = 0;
    int deepest = 0;
    for (int index = 0; index < 8; index++) {
        char path[128];
        char text[256];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/level", cpu, index);
        if (!read_line(path, text, sizeof text))
            break;
        int level = atoi(text);
        if (level <= deepest)
            continue;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/size", cpu, index);
        if (!read_line(path, text, sizeof text))
            continue;
        deepest = level;
        *found = true;
        bytes = (size_t)strtoull(text, NULL, 10) << (strchr(text, 'M') ? 20 : 10);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cache/index%d/shared_cpu_list", cpu, index);
        if (read_line(path, text, sizeof text) && atoi(text) != cpu)
            bytes = 0;
    }
    return bytes;
}

size_t kernel_llc_bytes(void) {
    size_t total = 0;
    bool found = false;
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    for (int cpu = 0; cpu < cpus; cpu++)
        total += llc_owned_by(cpu, &found);
    if (found && total)
        return total;
    long known = sysconf(_SC_LEVEL3_CACHE_SIZE);
    return known > 0 ? (size_t)known : (size_t)32 << 20;
}

int kernel_bytes_param(const struct bench_context *context, unsigned arrays, size_t *out, const char **limit,
                       struct error *err) {
    *limit = NULL;
    uint64_t bytes = 0;
    if (strcmp(bench_param_text(context, "bytes"), "auto") != 0) {
        if (bench_param_u64(context, "bytes", &bytes, err) < 0)
            return -1;
        *out = (size_t)bytes;
        return 0;
    }
    size_t wanted = 4 * kernel_llc_bytes();
    const struct {
        size_t bytes; // 0: unknown
        const char *text;
    } limits[] = {{kernel_memory_total() / 4 / arrays, "25 % of memory"},
                  {(size_t)sysconf(_SC_NPROCESSORS_ONLN) << 27, "128 MiB a CPU"}};
    *out = wanted;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (limits[i].bytes == 0 || *out <= limits[i].bytes)
            continue;
        *out = limits[i].bytes;
        *limit = limits[i].text;
    }
    return 0;
}

void kernel_bytes_limit(const char *limit, char *out, size_t size) {
    out[0] = '\0';
    if (limit)
        snprintf(out, size, ", smaller than 4 x the last-level caches: %s is the limit", limit);
}
