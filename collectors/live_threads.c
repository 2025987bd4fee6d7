// SPDX-License-Identifier: Apache-2.0
// Run time and run-queue delay of live threads. See live_threads.h.
#include "collectors/live_threads.h"

#include <dirent.h>
#include <stdio.h>

static void add_thread(const char *folder, const char *thread, struct live_threads *sum) {
    char path[320];
    unsigned long long run_ns;
    unsigned long long wait_ns;
    snprintf(path, sizeof path, "%s/%s/schedstat", folder, thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    if (fscanf(file, "%llu %llu", &run_ns, &wait_ns) == 2) {
        sum->run_s += (double)run_ns * 1e-9;
        sum->wait_s += (double)wait_ns * 1e-9;
    }
    fclose(file);
}

struct live_threads live_threads_read(pid_t process) {
    struct live_threads sum = {0};
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *folder = opendir(path);
    if (!folder)
        return sum;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.')
            add_thread(path, entry->d_name, &sum);
    }
    closedir(folder);
    return sum;
}
