// SPDX-License-Identifier: Apache-2.0
// The table of capabilities and their tests. See capabilities.h.
#include "collectors/capabilities.h"

#include "collectors/pmu_events.h"
#include "collectors/probe.h"
#include "collectors/proc_stat.h"
#include "collectors/steal_clock.h"
#include "core/memory.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <linux/perf_event.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

// --- results ------------------------------------------------------------------------------------------------------

static void works(struct capability *c, const char *how) {
    c->works = true;
    snprintf(c->reason, sizeof c->reason, "%s", how);
}

static void fails(struct capability *c, const char *reason, const char *remedy) {
    c->works = false;
    snprintf(c->reason, sizeof c->reason, "%.*s", (int)sizeof c->reason - 1, reason);
    snprintf(c->remedy, sizeof c->remedy, "%s", remedy);
}

// `step` failed with `error` (an errno value). Without the right to trace, that right is the remedy.
static void refused(struct capability *c, const char *step, int error, const char *remedy) {
    char hint[128];
    snprintf(c->reason, sizeof c->reason, "%s: %s", step, strerror(error));
    bool denied = error == EPERM || error == EACCES;
    snprintf(c->remedy, sizeof c->remedy, "%s", denied && !probe_permitted(hint, sizeof hint) ? hint : remedy);
    c->works = false;
}

// --- eBPF ---------------------------------------------------------------------------------------------------------

static const char allowed_remedy[] = "kernel lockdown, a container or the provider forbids it";

