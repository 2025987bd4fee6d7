// SPDX-License-Identifier: Apache-2.0
// Loading, attaching and reading the programs of a KVM host. See kvm_host.h.
#include "collectors/kvm_host.h"

#include "collectors/kvm_exit_source.h"
#include "collectors/probe.h"
#include "core/arch.h"
#include "core/knock.h"
#include "core/memory.h"
#include "core/str.h"
#include "probes/kvm_host.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// A host with more running vCPUs than this times its CPUs is beyond use; what finds no slot is counted.
#define SLOTS_PER_CPU 8
#define MIN_SLOTS     64
#define MAX_SLOTS     4096
#define MAX_LINKS     24
#define READ_TRIES    1000

_Static_assert(KVM_KNOCK_LEAF == KNOCK_LEAF, "programs listen for what guests say");

struct kvm_host {
    struct kvm_host_bpf *bpf;
    struct kvm_vcpu_state *vcpus; // the kernel's, mapped
    size_t slots;
    size_t cpus;
    struct bpf_link *links[MAX_LINKS];
    size_t link_count;
    uint64_t record_id; // of the tracepoint kvm_exit; 0: its record is not used
};

static size_t map_bytes(const struct kvm_host *h) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (h->slots * sizeof *h->vcpus + page - 1) / page * page;
}

// --- the record of kvm_exit -----------------------------------------------------------------------------------------

// Where the record has a field of 4 bytes: "	field:u32 isa;	offset:24;	size:4;	signed:0;". 0 if it has none.
static uint32_t offset_of(const char *format, const char *field) {
    char wanted[64];
    unsigned offset = 0;
    unsigned size = 0;
    snprintf(wanted, sizeof wanted, " %s;\toffset:", field);
    const char *found = strstr(format, wanted);
    if (!found || sscanf(found + strlen(wanted), "%u;\tsize:%u;", &offset, &size) != 2 || size != 4)
        return 0;
    return offset;
}

static bool set_offsets(struct kvm_host *h, struct collector_status *status) {
    char *format = kvm_exit_record(&h->record_id);
    if (!format) {
        collector_say(status, COLLECTOR_UNAVAILABLE,
                      errno == ENOENT
                          ? "load the module kvm_intel or kvm_amd; on a machine that cannot host KVM guests "
                            "there is nothing to see"
                          : "as root: mount -t tracefs tracefs /sys/kernel/tracing",
                      errno == ENOENT ? "KVM's tracepoint kvm_exit is not there"
                                      : "KVM's tracepoint kvm_exit cannot be looked at (tracefs: %s)",
                      strerror(errno));
        return false;
    }
    h->bpf->rodata->reason_offset = offset_of(format, "exit_reason");
    h->bpf->rodata->isa_offset = offset_of(format, "isa");
    h->bpf->rodata->vcpu_offset = offset_of(format, "vcpu_id");
    free(format);
    if (h->bpf->rodata->reason_offset && h->bpf->rodata->isa_offset)
        return true;
    collector_say(status, COLLECTOR_UNAVAILABLE, "an x86 host with Linux 5.10 to 6.18",
                  "this kernel's kvm_exit tells no exit_reason and isa (%s)", arch_name);
    return false;
}

// --- opening --------------------------------------------------------------------------------------------------------

// What is tried in turn. Following kernel structures needs BTF of the running kernel.
struct attempt {
    enum kvm_exit_source source;
    bool switches;
    bool entry; // kvm_entry alone: KVM has noted the time of the exit
    bool loads; // without calls
};

static bool in_vcpu(enum kvm_exit_source source) {
    return source == KVM_EXIT_IN_VMCB || source == KVM_EXIT_IN_VCPU_VMX;
}

static void choose_programs(struct kvm_host *h, const struct attempt *attempt) {
    bool late = attempt->switches && !attempt->entry && kvm_exit_is_late();
    enum kvm_exit_source source = attempt->source;
    struct bpf_program *const interrupts[] = {
        h->bpf->progs.on_local_timer_entry,   h->bpf->progs.on_reschedule_entry,
        h->bpf->progs.on_call_function_entry, h->bpf->progs.on_call_function_single_entry,
        h->bpf->progs.on_irq_work_entry,      h->bpf->progs.on_irq_handler_entry};
    for (size_t i = 0; i < ARRAY_LEN(interrupts); i++)
        bpf_program__set_autoload(interrupts[i], late);
    bpf_program__set_autoload(h->bpf->progs.on_sched_switch, attempt->switches);
    bpf_program__set_autoload(h->bpf->progs.on_kvm_exit, source == KVM_EXIT_IN_RECORD);
    bpf_program__set_autoload(h->bpf->progs.on_kvm_exit_args, source == KVM_EXIT_IN_ARGUMENT);
    bpf_program__set_autoload(h->bpf->progs.on_kvm_exit_vcpu, in_vcpu(source) && !attempt->entry);
    bpf_program__set_autoload(h->bpf->progs.on_kvm_entry, !attempt->entry);
    bpf_program__set_autoload(h->bpf->progs.on_kvm_entry_vcpu, attempt->entry && !attempt->loads);
    bpf_program__set_autoload(h->bpf->progs.on_kvm_entry_loads, attempt->entry && attempt->loads);
    bpf_program__set_autoload(h->bpf->progs.on_kvm_pio, !attempt->entry); // else it is noted where
    bpf_program__set_autoload(h->bpf->progs.on_kvm_msr, !attempt->entry);
    bpf_program__set_autoload(h->bpf->progs.on_kvm_cpuid, !in_vcpu(source)); // else the vCPU's registers are seen
}

