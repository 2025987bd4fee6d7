// SPDX-License-Identifier: Apache-2.0
// Looks at the types of KVM's modules. See kvm_exit_source.h.
#include "collectors/kvm_exit_source.h"

#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static bool is_loaded(const char *module) {
    char path[64];
    snprintf(path, sizeof path, "/sys/module/%s", module);
    return access(path, F_OK) == 0;
}

// The types of a module. Of one that is built in they are the kernel's own.
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
    struct btf *vendor = types_of(is_loaded("kvm_amd") ? "kvm_amd" : "kvm_intel", kvm ? kvm : kernel);
    enum kvm_exit_source source = look(kernel, kvm, vendor);
    btf__free(vendor);
    btf__free(kvm);
    btf__free(kernel);
    return source;
}

bool kvm_exit_is_late(void) {
    struct utsname name;
    unsigned major = 0;
    unsigned minor = 0;
    if (!is_loaded("kvm_amd") || uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
        return false;
    return major < 6 || (major == 6 && minor < 5);
}