// The smallest program: return 0.
static int load_empty(enum bpf_prog_type type, enum bpf_attach_type attach, int btf_id) {
    const struct bpf_insn program[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = attach;
    options.attach_btf_id = (__u32)btf_id;
    int fd = bpf_prog_load(type, "metalgap_try", "GPL", program, ARRAY_LEN(program), &options);
    return fd < 0 ? -errno : fd;
}

static void try_rights(struct capability *c) {
    char hint[128];
    if (probe_permitted(hint, sizeof hint))
        works(c, "");
    else
        fails(c, "this process has neither CAP_SYS_ADMIN nor CAP_BPF with CAP_PERFMON", hint);
}

static void try_btf(struct capability *c) {
    struct btf *btf = btf__load_vmlinux_btf();
    if (btf)
        works(c, "");
    else
        refused(c, "reading the kernel's BTF", errno, "a kernel built with CONFIG_DEBUG_INFO_BTF");
    btf__free(btf);
}

static void try_raw_tp(struct capability *c) {
    int program = load_empty(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0);
    if (program < 0) {
        refused(c, "loading", -program, allowed_remedy);
        return;
    }
    int link = bpf_raw_tracepoint_open("sched_process_exit", program);
    if (link < 0)
        refused(c, "attaching", errno, allowed_remedy);
    else
        works(c, "");
    close(link);
    close(program);
}

// Programs with typed arguments: loaded for one function or tracepoint of the kernel, then attached to it.
static void try_typed(struct capability *c, const char *target, enum bpf_attach_type attach, const char *remedy) {
    int btf_id = libbpf_find_vmlinux_btf_id(target, attach);
    if (btf_id < 0) {
        refused(c, "looking its target up in BTF", -btf_id, "a kernel built with CONFIG_DEBUG_INFO_BTF");
        return;
    }
    int program = load_empty(BPF_PROG_TYPE_TRACING, attach, btf_id);
    if (program < 0) {
        refused(c, "loading", -program, remedy);
        return;
    }
    int link = bpf_raw_tracepoint_open(NULL, program);
    if (link < 0)
        refused(c, "attaching", errno, remedy);
    else
        works(c, "");
    close(link);
    close(program);
}

static void try_tp_btf(struct capability *c) {
    try_typed(c, "sched_process_exit", BPF_TRACE_RAW_TP, allowed_remedy);
}

static void try_fentry(struct capability *c) {
    try_typed(c, "vfs_fsync_range", BPF_TRACE_FENTRY,
              "a kernel with CONFIG_FUNCTION_TRACER whose provider permits BPF trampolines");
}

static int read_number(const char *path) {
    size_t length;
    char *text = json_read_file(path, 4096, &length, NULL);
    int value = text ? (int)strtol(text, NULL, 10) : -1;
    free(text);
    return value;
}

static int perf_open(struct perf_event_attr *attr, pid_t pid, int cpu) {
    attr->size = sizeof *attr;
    int fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

// Attaches an empty program to a perf event and closes both.
static void try_on_event(struct capability *c, int event, enum bpf_prog_type type, const char *remedy) {
    int program = load_empty(type, 0, 0);
    if (program < 0)
        refused(c, "loading", -program, remedy);
    else if (ioctl(event, PERF_EVENT_IOC_SET_BPF, program))
        refused(c, "attaching", errno, remedy);
    else
        works(c, "");
    if (program >= 0)
        close(program);
    close(event);
}

static void try_kprobe(struct capability *c) {
    static const char remedy[] = "a kernel with CONFIG_KPROBE_EVENTS whose provider permits kprobes";
    int type = read_number("/sys/bus/event_source/devices/kprobe/type");
    if (type < 0) {
        fails(c, "the kernel has no kprobes", "a kernel with CONFIG_KPROBE_EVENTS");
        return;
    }
    struct perf_event_attr attr = {.type = (__u32)type, .kprobe_func = (__u64)(uintptr_t) "vfs_fsync_range"};
    int event = perf_open(&attr, -1, 0);
    if (event < 0)
        refused(c, "attaching", -event, remedy);
    else
        try_on_event(c, event, BPF_PROG_TYPE_KPROBE, remedy);
}

static void try_perf_bpf(struct capability *c) {
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_CPU_CLOCK, .sample_period = 1000003};
    int event = perf_open(&attr, -1, 0);
    if (event < 0)
        refused(c, "opening the sampling timer", -event, allowed_remedy);
    else
        try_on_event(c, event, BPF_PROG_TYPE_PERF_EVENT, allowed_remedy);
}

static void try_bpf_stats(struct capability *c) {
    int fd = probe_stats_on();
    if (fd < 0) {
        refused(c, "switching them on", errno, "Linux 5.8 or later");
        return;
    }
    close(fd);
    works(c, "");
}

// --- counters -----------------------------------------------------------------------------------------------------

static void try_perf_software(struct capability *c) {
    int fd =
        pmu_open(pmu_software[PMU_PAGE_FAULTS].name, &(struct pmu_target){.pid = 0, .cpu = -1, .user_only = true}, -1);
    if (fd < 0) {
        refused(c, "perf_event_open", -fd, "sysctl kernel.perf_event_paranoid=2, or run as root");
        return;
    }
    close(fd);
    works(c, "");
}

static void try_pmu(struct capability *c) {
    char why[128] = "";
    char hint[128] = "";
    if (pmu_self_test(why, sizeof why, hint, sizeof hint))
        works(c, "a loop of 10^7 instructions was counted right");
    else
        fails(c, why, hint);
}

static void try_perf_cpus(struct capability *c) {
    char why[96];
    int fd = pmu_open(pmu_software[PMU_PAGE_FAULTS].name, &(struct pmu_target){.pid = -1, .cpu = 0}, -1);
    if (fd >= 0) {
        close(fd);
        works(c, "");
        return;
    }
    snprintf(why, sizeof why, "perf_event_open: %s (perf_event_paranoid is %d)", strerror(-fd),
             read_number("/proc/sys/kernel/perf_event_paranoid"));
    fails(c, why, "run as root, or: sysctl kernel.perf_event_paranoid=0");
}

// --- the machine --------------------------------------------------------------------------------------------------

static void try_steal_clock(struct capability *c) {
    struct proc_stat now;
    struct steal_clock clock;
    struct error err;
    if (proc_stat_read("/proc/stat", &now, &err)) {
        fails(c, err.why, "mount /proc");
        return;
    }
    steal_clock_find(&now, &clock);
    proc_stat_free(&now);
    if (clock.provided)
        works(c, clock.reason);
    else
        fails(c, clock.reason, clock.hint);
}

static void try_clock_source(struct capability *c) {
    static const char *const cheap[] = {"tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page",
                                        "timebase"};
    size_t length;
    char *name =
        json_read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", 4096, &length, NULL);
    if (!name) {
        fails(c, "sysfs does not tell the clock source", "mount /sys");
        return;
    }
    name[strcspn(name, "\n")] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(cheap) && !c->works; i++) {
        if (strcmp(name, cheap[i]) == 0)
            works(c, name);
    }
    char *text = mem_printf("the clock source is %s: each reading may leave the guest", name);
    if (!c->works)
        fails(c, text, "write tsc to .../clocksource0/current_clocksource if it is among the available ones");
    free(text);
    free(name);
}

static void try_membarrier(struct capability *c) {
    long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (commands < 0)
        refused(c, "membarrier", errno, "a kernel with CONFIG_MEMBARRIER");
    else if (!(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED))
        fails(c, "membarrier has no expedited command", "Linux 4.14 or later");
    else if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        fails(c, "there is only one CPU", "");
    else
        works(c, "");
}

