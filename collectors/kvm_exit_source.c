// SPDX-License-Identifier: Apache-2.0
// Looks at the types of KVM's modules. See kvm_exit_source.h.
#include "collectors/kvm_exit_source.h"

#include "core/memory.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#define RECORD_MAX 8192 // bytes of a format file: 2 kB so far

static bool is_loaded(const char *module) {
    char path[64];
    snprintf(path, sizeof path, "/sys/module/%s", module);
    return access(path, F_OK) == 0;
}

// The types of a module, which come on top of the kernel's and of no other module's. Of one that is built in they are
// the kernel's own.
static struct btf *types_of(const char *module, struct btf *kernel) {
    char path[64];
    snprintf(path, sizeof path, "/sys/kernel/btf/%s", module);
    return access(path, R_OK) == 0 ? btf__load_module_btf(module, kernel) : NULL;
}

static bool has_member(const struct btf *types, const char *name, const char *member) {
    int id = btf__find_by_name_kind(types, name, BTF_KIND_STRUCT);
    const struct btf_type *type = id > 0 ? btf__type_by_id(types, (unsigned)id) : NULL;
    for (int i = 0; type && i < btf_vlen(type); i++)
        if (strcmp(btf__name_by_offset(types, btf_members(type)[i].name_off), member) == 0)
            return true;
    return false;
}

// The arguments of kvm_exit: (data, vcpu, isa), or (data, reason, vcpu, isa) in older kernels. 0: not known.
static int arguments_of_kvm_exit(const struct btf *types) {
    int id = btf__find_by_name_kind(types, "btf_trace_kvm_exit", BTF_KIND_TYPEDEF);
    const struct btf_type *type = id > 0 ? btf__type_by_id(types, (unsigned)id) : NULL;
    while (type && (btf_is_typedef(type) || btf_is_ptr(type)))
        type = btf__type_by_id(types, type->type);
    return type && btf_is_func_proto(type) ? btf_vlen(type) : 0;
}

static enum kvm_exit_source look(struct btf *kernel, struct btf *kvm, struct btf *vendor) {
    const struct btf *common = kvm ? kvm : kernel;
    const struct btf *own = vendor ? vendor : kernel;
    int arguments = arguments_of_kvm_exit(common);
    if (!has_member(common, "kvm_vcpu", "vcpu_id"))
        return KVM_EXIT_IN_RECORD;
    if (arguments == 4)
        return KVM_EXIT_IN_ARGUMENT;
    if (arguments != 3)
        return KVM_EXIT_IN_RECORD;
    if (is_loaded("kvm_amd") && has_member(own, "vcpu_svm", "vmcb") && has_member(own, "vmcb", "control"))
        return KVM_EXIT_IN_VMCB;
    if (is_loaded("kvm_intel") && has_member(own, "vcpu_vmx", "exit_reason"))
        return KVM_EXIT_IN_VCPU_VMX;
    return KVM_EXIT_IN_RECORD;
}

enum kvm_exit_source kvm_exit_source(void) {
    struct btf *kernel = btf__load_vmlinux_btf();
    if (!kernel)
        return KVM_EXIT_IN_RECORD;
    struct btf *kvm = types_of("kvm", kernel);
    struct btf *vendor = types_of(is_loaded("kvm_amd") ? "kvm_amd" : "kvm_intel", kernel);
    enum kvm_exit_source source = look(kernel, kvm, vendor);
    btf__free(vendor);
    btf__free(kvm);
    btf__free(kernel);
    return source;
}

// --- the tracepoint's record ----------------------------------------------------------------------------------------

// A mount that no path leads to; it goes with the descriptor. -1 with errno.
static int tracefs_of_our_own(void) {
    int context = fsopen("tracefs", FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    int folder = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ? -1 : fsmount(context, FSMOUNT_CLOEXEC, 0);
    int error = errno;
    close(context);
    errno = error;
    return folder;
}

static int open_tracefs(void) {
    static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
    char path[64];
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        snprintf(path, sizeof path, "%s/events", places[i]);
        if (access(path, R_OK) == 0)
            return open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    return tracefs_of_our_own();
}

// NULL with errno.
static char *read_at(int folder, const char *path) {
    char *text = mem_alloc(RECORD_MAX);
    size_t length = 0;
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && length < RECORD_MAX - 1) {
        got = read(fd, text + length, RECORD_MAX - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (got >= 0)
        return text;
    free(text);
    errno = error;
    return NULL;
}

char *kvm_exit_record(uint64_t *id) {
    int tracefs = open_tracefs();
    if (tracefs < 0)
        return NULL;
    char *format = read_at(tracefs, "events/kvm/kvm_exit/format");
    int error = errno;
    char *number = format ? read_at(tracefs, "events/kvm/kvm_exit/id") : NULL;
    *id = number ? strtoull(number, NULL, 10) : 0;
    free(number);
    close(tracefs);
    errno = error;
    return format;
}

// --- the kernel's clock ---------------------------------------------------------------------------------------------

static bool clock_is_tsc(void) {
    char name[16] = "";
    FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
    bool read = file && fgets(name, sizeof name, file);
    if (file)
        fclose(file);
    return read && strcmp(name, "tsc\n") == 0;
}

bool kvm_clock_source(struct kvm_clock_source *out) {
    char line[512];
    FILE *file = clock_is_tsc() ? fopen("/proc/kallsyms", "re") : NULL;
    while (file && !(out->monotonic && out->tsc) && fgets(line, sizeof line, file)) {
        const char *name = line + strcspn(line, " "); // "ffffffff82b2ac80 d tk_fast_mono"
        if (strlen(name) < 4)
            continue;
        if (strcmp(name + 3, "tk_fast_mono\n") == 0)
            out->monotonic = strtoull(line, NULL, 16);
        else if (strcmp(name + 3, "clocksource_tsc\n") == 0)
            out->tsc = strtoull(line, NULL, 16);
    }
    if (file)
        fclose(file);
    return out->monotonic && out->tsc;
}

bool kvm_exit_is_late(void) {
    struct utsname name;
    unsigned major = 0;
    unsigned minor = 0;
    if (!is_loaded("kvm_amd") || uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
        return false;
    return major < 6 || (major == 6 && minor < 5);
}
