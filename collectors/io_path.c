// SPDX-License-Identifier: Apache-2.0
// I/O paths: how long the requests of each device take, and for how long the job's CPUs stood idle waiting for them.
// Which way a device's requests go is detect's word and picks the cause.
//
// Attached in attribution samples only: the programs run at each context switch and at the end of each handler.
#include "collectors/io_path.h"

#include "collectors/io_kicks.h"
#include "collectors/probe.h"
#include "core/memory.h"
#include "core/str.h"
#include "probes/io_path.skel.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PROGRAMS = 24 }; // at most

struct io_path {
    struct io_path_bpf *bpf;
    struct io_cpu *cpus; // the kernel's, mapped; by CPU number
    struct io_flight *flights;
    struct io_sleeper *sleepers;
    struct io_control *control;
    struct io_channel *channels;
    struct io_kicks *kicks;
    bool sees_kicks; // in this sample
    struct btf *types;
    int refused;      // errno of the first function that could not be traced; 0: none
    size_t cpu_count; // possible CPUs
    struct io_targets targets;
    struct bpf_program *programs[PROGRAMS]; // the common object's, then those that count notifications
    struct bpf_link *links[PROGRAMS];       // of the former; NULL: not attached now
    struct probe_cost before[PROGRAMS];
    size_t own_count; // of the former
    size_t program_count;
    struct interrupts interrupts; // at the beginning of a sample
    int stats_fd;                 // in a sample; -1 otherwise
};

// --- loading --------------------------------------------------------------------------------------------------------

static size_t cpu_bytes(const struct io_path *p) {
    return p->cpu_count * sizeof *p->cpus;
}

// How many arguments a tracepoint has in this kernel, with the one that says who attached.
static unsigned arguments_of(const struct btf *types, const char *tracepoint) {
    char name[64];
    snprintf(name, sizeof name, "btf_trace_%s", tracepoint);
    const struct btf_type *type = btf__type_by_id(types, (__u32)btf__find_by_name_kind(types, name, BTF_KIND_TYPEDEF));
    type = type && btf_is_typedef(type) ? btf__type_by_id(types, type->type) : NULL;
    type = type && btf_is_ptr(type) ? btf__type_by_id(types, type->type) : NULL;
    return type && btf_is_func_proto(type) ? btf_vlen(type) : 0;
}

static bool wants_channels(const struct io_path *p) {
    for (size_t i = 0; i < p->targets.count; i++)
        if (p->targets.items[i].kick == KICK_XEN)
            return true;
    return false;
}

static int load(struct io_path *p) {
    int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0)
        return cpus;
    p->cpu_count = (size_t)cpus;
    p->types = btf__load_vmlinux_btf();
    p->bpf = p->types ? io_path_bpf__open() : NULL;
    if (!p->bpf)
        return p->types ? -EINVAL : -ENOENT; // without types it cannot follow the kernel's structures
    p->bpf->rodata->issue_names_queue = arguments_of(p->types, "block_rq_issue") == 3;
    p->bpf->rodata->channels_wanted = wants_channels(p);
    bpf_program__set_autoload(p->bpf->progs.on_irq_handler_entry, wants_channels(p));
    bpf_program__set_autoload(p->bpf->progs.on_cpu_idle, wants_channels(p));
    bpf_program__set_autoload(p->bpf->progs.on_netif_receive_skb, wants_channels(p));
    bpf_map__set_max_entries(p->bpf->maps.cpus, (unsigned)p->cpu_count);
    bpf_map__set_max_entries(p->bpf->maps.flights, IO_FLIGHTS);
    bpf_map__set_max_entries(p->bpf->maps.sleepers, IO_SLEEPERS);
    bpf_map__set_max_entries(p->bpf->maps.bios, IO_BIOS);
    bpf_map__set_max_entries(p->bpf->maps.channels, IO_IRQS);
    int result = io_path_bpf__load(p->bpf);
    if (result)
        return result;
    p->cpus = probe_map(p->bpf->maps.cpus, cpu_bytes(p));
    p->flights = probe_map(p->bpf->maps.flights, IO_FLIGHTS * sizeof *p->flights);
    p->sleepers = probe_map(p->bpf->maps.sleepers, IO_SLEEPERS * sizeof *p->sleepers);
    p->control = probe_map(p->bpf->maps.control, sizeof *p->control);
    p->channels = probe_map(p->bpf->maps.channels, IO_IRQS * sizeof *p->channels);
    return p->cpus && p->flights && p->sleepers && p->control && p->channels ? 0 : -errno;
}

