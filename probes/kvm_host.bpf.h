// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A vCPU's sums: finding those of the thread that runs here, and what an exit's begin and end do to them. For the
// programs in kvm_host.bpf.c.
//
// All of a vCPU's events happen in its own thread, so its sums need no atomics and no per-CPU copies. Finding them
// costs an array look-up: what runs on a CPU is kept at context switches.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "probes/kernel_types.h"
#include "probes/kvm_host.h"
#include "probes/kvm_vcpu.bpf.h"
#include "probes/maps.bpf.h"

#include <bpf/bpf_core_read.h>

#define USER_HLT (5 + 1) // KVM_EXIT_HLT, as kvm_vcpu_state.user_reason has it

MAPPED_ARRAY(vcpus, struct kvm_vcpu_state); // the collector sets the number of slots

// Keeps the compiler from what it knows of x: bounds that the verifier then does not see, for instance.
#define opaque(x) asm volatile("" : "+r"(x))

// A variable and no map: finding a CPU's row takes a third of the instructions of an array look-up.
struct kvm_cpu cpus[KVM_CPUS];

static __always_inline struct kvm_cpu *my_cpu(void) {
    struct kvm_cpu *cpu = &cpus[bpf_get_smp_processor_id() & (KVM_CPUS - 1)];
    opaque(cpu); // or the compiler works it out again and again
    return cpu;
}

// Thread to slot.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} threads SEC(".maps");

// Slots that nobody has.
struct {
    __uint(type, BPF_MAP_TYPE_QUEUE);
    __uint(max_entries, 1);
    __type(value, __u32);
} free_slots SEC(".maps");

// Set by the collector before loading.
const volatile __u32 only_tgid = 0; // 0: all VMs
const volatile __u32 reason_offset = 8;
const volatile __u32 isa_offset = 24;
const volatile __u32 vcpu_offset = 0;  // 0: this kernel's record does not have it
const volatile __u8 sees_switches = 0; // on_sched_switch is there

static __always_inline __u64 run_delay(void) {
    if (!sees_switches)
        return 0;
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    return BPF_CORE_READ(task, sched_info.run_delay);
}

// A vCPU's thread has got this CPU.
static __always_inline void takes_cpu(struct kvm_cpu *cpu, struct kvm_vcpu_state *v, __u32 current) {
    cpu->exit_ns = KVM_LOOK_CLOSER;
    cpu->current = current;
    v->cpu = bpf_get_smp_processor_id() + 1;
}

static __noinline struct kvm_vcpu_state *new_vcpu(__u64 id) {
    __u32 tid = id;
    __u32 slot = 0;
    if (only_tgid && id >> 32 != only_tgid)
        return NULL;
    __u32 *known = bpf_map_lookup_elem(&threads, &tid);
    if (known)
        slot = *known;
    else if (bpf_map_pop_elem(&free_slots, &slot))
        goto lost;
    struct kvm_vcpu_state *v = bpf_map_lookup_elem(&vcpus, &slot);
    if (!v)
        return NULL;
    if (!known) {
        v->tgid = id >> 32;
        v->vcpu_id = ~0U;
        v->rows_used = 1;
        v->delay_ns = run_delay();
        v->tid = tid; // last: the collector looks at this one
        if (bpf_map_update_elem(&threads, &tid, &slot, BPF_NOEXIST))
            goto lost;
    }
    if (sees_switches)
        takes_cpu(my_cpu(), v, slot + 1);
    return v;
lost:;
    struct kvm_totals *t = my_totals();
    if (t)
        t->vcpus_lost++;
    return NULL;
}

#define compiler_barrier() asm volatile("" ::: "memory")

static __always_inline void change_begins(struct kvm_vcpu_state *v) {
    v->begun++;
    compiler_barrier();
}

static __always_inline void change_ends(struct kvm_vcpu_state *v) {
    compiler_barrier();
    v->done = v->begun;
}

// Where row_of has the row of an exit. All of VMX's codes and most of SVM's, nested page faults and AVIC's have a cell
// of their own; the others share those of a kind that does not exist, by a hash.
//
// What enters a guest's guest and accesses are among these, so that plain_row() has none: they need a closer look.
static __always_inline __u64 cell_of(__u32 code, __u32 kind) {
    kind &= KVM_KINDS - 1;
    if (code < KVM_DIRECT_CODES - 16 && !is_switch(code) && !is_access(code))
        return kind * KVM_DIRECT_CODES + code;
    if ((code & ~0xfU) == 0x400)
        return kind * KVM_DIRECT_CODES + KVM_DIRECT_CODES - 16 + (code & 0xf);
    return (KVM_KINDS - 1) * KVM_DIRECT_CODES + ((code ^ code >> 16 ^ kind << 5) & (KVM_DIRECT_CODES - 1));
}