static int load(struct kvm_host *h, pid_t only, const struct attempt *attempt, const struct kvm_clock_source *clock,
                struct collector_status *status) {
    h->bpf = kvm_host_bpf__open();
    if (!h->bpf)
        return -errno;
    if (attempt->source == KVM_EXIT_IN_RECORD && !set_offsets(h, status))
        return 1;
    h->bpf->rodata->only_tgid = (uint32_t)only;
    h->bpf->rodata->sees_switches = attempt->switches;
    h->bpf->rodata->exit_source = (uint8_t)attempt->source;
    h->bpf->rodata->kvm_has_time = attempt->entry;
    h->bpf->rodata->kernel_clock = clock->monotonic;
    h->bpf->rodata->tsc_clock = clock->tsc;
    bpf_map__set_max_entries(h->bpf->maps.vcpus, (uint32_t)h->slots);
    bpf_map__set_max_entries(h->bpf->maps.threads, (uint32_t)h->slots);
    bpf_map__set_max_entries(h->bpf->maps.free_slots, (uint32_t)h->slots);
    choose_programs(h, attempt);
    int result = kvm_host_bpf__load(h->bpf);
    if (result) {
        kvm_host_bpf__destroy(h->bpf);
        h->bpf = NULL;
    }
    return result;
}

static int prepare_maps(struct kvm_host *h) {
    void *memory = mmap(NULL, map_bytes(h), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(h->bpf->maps.vcpus), 0);
    if (memory == MAP_FAILED)
        return -errno;
    h->vcpus = memory;
    for (uint32_t slot = 0; slot < h->slots; slot++)
        if (bpf_map_update_elem(bpf_map__fd(h->bpf->maps.free_slots), NULL, &slot, BPF_ANY))
            return -errno;
    return 0;
}

// On its record, by number: libbpf would need tracefs to be mounted.
static struct bpf_link *attach_record(const struct kvm_host *h, struct bpf_program *program) {
    struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof attr, .config = h->record_id};
    int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
    struct bpf_link *link = fd < 0 ? NULL : bpf_program__attach_perf_event(program, fd);
    if (fd >= 0 && !link)
        close(fd);
    return link;
}

static bool attach_one(struct kvm_host *h, struct bpf_program *program) {
    bool record = program == h->bpf->progs.on_kvm_exit;
    struct bpf_link *link = record ? attach_record(h, program) : bpf_program__attach(program);
    if (link)
        h->links[h->link_count++] = link;
    return link != NULL;
}

// Attaches all that the kernel has. Without kvm_exit and kvm_entry there is nothing to pair: 0 or an errno.
static int attach(struct kvm_host *h, struct collector_status *status) {
    struct bpf_program *const first = h->bpf->progs.on_sched_switch; // the others believe what it says
    struct bpf_program *program;
    struct str missing = {0};
    int result = bpf_program__fd(first) >= 0 && !attach_one(h, first) ? errno : 0;
    bpf_object__for_each_program(program, h->bpf->obj) {
        if (program == first || bpf_program__fd(program) < 0 || h->link_count == MAX_LINKS || attach_one(h, program))
            continue;
        const char *name = bpf_program__name(program);
        bool needed = strncmp(name, "on_kvm_exit", strlen("on_kvm_exit")) == 0 ||
                      strncmp(name, "on_kvm_entry", strlen("on_kvm_entry")) == 0;
        if (needed && !result)
            result = errno;
        str_printf(&missing, "%s%s", missing.length ? ", " : "", name + strlen("on_"));
    }
    if (missing.length && !result)
        collector_say(status, COLLECTOR_DEGRADED, "another kernel: this one does not have them",
                      "not to be traced here: %s", missing.text);
    str_free(&missing);
    return result;
}