static void try_hugepages(struct capability *c) {
    enum { HUGE = 2 << 20 };
    void *page = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    if (page == MAP_FAILED) {
        fails(c, "no huge page is reserved", "sysctl vm.nr_hugepages=64");
        return;
    }
    munmap(page, HUGE);
    works(c, "");
}

static void try_tracefs(struct capability *c) {
    static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
    struct statfs fs;
    for (size_t i = 0; i < ARRAY_LEN(places) && !c->works; i++) {
        if (statfs(places[i], &fs) == 0 && fs.f_type == TRACEFS_MAGIC)
            works(c, places[i]);
    }
    if (!c->works)
        fails(c, "it is not mounted", "mount -t tracefs tracefs /sys/kernel/tracing");
}

static void try_cpuid_module(struct capability *c) {
    int fd = open("/dev/cpu/0/cpuid", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        refused(c, "opening /dev/cpu/0/cpuid", errno, "modprobe cpuid");
        return;
    }
    close(fd);
    works(c, "");
}

static void try_kvm(struct capability *c) {
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        refused(c, "opening /dev/kvm", errno, "nested virtualisation, or a bare-metal machine");
        return;
    }
    close(fd);
    works(c, "");
}

// Starts the launcher itself: a file in PATH may lack its libraries.
static void try_mpirun(struct capability *c) {
    char *argv[] = {"mpirun", "--version", NULL};
    posix_spawn_file_actions_t quiet;
    pid_t child;
    int status = 0;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int error = posix_spawnp(&child, argv[0], &quiet, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&quiet);
    if (error)
        refused(c, "starting mpirun", error, "apt-get install openmpi-bin");
    else if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fails(c, "mpirun --version failed", "apt-get install --reinstall openmpi-bin");
    else
        works(c, "");
}

// --- the table ----------------------------------------------------------------------------------------------------

static const struct {
    const char *name;
    const char *enables;
    void (*test)(struct capability *c);
} rows[] = {
    {"tracing rights", "all eBPF collectors", try_rights},
    {"raw_tp", "counting exits, interrupts and faults (collector guest_exits)", try_raw_tp},
    {"bpf stats", "what the probes cost (cause observer)", try_bpf_stats},
    {"btf", "probes that read kernel structures, on any kernel", try_btf},
    {"tp_btf", "tracepoints with typed arguments", try_tp_btf},
    {"fentry", "timing exits around kernel functions (virtio kicks, PV IPIs, PV TLB flushes)", try_fentry},
    {"kprobe", "the same where fentry is refused, at a higher cost", try_kprobe},
    {"perf sampling", "sampling by timer with eBPF: which instructions exit, and for how long", try_perf_bpf},
    {"perf software", "page faults, switches and migrations of the job (collector pmu)", try_perf_software},
    {"perf whole CPUs", "counting all that runs on the job's CPUs (collector pmu)", try_perf_cpus},
    {"hardware pmu", "cycles, instructions, cache misses, time that the vCPU did not run", try_pmu},
    {"steal clock", "time that the host took away (collector steal)", try_steal_clock},
    {"clock source", "reading time without leaving the guest", try_clock_source},
    {"membarrier", "calibrating the cost of IPIs (bench traps)", try_membarrier},
    {"huge pages", "memory latency without page-table walks (bench chase)", try_hugepages},
    {"mpirun", "the MPI benches and applications", try_mpirun},
    {"tracefs", "looking at tracepoints with other tools; metalgap does not need it", try_tracefs},
    {"cpuid device", "CPUID of each CPU for other tools; metalgap executes the instruction", try_cpuid_module},
    {"kvm", "running guests: the lab's virtual machines at full speed", try_kvm},
};

const size_t capability_count = ARRAY_LEN(rows);

void capability_try(size_t index, struct capability *out) {
    *out = (struct capability){.name = rows[index].name, .enables = rows[index].enables};
    probe_quiet();
    rows[index].test(out);
}

cJSON *capability_to_json(const struct capability *c) {
    cJSON *row = cJSON_CreateObject();
    json_add_string(row, "name", c->name);
    cJSON_AddBoolToObject(row, "works", c->works);
    json_add_string(row, "reason", c->reason[0] ? c->reason : NULL);
    json_add_string(row, "remedy", c->remedy[0] ? c->remedy : NULL);
    json_add_string(row, "enables", c->enables);
    return row;
}