// No search and no loop: old kernels' verifiers take minutes over those.
static __always_inline struct kvm_row *row_of(struct kvm_vcpu_state *v, __u32 code, __u32 kind) {
    __u64 cell = cell_of(code, kind);
    opaque(cell);
    cell &= KVM_KINDS * KVM_DIRECT_CODES - 1;
    __u64 number = v->row_of[cell];
    if (!number && v->rows_used < KVM_ROWS)
        number = v->row_of[cell] = v->rows_used++;
    opaque(number);
    struct kvm_row *row = &v->rows[number & (KVM_ROWS - 1)];
    if (row->count == 0) {
        row->code = code;
        row->kind = kind;
    } else if (row->code != code || row->kind != kind) {
        return &v->rows[0];
    }
    return row;
}

// The row of an ordinary exit, if its code has a cell of its own and a row already. NULL: row_of() knows.
static __always_inline struct kvm_row *plain_row(struct kvm_vcpu_state *v, __u64 code) {
    opaque(code);
    if (code >= KVM_DIRECT_CODES - 16)
        return NULL;
    __u64 number = v->row_of[KVM_KIND_PLAIN * KVM_DIRECT_CODES + code];
    opaque(number);
    return number ? &v->rows[number & (KVM_ROWS - 1)] : NULL;
}

static __always_inline struct kvm_user *user_of(struct kvm_vcpu_state *v, __u64 reason) {
    opaque(reason);
    return &v->user[reason & (KVM_USER_REASONS - 1)];
}

static __always_inline __u32 kind_of_msr(__u32 msr) {
    switch (msr) {
    case 0x6e0: // IA32_TSC_DEADLINE
    case 0x838: // x2APIC initial count
    case 0x400000b1:
    case 0x400000b3: // Hyper-V STIMER0/1_COUNT
        return KVM_KIND_TIMER;
    case 0x830:      // x2APIC ICR
    case 0x83f:      // x2APIC self IPI
    case 0x40000071: // Hyper-V ICR
        return KVM_KIND_IPI;
    case 0x80b:      // x2APIC EOI
    case 0x40000070: // Hyper-V EOI
        return KVM_KIND_EOI;
    default:
        return KVM_KIND_PLAIN;
    }
}

static __always_inline __u32 kind_of_place(__u64 place) {
    return place >> 59 == (KVM_PLACE_MSR << 1 | 1) ? kind_of_msr(place) : KVM_KIND_PLAIN;
}

// Where all places that an access may have are taken, the least used of them makes room.
static __noinline int add_place(struct kvm_vcpu_state *v, __u64 key, __u64 ns) {
    if (!v)
        return 0;
    __u32 at = (__u32)((key * 0x9e3779b97f4a7c15ULL) >> 58);
    __u32 least = at & (KVM_PLACES - 1);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        __u32 here = (at + i) & (KVM_PLACES - 1);
        struct kvm_place *place = &v->places[here];
        if (place->key == 0)
            place->key = key;
        if (place->key == key) {
            place->count++;
            place->ns += ns;
            return 0;
        }
        if (place->count < v->places[least & (KVM_PLACES - 1)].count)
            least = here;
    }
    struct kvm_place *place = &v->places[least & (KVM_PLACES - 1)];
    place->key = key;
    place->count = 1;
    place->ns = ns;
    v->places_lost++;
    return 0;
}

// Part of a guest's knock: its leaf less the first one of three, and its subleaf.
static __always_inline void note_knock(struct kvm_vcpu_state *v, __u32 part, __u32 value, __u64 now) {
    change_begins(v);
    if (part == 0) {
        v->knock.low = value;
        v->knock.ns = now;
    } else if (part == 1) {
        v->knock.high = value;
    } else {
        v->knock.span = value;
        v->knock.count++;
    }
    change_ends(v);
}

// What the thread waited for a CPU since the last look, at most as long as it had none.
static __always_inline __u64 take_steal(struct kvm_vcpu_state *v) {
    __u64 off = v->off_ns;
    if (!off)
        return 0;
    __u64 delay = run_delay();
    __u64 steal = delay - v->delay_ns;
    v->delay_ns = delay;
    if (steal > off)
        steal = off;
    v->steal_ns += steal;
    v->steals += steal != 0;
    return steal;
}

// An exit whose begin or end was not told: what it took is the guest's time.
static __always_inline void add_untimed(struct kvm_vcpu_state *v, __u32 code, __u32 kind, __u64 now) {
    struct kvm_row *row = row_of(v, code, kind);
    row->count++;
    row->untimed++;
    take_steal(v);
    v->out_ns += v->off_ns;
    v->run_ns += now - v->since > v->off_ns ? now - v->since - v->off_ns : 0;
    v->off_ns = 0;
}

// What was told of the exit before.
static __always_inline void forget_exit(struct kvm_vcpu_state *v) {
    v->kind = KVM_KIND_PLAIN;
    v->user_reason = 0;
    v->woken = 0;
    v->user_since = 0;
    v->place = 0;
}

