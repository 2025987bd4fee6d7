// SPDX-License-Identifier: Apache-2.0
// KVM's binary statistics. See kvm_stats.h; format: Documentation/virt/kvm/api.rst, 4.133.
#include "collectors/kvm_stats.h"

#include "core/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST 512 // counters and bytes of a name; KVM has some 60 with names of 48 bytes

struct counter {
    char *name;
    uint32_t offset; // into the data
    uint64_t last;
};

struct kvm_stats {
    int fd;
    off_t data;
    size_t data_size;
    struct counter *counters;
    size_t count, capacity;
};

static int copy_descriptor(pid_t vm, int number) {
    int process = (int)syscall(SYS_pidfd_open, vm, 0);
    int copy = process >= 0 ? (int)syscall(SYS_pidfd_getfd, process, number, 0) : -1;
    if (process >= 0)
        close(process);
    return copy;
}

// The monitor's descriptor of this vCPU's statistics, as /proc names it. KVM gives one to nobody but the monitor.
static int find_descriptor(pid_t vm, unsigned vcpu) {
    char folder[64];
    char wanted[64];
    const struct dirent *entry;
    int found = -1;
    snprintf(folder, sizeof folder, "/proc/%d/fd", (int)vm);
    snprintf(wanted, sizeof wanted, "anon_inode:kvm-vcpu-stats:%u", vcpu);
    DIR *dir = opendir(folder);
    while (dir && found < 0 && (entry = readdir(dir)) != NULL) {
        char path[320];
        char target[64];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        if (strcmp(target, wanted) == 0)
            found = (int)strtol(entry->d_name, NULL, 10);
    }
    if (dir)
        closedir(dir);
    return found;
}

static int open_statistics(pid_t vm, unsigned vcpu) {
    int number = find_descriptor(vm, vcpu);
    return number >= 0 ? copy_descriptor(vm, number) : -1;
}

static bool add_counter(struct kvm_stats *s, const struct kvm_stats_header *header, size_t number) {
    struct kvm_stats_desc row;
    char name[MOST + 1];
    off_t at = header->desc_offset + (off_t)(number * (sizeof row + header->name_size));
    if (pread(s->fd, &row, sizeof row, at) != (ssize_t)sizeof row ||
        pread(s->fd, name, header->name_size, at + (off_t)sizeof row) != (ssize_t)header->name_size)
        return false;
    name[header->name_size] = '\0';
    size_t end = row.offset + sizeof(uint64_t);
    if ((row.flags & KVM_STATS_TYPE_MASK) != KVM_STATS_TYPE_CUMULATIVE || row.size != 1 || end > 1 << 20)
        return true; // levels and histograms do not add up
    struct counter counter = {.name = mem_strdup(name), .offset = row.offset};
    ARRAY_PUSH(s->counters, s->count, s->capacity, counter);
    s->data_size = end > s->data_size ? end : s->data_size;
    return true;
}

static bool read_descriptions(struct kvm_stats *s) {
    struct kvm_stats_header header;
    if (pread(s->fd, &header, sizeof header, 0) != (ssize_t)sizeof header || header.name_size > MOST ||
        header.num_desc > MOST)
        return false;
    s->data = header.data_offset;
    for (size_t i = 0; i < header.num_desc; i++)
        if (!add_counter(s, &header, i))
            return false;
    return s->count > 0;
}

struct kvm_stats *kvm_stats_open(pid_t vm, unsigned vcpu) {
    struct kvm_stats *s = mem_alloc(sizeof *s);
    s->fd = open_statistics(vm, vcpu);
    if (s->fd >= 0 && read_descriptions(s)) {
        cJSON_Delete(kvm_stats_next(s));
        return s;
    }
    kvm_stats_close(s);
    return NULL;
}

void kvm_stats_close(struct kvm_stats *s) {
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        free(s->counters[i].name);
    free(s->counters);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

cJSON *kvm_stats_next(struct kvm_stats *s) {
    char *data = mem_alloc(s->data_size);
    cJSON *grown = NULL;
    bool got = pread(s->fd, data, s->data_size, s->data) == (ssize_t)s->data_size;
    for (size_t i = 0; got && i < s->count; i++) {
        struct counter *c = &s->counters[i];
        uint64_t now;
        memcpy(&now, data + c->offset, sizeof now);
        if (now > c->last) {
            grown = grown ? grown : cJSON_CreateObject();
            json_add_u64(grown, c->name, now - c->last);
        }
        c->last = now;
    }
    free(data);
    return grown;
}