static int open_host(struct kvm_host *h, pid_t only, struct collector_status *status) {
    enum kvm_exit_source source = kvm_exit_source();
    struct kvm_clock_source clock = {0};
    bool entry = in_vcpu(source) && kvm_clock_source(&clock);
    const struct attempt attempts[] = {{source, true, entry, entry},
                                       {source, true, entry, false},
                                       {source, true, false, false},
                                       {KVM_EXIT_IN_RECORD, true, false, false},
                                       {KVM_EXIT_IN_RECORD, false, false, false}};
    int result = -EINVAL;
    bool switches = false;
    for (size_t i = 0; i < ARRAY_LEN(attempts) && result < 0 && result != -EPERM; i++) {
        switches = attempts[i].switches;
        result = load(h, only, &attempts[i], &clock, status);
    }
    if (result > 0)
        return -1;
    if (!result)
        result = prepare_maps(h);
    if (result) {
        probe_refused(status, "loading the programs of a KVM host", -result);
        return -1;
    }
    *status = (struct collector_status){.state = COLLECTOR_ACTIVE};
    if (!switches)
        collector_say(status, COLLECTOR_DEGRADED, "a kernel with CONFIG_DEBUG_INFO_BTF",
                      "sched_switch cannot be traced: waiting for a CPU is part of the exits, and host.steal not told");
    result = attach(h, status);
    if (result)
        probe_refused(status, "attaching to kvm:kvm_exit and kvm:kvm_entry", result);
    return result;
}

struct kvm_host *kvm_host_open(pid_t only, struct collector_status *status) {
    struct kvm_host *h = mem_alloc(sizeof *h);
    int cpus = libbpf_num_possible_cpus();
    probe_quiet();
    h->cpus = cpus > 0 ? (size_t)cpus : 1;
    h->slots = h->cpus * SLOTS_PER_CPU;
    h->slots = h->slots < MIN_SLOTS ? MIN_SLOTS : h->slots > MAX_SLOTS ? MAX_SLOTS : h->slots;
    if (open_host(h, only, status) == 0)
        return h;
    kvm_host_close(h);
    return NULL;
}

void kvm_host_close(struct kvm_host *h) {
    if (!h)
        return;
    for (size_t i = 0; i < h->link_count; i++)
        bpf_link__destroy(h->links[i]);
    if (h->vcpus)
        munmap(h->vcpus, map_bytes(h));
    kvm_host_bpf__destroy(h->bpf); // NULL is fine
    free(h);
}

// --- reading --------------------------------------------------------------------------------------------------------

size_t kvm_host_slots(const struct kvm_host *h) {
    return h->slots;
}

// An exit that goes on, where nothing but its begin is known so far.
static void add_noted_exit(const struct kvm_host *h, size_t slot, struct kvm_vcpu_state *out) {
    const struct kvm_cpu *cpu = out->cpu ? &h->bpf->bss->cpus[(out->cpu - 1) % KVM_CPUS] : NULL;
    uint64_t left = cpu ? __atomic_load_n(&cpu->exit_ns, __ATOMIC_ACQUIRE) : 0;
    if (left < KVM_NOTED || left < out->since || cpu->current != slot + 1)
        return;
    out->run_ns += left - out->since;
    out->since = left;
    out->in_exit = 1;
    out->code = cpu->code;
}

bool kvm_host_read(const struct kvm_host *h, size_t slot, struct kvm_vcpu_state *out) {
    const struct kvm_vcpu_state *v = &h->vcpus[slot];
    if (!__atomic_load_n(&v->tid, __ATOMIC_ACQUIRE))
        return false;
    // A change takes a fraction of a microsecond; should every copy be hit by one, the last copy is off by one exit.
    for (int i = 0; i < READ_TRIES; i++) {
        uint32_t done = __atomic_load_n(&v->done, __ATOMIC_ACQUIRE);
        memcpy(out, v, sizeof *out);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        add_noted_exit(h, slot, out);
        if (done == __atomic_load_n(&v->begun, __ATOMIC_RELAXED))
            break;
    }
    return out->tid != 0;
}

void kvm_host_forget(struct kvm_host *h, size_t slot) {
    uint32_t tid = h->vcpus[slot].tid;
    uint32_t number = (uint32_t)slot;
    bpf_map_delete_elem(bpf_map__fd(h->bpf->maps.threads), &tid);
    memset(&h->vcpus[slot], 0, sizeof h->vcpus[slot]);
    bpf_map_update_elem(bpf_map__fd(h->bpf->maps.free_slots), NULL, &number, BPF_ANY);
}

struct kvm_totals kvm_host_totals(const struct kvm_host *h) {
    struct kvm_totals sum = {0};
    struct kvm_totals *cpus = mem_alloc(h->cpus * sizeof *cpus);
    uint32_t zero = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(h->bpf->maps.totals), &zero, cpus) == 0)
        for (size_t i = 0; i < h->cpus; i++) {
            sum.vcpus_lost += cpus[i].vcpus_lost;
            sum.clocks_lost += cpus[i].clocks_lost;
        }
    free(cpus);
    return sum;
}

size_t kvm_host_costs(const struct kvm_host *h, struct kvm_host_cost *out, size_t capacity) {
    struct bpf_program *program;
    size_t count = 0;
    bpf_object__for_each_program(program, h->bpf->obj) {
        struct bpf_prog_info info = {0};
        __u32 size = sizeof info;
        if (bpf_program__fd(program) < 0 || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
            continue;
        if (count < capacity)
            out[count] = (struct kvm_host_cost){bpf_program__name(program), info.run_time_ns, info.run_cnt,
                                                info.recursion_misses};
        count++;
    }
    return count;
}
