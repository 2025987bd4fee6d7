// SPDX-License-Identifier: Apache-2.0
// KVM's files in debugfs. See kvm_debugfs.h.
#include "collectors/kvm_debugfs.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool read_number(const char *folder, const char *vm, unsigned vcpu, const char *file, long long *out) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s/vcpu%u/%s", folder, vm, vcpu, file);
    FILE *f = fopen(path, "re");
    bool got = f && fscanf(f, "%lld", out) == 1;
    if (f)
        fclose(f);
    return got;
}

static void read_offset(const char *folder, const char *vm, unsigned vcpu, struct kvm_offset *out) {
    long long offset = 0;
    long long ratio = 0;
    long long bits = 0;
    if (!read_number(folder, vm, vcpu, "tsc-offset", &offset))
        return;
    *out = (struct kvm_offset){.known = true, .offset = offset, .ratio = 1};
    if (read_number(folder, vm, vcpu, "tsc-scaling-ratio", &ratio) && ratio > 0 &&
        read_number(folder, vm, vcpu, "tsc-scaling-ratio-frac-bits", &bits) && bits > 0 && bits < 63)
        out->ratio = (double)ratio / exp2((double)bits);
}

void kvm_offset_read_in(const char *folder, pid_t vm, unsigned vcpu, struct kvm_offset *out) {
    char prefix[32];
    const struct dirent *entry;
    DIR *dir = opendir(folder);
    *out = (struct kvm_offset){0};
    snprintf(prefix, sizeof prefix, "%d-", (int)vm);
    while (dir && !out->known && (entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            read_offset(folder, entry->d_name, vcpu, out);
    if (dir)
        closedir(dir);
}

void kvm_offset_read(pid_t vm, unsigned vcpu, struct kvm_offset *out) {
    kvm_offset_read_in("/sys/kernel/debug/kvm", vm, vcpu, out);
}
