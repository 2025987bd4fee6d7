// SPDX-License-Identifier: Apache-2.0
// A run's circumstances. See circumstances.h. A new one is a row of the table.
#include "collectors/circumstances.h"
#include "collectors/cgroup_limits.h"
#include "collectors/libraries.h"

#include "core/memory.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Files whose whole text is the value. Most are described in Documentation/ABI of the kernel and in proc(5).
static const struct {
    const char *key;
    const char *path;
} files[] = {
    {"cmdline", "/proc/cmdline"},
    {"clocksource", "/sys/devices/system/clocksource/clocksource0/current_clocksource"},
    {"governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"},
    {"frequency_driver", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver"},
    {"turbo_off", "/sys/devices/system/cpu/intel_pstate/no_turbo"},
    {"boost", "/sys/devices/system/cpu/cpufreq/boost"},
    {"idle_driver", "/sys/devices/system/cpu/cpuidle/current_driver"},
    {"idle_governor", "/sys/devices/system/cpu/cpuidle/current_governor_ro"},
    {"smt", "/sys/devices/system/cpu/smt/control"},
    {"online_cpus", "/sys/devices/system/cpu/online"},
    {"isolated_cpus", "/sys/devices/system/cpu/isolated"},
    {"nohz_full", "/sys/devices/system/cpu/nohz_full"},
    {"thp", "/sys/kernel/mm/transparent_hugepage/enabled"},
    {"thp_defrag", "/sys/kernel/mm/transparent_hugepage/defrag"},
    {"hugepages", "/proc/sys/vm/nr_hugepages"},
    {"swappiness", "/proc/sys/vm/swappiness"},
    {"numa_balancing", "/proc/sys/kernel/numa_balancing"},
    {"aslr", "/proc/sys/kernel/randomize_va_space"},
    {"perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid"},
    {"bpf_stats", "/proc/sys/kernel/bpf_stats_enabled"},
    {"bios_vendor", "/sys/class/dmi/id/bios_vendor"},
    {"bios_version", "/sys/class/dmi/id/bios_version"},
    {"bios_date", "/sys/class/dmi/id/bios_date"},
};

// Lines of /proc/cpuinfo, of the first CPU.
static const struct {
    const char *key;
    const char *name;
} cpuinfo[] = {
    {"cpu_model", "model name"},
    {"microcode", "microcode"},
};

static const char vulnerabilities[] = "/sys/devices/system/cpu/vulnerabilities";

// Reads at most size - 1 bytes and drops white space at the end. False if there is nothing.
static bool read_text(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, out, size - 1);
    close(fd);
    if (got <= 0)
        return false;
    while (got > 0 && isspace((unsigned char)out[got - 1]))
        got--;
    out[got] = '\0';
    return got > 0;
}

// One key for each instruction set and feature, so that two machines differ in those that one lacks.
static void add_flags(cJSON *object, char *flags) {
    cJSON *list = cJSON_AddObjectToObject(object, "cpu_flags");
    for (char *flag; (flag = strsep(&flags, " \t"));)
        if (*flag)
            cJSON_AddTrueToObject(list, flag);
}

static void add_cpuinfo(cJSON *object) {
    char text[8192];
    if (!read_text("/proc/cpuinfo", text, sizeof text))
        return;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');
        bool flags = strncmp(line, "flags\t", 6) == 0 || strncmp(line, "Features\t", 9) == 0;
        if (flags && colon && !cJSON_HasObjectItem(object, "cpu_flags"))
            add_flags(object, colon + 1);
        for (size_t i = 0; i < ARRAY_LEN(cpuinfo); i++) {
            const char *value = strchr(line, ':');
            size_t length = strlen(cpuinfo[i].name);
            if (value && strncmp(line, cpuinfo[i].name, length) == 0 && isspace((unsigned char)line[length]) &&
                !cJSON_HasObjectItem(object, cpuinfo[i].key))
                json_add_string(object, cpuinfo[i].key, value + 1 + strspn(value + 1, " \t"));
        }
    }
}

// One key for each known CPU vulnerability: the mitigation costs time at each exit and system call.
static void add_mitigations(cJSON *object) {
    DIR *folder = opendir(vulnerabilities);
    if (!folder)
        return;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        char text[256];
        char *path = mem_printf("%s/%s", vulnerabilities, entry->d_name);
        char *key = mem_printf("mitigation_%s", entry->d_name);
        if (entry->d_name[0] != '.' && read_text(path, text, sizeof text))
            json_add_string(object, key, text);
        free(path);
        free(key);
    }
    closedir(folder);
}

cJSON *circumstances_to_json(void) {
    cJSON *object = cJSON_CreateObject();
    char text[2048];
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (read_text(files[i].path, text, sizeof text))
            json_add_string(object, files[i].key, text);
    }
    add_cpuinfo(object);
    add_mitigations(object);
    cgroup_limits_add(object, "/proc", "/sys");
    cJSON_AddItemToObject(object, "libraries", libraries_to_json());
    return object;
}
