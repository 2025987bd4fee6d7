// SPDX-License-Identifier: Apache-2.0
// /proc/stat. See proc_stat.h.
#include "collectors/proc_stat.h"

#include "core/json.h"
#include "core/memory.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// A machine with 4096 CPUs and as many interrupts stays below this.
static const size_t max_file = 16U << 20;

static int refuse(struct error *err, const char *why) {
    error_set(err, EXIT_CODE_INPUT, "reading /proc/stat");
    return error_why(err, "%s", why);
}

static struct cpu_times *slot(struct proc_stat *stat, size_t cpu) {
    if (cpu >= stat->count) {
        stat->cpus = mem_resize(stat->cpus, (cpu + 1) * sizeof *stat->cpus);
        memset(stat->cpus + stat->count, 0, (cpu + 1 - stat->count) * sizeof *stat->cpus);
        stat->count = cpu + 1;
    }
    return &stat->cpus[cpu];
}

static int parse_cpu_line(const char *line, struct proc_stat *out, struct error *err) {
    char *at;
    unsigned long cpu = strtoul(line + 3, &at, 10);
    if (cpu >= CPU_SETSIZE)
        return refuse(err, "a CPU's number is too large");
    struct cpu_times *times = slot(out, cpu);
    int columns = 0;
    for (; columns < CPU_TIME_COUNT && *at == ' '; columns++) {
        char *end;
        times->ticks[columns] = strtoull(at, &end, 10);
        if (end == at)
            break;
        at = end;
    }
    bool more = columns == CPU_TIME_COUNT && *at == ' '; // columns of a later kernel
    if (columns <= CPU_IDLE || (*at && *at != '\n' && !more))
        return refuse(err, "a cpu line has too few columns, or they are not numbers");
    times->online = true;
    return 0;
}

int proc_stat_parse(const char *text, struct proc_stat *out, struct error *err) {
    *out = (struct proc_stat){0};
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, "cpu", 3) == 0 && isdigit((unsigned char)line[3])) {
            if (parse_cpu_line(line, out, err)) {
                proc_stat_free(out);
                return -1;
            }
        } else if (strncmp(line, "ctxt ", 5) == 0) {
            out->context_switches = strtoull(line + 5, NULL, 10);
        }
    }
    return out->count ? 0 : refuse(err, "it has no line for any CPU");
}

int proc_stat_read(const char *path, struct proc_stat *out, struct error *err) {
    size_t length;
    char *text = json_read_file(path, max_file, &length, err);
    if (!text)
        return -1;
    int result = proc_stat_parse(text, out, err);
    free(text);
    return result;
}

void proc_stat_free(struct proc_stat *stat) {
    free(stat->cpus);
    *stat = (struct proc_stat){0};
}

double proc_stat_hz(void) {
    long hz = sysconf(_SC_CLK_TCK);
    return hz > 0 ? (double)hz : 100;
}

double proc_stat_seconds(const struct proc_stat *from, const struct proc_stat *to, const cpu_set_t *cpus,
                         enum cpu_time which, unsigned *cpus_found) {
    size_t count = from->count < to->count ? from->count : to->count;
    uint64_t ticks = 0;
    unsigned found = 0;
    for (size_t cpu = 0; cpu < count; cpu++) {
        if (!CPU_ISSET(cpu, cpus) || !from->cpus[cpu].online || !to->cpus[cpu].online)
            continue;
        uint64_t before = from->cpus[cpu].ticks[which];
        uint64_t after = to->cpus[cpu].ticks[which];
        ticks += after > before ? after - before : 0;
        found++;
    }
    if (cpus_found)
        *cpus_found = found;
    return (double)ticks / proc_stat_hz();
}

double proc_stat_quantum_se(unsigned cpus) {
    return sqrt(cpus / 6.0) / proc_stat_hz();
}

double proc_stat_sampling_se(double seconds, double window_s, unsigned cpus) {
    // CLOCK_MONOTONIC_COARSE advances once per timer tick, so its resolution is the kernel's 1/HZ.
    struct timespec tick = {0};
    double tick_s = clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0 ? (double)tick.tv_nsec * 1e-9 : 0.01;
    double whole = window_s * cpus;
    double share = whole > 0 ? seconds / whole : 0;
    double unsampled = share < 1 ? 1 - share : 0;
    return hypot(sqrt(seconds * unsampled * tick_s), proc_stat_quantum_se(cpus));
}
