// SPDX-License-Identifier: Apache-2.0
// Common to collectors with eBPF probes. See probe.h.
#include "collectors/probe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int say_nothing(enum libbpf_print_level level, const char *format, va_list args) {
    (void)level;
    (void)format;
    (void)args;
    return 0;
}

void probe_quiet(void) {
    libbpf_set_print(say_nothing);
}

static bool has_capability(const struct __user_cap_data_struct *caps, unsigned cap) {
    return caps[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

bool probe_permitted(char *hint, size_t size) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {{0}};
    bool known = syscall(SYS_capget, &header, caps) == 0;
    if (known &&
        (has_capability(caps, CAP_SYS_ADMIN) || (has_capability(caps, CAP_BPF) && has_capability(caps, CAP_PERFMON))))
        return true;
    snprintf(hint, size, "run as root, or: setcap cap_bpf,cap_perfmon+ep on the program");
    return false;
}

void probe_refused(struct collector_status *status, const char *what, int error) {
    char hint[sizeof status->hint] = "";
    if (error == EPERM || error == EACCES) {
        if (probe_permitted(hint, sizeof hint))
            snprintf(hint, sizeof hint, "kernel lockdown, a container or the provider forbids eBPF here");
    } else if (error == ENOENT) {
        snprintf(hint, sizeof hint, "another kernel: this one does not have it");
    } else if (error == ENOSYS || error == EINVAL || error == E2BIG) {
        snprintf(hint, sizeof hint, "a kernel from 5.10 on, built with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS");
    }
    collector_say(status, COLLECTOR_UNAVAILABLE, hint, "%s: %s", what, strerror(error));
}

bool probe_has_function(struct btf *types, const char *name, const char *module) {
    if (btf__find_by_name_kind(types, name, BTF_KIND_FUNC) > 0)
        return true;
    struct btf *own = module ? btf__load_module_btf(module, types) : NULL;
    bool found = own && btf__find_by_name_kind(own, name, BTF_KIND_FUNC) > 0;
    btf__free(own); // NULL is fine
    return found;
}

void *probe_map(const struct bpf_map *map, size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void probe_look(const struct bpf_program *program, const cpu_set_t *cpus) {
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        LIBBPF_OPTS(bpf_test_run_opts, here, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = cpu);
        if (CPU_ISSET(cpu, cpus))
            bpf_prog_test_run_opts(bpf_program__fd(program), &here);
    }
}

double probe_share(const cpu_set_t *cpus) {
    return fmin((double)CPU_COUNT(cpus) / (double)sysconf(_SC_NPROCESSORS_ONLN), 1);
}

int probe_stats_on(void) {
    return bpf_enable_stats(BPF_STATS_RUN_TIME);
}

int probe_cost_read(const struct bpf_program *program, struct probe_cost *out) {
    struct bpf_prog_info info = {0};
    __u32 size = sizeof info;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
        return -1;
    *out = (struct probe_cost){.run_ns = info.run_time_ns, .runs = info.run_cnt};
    return 0;
}

struct probe_cost probe_cost_of(const struct bpf_program *program) {
    struct probe_cost cost = {0};
    if (probe_cost_read(program, &cost))
        cost = (struct probe_cost){0};
    return cost;
}