static void detach(struct io_path *p) {
    for (size_t i = 0; i < p->own_count; i++) {
        bpf_link__destroy(p->links[i]); // NULL is fine
        p->links[i] = NULL;
    }
    if (p->kicks)
        io_kicks_detach(p->kicks);
}

static void list_kicks(struct io_path *p) {
    p->program_count = p->own_count + io_kicks_programs(p->kicks, p->programs + p->own_count, PROGRAMS - p->own_count);
}

static int attach(struct io_path *p) {
    for (size_t i = 0; i < p->own_count; i++) {
        p->links[i] = bpf_program__attach(p->programs[i]);
        if (!p->links[i]) {
            int result = -errno;
            detach(p);
            return result;
        }
    }
    p->sees_kicks = io_kicks_attach(p->kicks);
    list_kicks(p); // attaching may have taken new ones
    return 0;
}

static void list_programs(struct io_path *p) {
    struct bpf_program *program;
    bpf_object__for_each_program(program, p->bpf->obj) {
        bool attached = bpf_program__autoload(program) && program != p->bpf->progs.look;
        if (attached && p->own_count < PROGRAMS)
            p->programs[p->own_count++] = program;
    }
    list_kicks(p);
}

static void tell_devices(struct io_path *p) {
    for (size_t i = 0; i < p->targets.count; i++)
        p->control->devices[i] =
            (struct io_device){.number = p->targets.items[i].number, .is_nic = p->targets.items[i].nic};
}

static void unmap(void *memory, size_t bytes) {
    if (memory)
        munmap(memory, bytes);
}

static void io_path_close(void *state) {
    struct io_path *p = state;
    detach(p);
    if (p->stats_fd >= 0)
        close(p->stats_fd);
    unmap(p->cpus, cpu_bytes(p));
    unmap(p->flights, IO_FLIGHTS * sizeof *p->flights);
    unmap(p->sleepers, IO_SLEEPERS * sizeof *p->sleepers);
    unmap(p->control, sizeof *p->control);
    unmap(p->channels, IO_IRQS * sizeof *p->channels);
    io_kicks_close(p->kicks);
    btf__free(p->types);
    io_path_bpf__destroy(p->bpf); // NULL is fine
    interrupts_free(&p->interrupts);
    io_targets_free(&p->targets);
    free(p);
}

static bool lacks_kicks(const struct io_path *p, const struct io_target *target) {
    bool notifies = target->kick == KICK_VIRTIO || target->kick == KICK_XEN;
    return notifies && !io_kicks_see(p->kicks, target->kick);
}

static void tell_unseen(const struct io_path *p, struct collector_status *status) {
    struct str names = {0};
    for (size_t i = 0; i < p->targets.count; i++) {
        const struct io_target *target = &p->targets.items[i];
        if (lacks_kicks(p, target))
            str_printf(&names, "%s%s", names.length ? ", " : "", target->name);
    }
    if (names.length && p->refused)
        collector_say(status, COLLECTOR_DEGRADED,
                      "a kernel with CONFIG_FUNCTION_TRACER whose provider permits BPF trampolines",
                      "kernel functions cannot be traced (%s): kicks are not counted of %s", strerror(p->refused),
                      str_text(&names));
    else if (names.length)
        collector_say(status, COLLECTOR_DEGRADED, "another kernel: this one has none of the functions that notify",
                      "kicks are not counted of %s", str_text(&names));
    str_free(&names);
}

static void *io_path_open(const struct collect_options *options, struct collector_status *status) {
    status->state = COLLECTOR_ACTIVE;
    probe_quiet();
    struct io_path *p = mem_alloc(sizeof *p);
    p->stats_fd = -1;
    io_targets_find(options->platform, "/sys", &p->targets);
    if (!p->targets.count) {
        collector_say(status, COLLECTOR_UNAVAILABLE, "see the paths of `metalgap detect`",
                      "there is no disk or network interface whose path is known");
        io_path_close(p);
        return NULL;
    }
    int result = load(p);
    if (!result) {
        p->kicks = io_kicks_open(p->bpf->maps.cpus, p->bpf->maps.channels, p->types, &p->refused);
        list_programs(p);
        tell_devices(p);
        result = attach(p);
    }
    if (result) {
        probe_refused(status, "loading the eBPF programs", -result);
        io_path_close(p);
        return NULL;
    }
    detach(p);
    tell_unseen(p, status);
    return p;
}

