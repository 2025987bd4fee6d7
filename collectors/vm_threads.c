// SPDX-License-Identifier: Apache-2.0
// Threads of virtual machines beside the vCPUs. See vm_threads.h.
#include "collectors/vm_threads.h"

#include "core/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESCAN 10 // readings between two looks for kernel threads

struct thread {
    pid_t tid;
    uint64_t ran_ns;
    char name[32];
    bool seen;
};

struct vm_threads {
    pid_t vm;
    struct thread *items;
    size_t count, capacity;
    pid_t *workers; // vhost workers that are kernel threads of their own (before Linux 6.4)
    size_t worker_count, worker_capacity;
    unsigned readings;
};

struct vm_threads *vm_threads_new(pid_t vm) {
    struct vm_threads *t = mem_alloc(sizeof *t);
    t->vm = vm;
    return t;
}

void vm_threads_free(struct vm_threads *t) {
    if (!t)
        return;
    free(t->items);
    free(t->workers);
    free(t);
}

static bool read_text(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, out, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    out[got > 0 ? got : 0] = '\0';
    return got > 0;
}

static bool read_name(pid_t tid, char *out, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)tid);
    if (!read_text(path, out, size))
        return false;
    out[strcspn(out, "\n")] = '\0';
    return true;
}

// Time on a CPU: the first number of schedstat, nanoseconds.
static bool read_ran(pid_t tid, uint64_t *ns) {
    char path[64];
    char text[96];
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)tid);
    return read_text(path, text, sizeof text) && sscanf(text, "%lu", ns) == 1;
}

static struct thread *find(struct vm_threads *t, pid_t tid, bool *is_new) {
    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].tid == tid) {
            *is_new = false;
            return &t->items[i];
        }
    struct thread thread = {.tid = tid};
    *is_new = true;
    if (!read_name(tid, thread.name, sizeof thread.name))
        return NULL;
    ARRAY_PUSH(t->items, t->count, t->capacity, thread);
    return &t->items[t->count - 1];
}

static void add(struct vm_threads *t, pid_t tid, struct vm_thread_time *out) {
    bool is_new;
    uint64_t ran = 0;
    struct thread *thread = find(t, tid, &is_new);
    if (!thread || !read_ran(tid, &ran))
        return;
    thread->seen = true;
    // A thread that was not there at the last reading has all its time since then.
    uint64_t since = is_new && t->readings == 0 ? ran : thread->ran_ns;
    uint64_t ns = ran > since ? ran - since : 0;
    thread->ran_ns = ran;
    if (ns == 0)
        return;
    enum vm_thread_kind kind = strncmp(thread->name, "vhost-", 6) == 0 ? VM_THREAD_VHOST : VM_THREAD_MONITOR;
    out[kind].seconds += (double)ns * 1e-9;
    if (!out[kind].threads)
        out[kind].threads = cJSON_CreateObject();
    cJSON *sum = cJSON_GetObjectItemCaseSensitive(out[kind].threads, thread->name);
    if (sum)
        cJSON_SetNumberValue(sum, sum->valuedouble + (double)ns * 1e-9);
    else
        json_add_double(out[kind].threads, thread->name, (double)ns * 1e-9);
}

static void find_workers(struct vm_threads *t) {
    char wanted[32];
    const struct dirent *entry;
    DIR *dir = opendir("/proc");
    t->worker_count = 0;
    snprintf(wanted, sizeof wanted, "vhost-%d", (int)t->vm);
    while (dir && (entry = readdir(dir)) != NULL) {
        char name[32];
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && read_name(pid, name, sizeof name) && strcmp(name, wanted) == 0)
            ARRAY_PUSH(t->workers, t->worker_count, t->worker_capacity, pid);
    }
    if (dir)
        closedir(dir);
}

static void forget_ended(struct vm_threads *t) {
    size_t kept = 0;
    for (size_t i = 0; i < t->count; i++)
        if (t->items[i].seen) {
            t->items[kept] = t->items[i];
            t->items[kept++].seen = false;
        }
    t->count = kept;
}

void vm_threads_read(struct vm_threads *t, bool (*is_vcpu)(const void *context, pid_t tid), const void *context,
                     struct vm_thread_time out[VM_THREAD_KINDS]) {
    char path[64];
    const struct dirent *entry;
    memset(out, 0, VM_THREAD_KINDS * sizeof *out);
    snprintf(path, sizeof path, "/proc/%d/task", (int)t->vm);
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir)) != NULL) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid > 0 && !is_vcpu(context, tid))
            add(t, tid, out);
    }
    if (dir)
        closedir(dir);
    if (t->readings % RESCAN == 0)
        find_workers(t);
    for (size_t i = 0; i < t->worker_count; i++)
        add(t, t->workers[i], out);
    forget_ended(t);
    t->readings++;
}
