// SPDX-License-Identifier: Apache-2.0
// From two readings of a vCPU's sums to a journal line. See host_windows.h.
#include "collectors/host_windows.h"

#include "collectors/exit_reasons.h"
#include "collectors/host_line.h"
#include "collectors/kvm_debugfs.h"
#include "collectors/kvm_stats.h"
#include "collectors/vm_names.h"
#include "collectors/vm_threads.h"
#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PLACES_TOLD 6  // costliest ports, addresses and registers of a window
#define LOOK_AGAIN  10 // windows between two looks at what changes rarely
#define NS_PER_S    1e9

struct vm {
    pid_t pid;
    char name[VM_NAME_MAX];
    struct vm_threads *threads;
    bool told; // its threads, in this window
    unsigned vcpus;
};

struct seat {
    struct kvm_vcpu_state before; // tid 0: nobody
    uint64_t run_told_ns;         // of the sums below, what windows have told: they only grow
    uint64_t halted_told_ns;
    pid_t vm;
    struct kvm_offset offset;
    unsigned vcpu;
    struct kvm_stats *stats; // KVM's own; NULL: not to be had
};

struct host_windows {
    struct kvm_host *host;
    struct host_moment begin;
    struct seat *seats; // by slot
    struct vm *vms;
    size_t vm_count, vm_capacity;
    unsigned windows;
    struct host_tally tally;
    struct kvm_vcpu_state *now; // scratch
};

struct host_windows *host_windows_begin(struct kvm_host *host) {
    struct host_windows *w = mem_alloc(sizeof *w);
    w->host = host;
    w->seats = mem_alloc(kvm_host_slots(host) * sizeof *w->seats);
    w->now = mem_alloc(sizeof *w->now);
    w->begin = host_moment_now();
    return w;
}

void host_windows_end(struct host_windows *w) {
    if (!w)
        return;
    for (size_t i = 0; i < w->vm_count; i++)
        vm_threads_free(w->vms[i].threads);
    for (size_t i = 0; i < kvm_host_slots(w->host); i++)
        kvm_stats_close(w->seats[i].stats);
    free(w->vms);
    free(w->seats);
    free(w->now);
    free(w);
}

// --- who it is ------------------------------------------------------------------------------------------------------

// Valid until another one is found.
static struct vm *find_vm(struct host_windows *w, pid_t pid) {
    for (size_t i = 0; i < w->vm_count; i++)
        if (w->vms[i].pid == pid)
            return &w->vms[i];
    struct vm vm = {.pid = pid, .threads = vm_threads_new(pid)};
    vm_name_of_process(pid, vm.name, sizeof vm.name);
    ARRAY_PUSH(w->vms, w->vm_count, w->vm_capacity, vm);
    return &w->vms[w->vm_count - 1];
}

static bool is_vcpu(const void *context, pid_t tid) {
    const struct host_windows *w = context;
    for (size_t i = 0; i < kvm_host_slots(w->host); i++)
        if ((pid_t)w->seats[i].before.tid == tid)
            return true;
    return false;
}

static bool thread_is_gone(const struct kvm_vcpu_state *v) {
    return syscall(SYS_tgkill, (pid_t)v->tgid, (pid_t)v->tid, 0) != 0;
}

static void add_vm(cJSON *line, const struct vm *vm, const struct kvm_offset *offset) {
    cJSON *object = cJSON_AddObjectToObject(line, "vm");
    json_add_u64(object, "pid", (uint64_t)vm->pid);
    json_add_string(object, "name", vm->name);
    if (offset->known) {
        char *digits = mem_printf("%lld", (long long)offset->offset);
        cJSON_AddRawToObject(object, "tsc_offset", digits);
        free(digits);
        if (offset->ratio != 1)
            json_add_double(object, "tsc_ratio", offset->ratio);
    }
}

static void add_threads(struct host_windows *w, struct vm *vm, cJSON *list) {
    static const enum cause causes[VM_THREAD_KINDS] = {CAUSE_HOP_VMM, CAUSE_HOP_VHOST};
    struct vm_thread_time times[VM_THREAD_KINDS];
    vm_threads_read(vm->threads, is_vcpu, w, times);
    for (int kind = 0; kind < VM_THREAD_KINDS; kind++) {
        if (!times[kind].threads)
            continue;
        struct observation o = {
            .cause = causes[kind], .scope = SCOPE_LATENCY, .basis = BASIS_TIMED, .seconds = times[kind].seconds};
        o.detail = cJSON_CreateObject();
        cJSON_AddItemToObject(o.detail, "cpu_s", times[kind].threads);
        cJSON_AddItemToArray(list, observation_to_json(&o));
        cJSON_Delete(o.detail);
    }
    vm->told = true;
}

// A sum with what is still going on in it never falls, though the final value may be a little less.
static double grown_s(uint64_t sum, uint64_t *told) {
    uint64_t ns = sum > *told ? sum - *told : 0;
    *told += ns;
    return (double)ns / NS_PER_S;
}

static uint64_t elapsed(uint64_t since, uint64_t now) {
    return since && now > since ? now - since : 0;
}

// How long it has been in its guest since it was seen to enter. Of one that is with its monitor, which exit led there
// is looked at when it enters again.
static uint64_t in_guest(const struct kvm_vcpu_state *v, uint64_t end) {
    if (v->in_exit)
        return 0;
    return elapsed(v->since, v->left ? v->left : v->user_since ? v->user_since : end);
}