// The guest was left.
static __always_inline void exit_begins(struct kvm_vcpu_state *v, __u32 code, __u64 now) {
    __u64 left = v->left ? v->left : now;
    change_begins(v);
    if (v->in_exit && v->since) {
        // KVM handled the exit before on its fast path and went back in without telling: what lies between is
        // mostly the guest's time.
        add_untimed(v, v->code, v->kind, now);
        left = now;
    } else if (v->since) {
        v->run_ns += left - v->since;
    } else {
        v->off_ns = 0;
    }
    v->since = left;
    v->left = 0;
    v->in_exit = 1;
    v->code = code;
    if (!kvm_has_time) // else something may have been told of this exit already, and at its end all is forgotten
        forget_exit(v);
    change_ends(v);
}

static __always_inline void add_exit(struct kvm_row *row, __u64 ns) {
    __u64 bucket = log2_bucket(ns, KVM_HIST_BUCKETS);
    opaque(bucket);
    row->count++;
    row->ns += ns;
    row->hist[bucket & (KVM_HIST_BUCKETS - 1)]++;
}

// An exit of so long is over. Returns its row, for what of the time since it began is not its own.
static __always_inline struct kvm_row *book_exit_of(struct kvm_vcpu_state *v, __u32 code, __u64 ns, __u64 now) {
    struct kvm_row *row = row_of(v, code, v->kind);
    add_exit(row, ns);
    if (v->user_since) {
        __u64 user = now - v->user_since;
        row->user_ns += user < ns ? user : ns;
        user_of(v, v->user_reason - 1)->ns += user;
    }
    if (v->place)
        add_place(v, v->place, ns);
    return row;
}

// The exit is over: its time goes where it belongs.
static __always_inline void end_exit(struct kvm_vcpu_state *v, __u64 now) {
    __u64 total = now - v->since;
    __u64 off = v->off_ns;
    __u64 steal = take_steal(v);
    __u64 halted = 0;
    if (v->woken > v->since)
        halted = v->woken - v->since;
    else if (v->user_reason == USER_HLT)
        halted = off;
    if (halted && steal) {
        v->wake_ns += steal;
        v->wakes++;
    }
    halted = halted > steal ? halted - steal : 0;
    __u64 ns = total > steal + halted ? total - steal - halted : 0;
    struct kvm_row *row = book_exit_of(v, v->code, ns, now);
    row->steal_ns += steal;
    row->halted_ns += halted;
    v->halted_ns += halted;
    v->out_ns += halted ? steal : off;
}

// --- what runs here -------------------------------------------------------------------------------------------------

static __always_inline struct kvm_vcpu_state *vcpu_in(__u32 slot) {
    return bpf_map_lookup_elem(&vcpus, &slot);
}

// The vCPU is seen outside its guest: when and why it left KVM knows. If it has not noted the time yet, that is now.
static __noinline int exit_comes_to_light(struct kvm_vcpu_state *v) {
    if (!v)
        return 0;
    __u64 now = bpf_ktime_get_ns();
    struct kvm_vcpu *vcpu = (struct kvm_vcpu *)v->vcpu;
    __u64 left = time_of_exit(v, BPF_CORE_READ(vcpu, arch.last_guest_tsc), now);
    exit_begins(v, code_of_last_exit(v), left ? left : now);
    return 0;
}

// Books the exit that is only noted so far. An event in the guest's time (kvm_wait_lapic_expire) leaves that as it is.
static __always_inline void book_exit(struct kvm_cpu *cpu, struct kvm_vcpu_state *v) {
    __u64 left = cpu->exit_ns;
    if (kvm_has_time) {
        cpu->exit_ns = KVM_LOOK_CLOSER;
        if (v->since && !v->in_exit)
            exit_comes_to_light(v);
        return;
    }
    if (left < KVM_NOTED)
        return;
    cpu->exit_ns = KVM_LOOK_CLOSER;
    exit_begins(v, cpu->code, left);
}

// The vCPU whose thread runs here, or NULL if it is not to be recorded.
static __always_inline struct kvm_vcpu_state *this_vcpu(void) {
    struct kvm_cpu *cpu = my_cpu();
    struct kvm_vcpu_state *v = cpu->current ? vcpu_in(cpu->current - 1) : NULL;
    return v ? v : new_vcpu(bpf_get_current_pid_tgid());
}

// The same, all of its exits booked.
static __always_inline struct kvm_vcpu_state *my_vcpu(void) {
    struct kvm_vcpu_state *v = this_vcpu();
    if (v)
        book_exit(my_cpu(), v);
    return v;
}

// The same for what is done with in a moment: KVM will still know when and why it was left when it is entered again.
static __always_inline struct kvm_vcpu_state *my_vcpu_for_a_moment(void) {
    if (!kvm_has_time)
        return my_vcpu();
    struct kvm_cpu *cpu = my_cpu();
    if (cpu->exit_ns == KVM_IN_GUEST)
        cpu->exit_ns = KVM_TOLD;
    return this_vcpu();
}