// --- samples --------------------------------------------------------------------------------------------------------

static void stop(struct io_path *p) {
    p->control->job.session = 0;
    detach(p);
    if (p->stats_fd >= 0)
        close(p->stats_fd);
    p->stats_fd = -1;
}

static int io_path_begin(void *state, const struct sample_window *window, struct error *err) {
    struct io_path *p = state;
    memset(p->cpus, 0, cpu_bytes(p));
    memset(p->flights, 0, IO_FLIGHTS * sizeof *p->flights);
    memset(p->sleepers, 0, IO_SLEEPERS * sizeof *p->sleepers);
    memset(p->channels, 0, IO_IRQS * sizeof *p->channels);
    interrupts_free(&p->interrupts);
    interrupts_read(&p->interrupts);
    io_tell_channels(&p->targets, p->channels, &p->interrupts);
    p->control->job.leader = 0;
    p->control->job.session = window_session(window);
    p->stats_fd = probe_stats_on();
    int result = attach(p);
    if (result) {
        stop(p); // there is no end() after this
        error_set(err, EXIT_CODE_LACKS, "attaching the programs that time requests");
        return error_why(err, "%s", strerror(-result));
    }
    for (size_t i = 0; i < p->program_count; i++)
        p->before[i] = probe_cost_of(p->programs[i]);
    probe_look(p->bpf->progs.look, window->cpus); // the job may be running already
    return 0;
}

// What the programs cost, by the kernel's statistics, which are machine-wide: shared out evenly over the CPUs.
static void report_cost(const struct io_path *p, const cpu_set_t *cpus, struct collector_output *out) {
    struct observation o = {.cause = CAUSE_OBSERVER, .scope = SCOPE_CPU, .basis = BASIS_TIMED};
    double share = probe_share(cpus);
    o.detail = cJSON_CreateObject();
    for (size_t i = 0; i < p->program_count; i++) {
        struct probe_cost now = probe_cost_of(p->programs[i]);
        if (now.runs <= p->before[i].runs)
            continue;
        double runs = (double)(now.runs - p->before[i].runs);
        double ns = (double)(now.run_ns - p->before[i].run_ns);
        char key[96];
        snprintf(key, sizeof key, "%s_ns", bpf_program__name(p->programs[i]));
        json_add_double(o.detail, key, ns / runs);
        o.count += (uint64_t)(runs * share);
        o.seconds += ns * share * 1e-9;
    }
    observations_add(out->obs, o);
}

static void report_devices(struct io_path *p, struct collector_output *out) {
    struct io_use *uses = mem_alloc(p->targets.count * sizeof *uses);
    struct interrupts now = {0};
    bool seen[KICK_COUNT];
    for (int kind = 0; kind < KICK_COUNT; kind++)
        seen[kind] = p->sees_kicks && io_kicks_see(p->kicks, (enum io_kick)kind);
    interrupts_read(&now);
    io_learn_channels(&p->targets, p->channels, &now);
    io_sum(&p->targets, p->cpus, p->cpu_count, uses);
    io_count_kicks(&p->targets, p->cpus, p->cpu_count, p->channels, &now, seen, uses);
    io_count_interrupts(&p->targets, &p->interrupts, &now, uses);
    io_path_report(&p->targets, uses, out);
    interrupts_free(&now);
    free(uses);
}

static int io_path_end(void *state, const struct sample_window *window, struct collector_output *out,
                       struct error *err) {
    struct io_path *p = state;
    (void)err;
    p->control->job.session = 0;
    report_devices(p, out);
    if (p->stats_fd >= 0)
        report_cost(p, window->cpus, out);
    stop(p);
    return 0;
}

const struct collector_ops collector_io_path = {
    .abi = COLLECTOR_ABI,
    .name = "io_path",
    .summary =
        "requests of each disk and network interface: latency, kicks, interrupts, and who waited for them (eBPF)",
    .in_timing = false,
    .open = io_path_open,
    .begin = io_path_begin,
    .end = io_path_end,
    .close = io_path_close,
};