static cJSON *line_of(struct host_windows *w, struct seat *seat, const struct host_moment *end) {
    const struct kvm_vcpu_state *before = &seat->before;
    const struct kvm_vcpu_state *now = w->now;
    struct vm *vm = find_vm(w, (pid_t)now->tgid);
    uint64_t run = now->run_ns + in_guest(now, end->ns);
    uint64_t halted = now->halted_ns;
    bool halting = now->in_exit && !now->woken &&
                   exit_reason_cause((enum exit_isa)now->isa, now->code, KVM_KIND_PLAIN) == CAUSE_EXIT_HALT;
    if (halting)
        halted += elapsed(now->since, end->ns);
    struct host_span span = {&w->begin, end, before, now};
    cJSON *line = cJSON_CreateObject();
    json_add_string(line, "t", "window");
    json_add_u64(line, "start_tsc", w->begin.tsc);
    json_add_u64(line, "end_tsc", end->tsc);
    add_vm(line, vm, &seat->offset);
    json_add_u64(line, "vcpu", seat->vcpu);
    if (now->since) {
        json_add_double(line, "run_s", fmax(grown_s(run, &seat->run_told_ns) - host_line_early_s(&span), 0));
        json_add_double(line, "switched_out_s", (double)(now->out_ns - before->out_ns) / NS_PER_S);
        json_add_double(line, "halted_s", grown_s(halted, &seat->halted_told_ns));
    }
    cJSON *list = host_line_observations(&span, &w->tally);
    if (!vm->told)
        add_threads(w, vm, list);
    cJSON_AddItemToObject(line, "obs", list);
    host_line_rest(&span, line, &w->tally);
    cJSON *grown = seat->stats ? kvm_stats_next(seat->stats) : NULL;
    if (grown)
        cJSON_AddItemToObject(line, "kvm_stats", grown);
    return line;
}

static void leave_seat(struct seat *seat) {
    kvm_stats_close(seat->stats);
    *seat = (struct seat){0};
}

// A vCPU that was not there before: its sums are those since it was first seen.
static void take_seat(struct host_windows *w, struct seat *seat) {
    leave_seat(seat);
    seat->before.tid = w->now->tid;
    seat->before.tgid = w->now->tgid;
    struct vm *vm = find_vm(w, (pid_t)w->now->tgid);
    seat->vm = vm->pid;
    seat->vcpu = w->now->vcpu_id != UINT32_MAX ? w->now->vcpu_id : vm->vcpus;
    seat->stats = kvm_stats_open(vm->pid, seat->vcpu);
    vm->vcpus++;
}

cJSON *host_windows_next(struct host_windows *w) {
    struct host_moment end = host_moment_now();
    cJSON *lines = cJSON_CreateArray();
    for (size_t i = 0; i < w->vm_count; i++)
        w->vms[i].told = false;
    for (size_t slot = 0; slot < kvm_host_slots(w->host); slot++) {
        struct seat *seat = &w->seats[slot];
        if (!kvm_host_read(w->host, slot, w->now))
            continue;
        if (seat->before.tid != w->now->tid)
            take_seat(w, seat);
        if (w->now->vcpu_id != UINT32_MAX)
            seat->vcpu = w->now->vcpu_id;
        if (w->windows % LOOK_AGAIN == 0 || !seat->offset.known)
            kvm_offset_read((pid_t)w->now->tgid, seat->vcpu, &seat->offset);
        if (w->now->done == seat->before.done && thread_is_gone(w->now)) {
            kvm_host_forget(w->host, slot);
            leave_seat(seat);
            continue;
        }
        cJSON_AddItemToArray(lines, line_of(w, seat, &end));
        seat->before = *w->now;
    }
    w->begin = end;
    w->windows++;
    return lines;
}

static void note(cJSON *notes, char *text) {
    cJSON_AddItemToArray(notes, cJSON_CreateString(text));
    free(text);
}

cJSON *host_windows_notes(const struct host_windows *w) {
    cJSON *notes = cJSON_CreateArray();
    struct kvm_totals totals = kvm_host_totals(w->host);
    struct kvm_host_cost costs[32];
    size_t programs = kvm_host_costs(w->host, costs, ARRAY_LEN(costs));
    uint64_t misses = 0;
    for (size_t i = 0; i < programs && i < ARRAY_LEN(costs); i++)
        misses += costs[i].misses;
    if (w->tally.exits == 0 && w->tally.user_exits)
        note(notes,
             mem_printf("kvm_exit never fired, though KVM_RUN returned %lu times: this hypervisor runs its guests "
                        "past that tracepoint; returns to the monitor and port accesses are counted, not timed",
                        (unsigned long)w->tally.user_exits));
    if (w->tally.row_overflow)
        note(notes, mem_printf("%lu exits had no row of their own left and are under exit.other",
                               (unsigned long)w->tally.row_overflow));
    if (w->tally.places_lost)
        note(notes,
             mem_printf("%lu times a port, address or register took the place of one that was used less: what is "
                        "told of places is not complete",
                        (unsigned long)w->tally.places_lost));
    if (w->tally.untimed)
        note(notes,
             mem_printf("%lu of %lu exits were handled on KVM's fast path, whose begin or end is not told: they are "
                        "counted, their time is part of run_s",
                        (unsigned long)w->tally.untimed, (unsigned long)w->tally.exits));
    if (totals.vcpus_lost)
        note(notes, mem_printf("%lu events were lost: there are more vCPU threads than the %zu that are provided for",
                               (unsigned long)totals.vcpus_lost, kvm_host_slots(w->host)));
    if (totals.clocks_lost)
        note(notes,
             mem_printf("%lu times the clock of this host was not to be read, or not the TSC any more: those exits "
                        "are counted, not timed; a new recording finds another way",
                        (unsigned long)totals.clocks_lost));
    if (misses)
        note(notes, mem_printf("%lu events were lost: the kernel skipped a program that was running already",
                               (unsigned long)misses));
    return notes;
}
