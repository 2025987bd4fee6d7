// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Why does each vCPU leave its guest, and for how long? Pairs kvm_exit with kvm_entry and sums up in the kernel; no
// event leaves it.
//
// All tracepoints are raw: their arguments are plain numbers, the same ones from 5.10 to 6.18. kvm_exit alone has lost
// its reason in 5.17. It is then taken from where the tracepoint's own record gets it, in structures of kvm_amd and
// kvm_intel whose offsets libbpf finds in the modules' BTF; where these are not known, from the record, at offsets of
// the tracepoint's format file, which makes KVM fill it in (kvm_exit_source.c chooses).
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "probes/kvm_host.bpf.h"

#define EINTR_RESTART (-4)

// --- leaving and entering -------------------------------------------------------------------------------------------

static __noinline int odd_exit(__u32 code, const void *vcpu, __u32 isa, __u64 now) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (!v)
        return 0;
    if (v->isa == 0) {
        v->isa = isa;
        if (vcpu)
            v->vcpu_id = BPF_CORE_READ((const struct kvm_vcpu *)vcpu, vcpu_id);
    }
    exit_begins(v, code, now);
    return 0;
}

static __noinline int knocked(__u64 part, __u32 value, __u64 now) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (v)
        note_knock(v, part, value, now);
    return 0;
}

// A guest's CPUID may be part of its knock. What it asked for is in other registers, too, which are as they were when
// it has been answered.
#define is_knock(vcpu) ((vcpu)->arch.regs[KVM_KNOCK_LEAF_IN] - KVM_KNOCK_LEAF <= 2)

// The guest was left. As a rule that is only noted.
static __always_inline int left_guest(__u32 code, const void *vcpu, __u32 isa, __u64 now) {
    struct kvm_cpu *cpu = my_cpu();
    if (cpu->exit_ns != KVM_IN_GUEST)
        return odd_exit(code, vcpu, isa, now);
    cpu->code = code;
    cpu->exit_ns = now;
    return 0;
}

// kvm:kvm_exit, its formatted record.
SEC("tracepoint/kvm/kvm_exit")
int on_kvm_exit(void *record) {
    __u64 now = bpf_ktime_get_ns();
    __u32 code = 0;
    bpf_probe_read_kernel(&code, sizeof code, record + reason_offset);
    if (my_cpu()->exit_ns == KVM_IN_GUEST)
        return left_guest(code, NULL, 0, now);
    struct kvm_vcpu_state *v = my_vcpu();
    __u32 isa = 0;
    bpf_probe_read_kernel(&isa, sizeof isa, record + isa_offset);
    if (v && vcpu_offset)
        bpf_probe_read_kernel(&v->vcpu_id, sizeof v->vcpu_id, record + vcpu_offset);
    return left_guest(code, NULL, isa, now);
}

// kvm:kvm_exit(reason, vcpu, isa), up to Linux 5.16.
SEC("raw_tp/kvm_exit")
int on_kvm_exit_args(struct bpf_raw_tracepoint_args *ctx) {
    return left_guest(ctx->args[0], (void *)ctx->args[1], ctx->args[2], bpf_ktime_get_ns());
}

// kvm:kvm_exit(vcpu, isa), from Linux 5.17 on.
SEC("tp_btf/kvm_exit")
int BPF_PROG(on_kvm_exit_vcpu, struct kvm_vcpu *vcpu, __u32 isa) {
    __u64 now = bpf_ktime_get_ns();
    __u32 code = 0;
    if (exit_source == KVM_EXIT_IN_VMCB) {
        struct vmcb *vmcb = BPF_CORE_READ((struct vcpu_svm *)vcpu, vmcb);
        code = BPF_CORE_READ(vmcb, control.exit_code);
    } else {
        code = BPF_CORE_READ((struct vcpu_vmx *)vcpu, exit_reason.full);
    }
    if (code == (exit_source == KVM_EXIT_IN_VMCB ? SVM_EXIT_CPUID : VMX_EXIT_CPUID) && is_knock(vcpu))
        knocked(vcpu->arch.regs[KVM_KNOCK_LEAF_IN] - KVM_KNOCK_LEAF, vcpu->arch.regs[KVM_KNOCK_VALUE_IN], now);
    return left_guest(code, vcpu, isa, now);
}

static __noinline int odd_entry(__u64 now) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (!v)
        return 0;
    change_begins(v);
    if (v->in_exit && v->since)
        end_exit(v, now);
    v->since = now;
    v->in_exit = 0;
    v->left = 0;
    v->off_ns = 0;
    change_ends(v);
    struct kvm_cpu *cpu = my_cpu();
    cpu->exit_ns = cpu->current && v->isa ? KVM_IN_GUEST : KVM_LOOK_CLOSER;
    return 0;
}

// kvm:kvm_entry: the guest is about to be entered. If the exit is still only noted, nothing else happened in it.
SEC("raw_tp/kvm_entry")
int on_kvm_entry(void *ctx) {
    __u64 now = bpf_ktime_get_ns();
    struct kvm_cpu *cpu = my_cpu();
    struct kvm_vcpu_state *v = cpu->exit_ns >= KVM_NOTED ? vcpu_in(cpu->current - 1) : NULL;
    struct kvm_row *row = v ? plain_row(v, cpu->code) : NULL;
    if (!row)
        return odd_entry(now);
    __u64 left = cpu->exit_ns;
    change_begins(v);
    add_exit(row, now - left);
    v->run_ns += left - v->since;
    v->since = now;
    change_ends(v);
    cpu->exit_ns = KVM_IN_GUEST;
    return 0;
}

// --- entering, where KVM has told all of the exit -------------------------------------------------------------------

static __always_inline void hear_knock(struct kvm_vcpu_state *v, __u64 left) {
    struct kvm_vcpu *vcpu = (struct kvm_vcpu *)v->vcpu;
    __u64 part = BPF_CORE_READ(vcpu, arch.regs[KVM_KNOCK_LEAF_IN]) - KVM_KNOCK_LEAF;
    if (part <= 2)
        note_knock(v, part, BPF_CORE_READ(vcpu, arch.regs[KVM_KNOCK_VALUE_IN]), left);
}

// The vCPU has been in its guest, and nothing was seen of it since.
static __always_inline void look_at_exit(struct kvm_vcpu_state *v, __u64 now) {
    __u32 code = code_of_last_exit(v);
    __u64 left = time_of_last_exit(v, now);
    if (left) {
        exit_begins(v, code, left);
        return;
    }
    change_begins(v);
    add_untimed(v, code, KVM_KIND_PLAIN, now);
    change_ends(v);
}

static __noinline int odd_entry_of(const void *vcpu, __u64 now) {
    struct kvm_cpu *cpu = my_cpu();
    struct kvm_vcpu_state *v = this_vcpu();
    if (!v)
        return 0;
    if (v->since && !v->in_exit)
        look_at_exit(v, now);
    _Bool timed = v->since && v->in_exit;
    if (timed && v->code == v->cpuid_code)
        hear_knock(v, v->since);
    if (v->isa == 0)
        v->vcpu_id = BPF_CORE_READ((const struct kvm_vcpu *)vcpu, vcpu_id);
    change_begins(v);
    if (timed)
        end_exit(v, now);
    v->since = now;
    v->in_exit = 0;
    v->off_ns = 0;
    _Bool plain = find_code(v, vcpu);
    cpu->exit_ns = cpu->current && plain ? KVM_IN_GUEST : KVM_LOOK_CLOSER;
    change_ends(v);
    return 0;
}

// The vCPU of which nothing has been seen since its last entry, or NULL.
static __always_inline struct kvm_vcpu_state *plain_vcpu(struct kvm_cpu *cpu) {
    return cpu->exit_ns == KVM_IN_GUEST ? vcpu_in(cpu->current - 1) : NULL;
}

// False if there is more to this exit than its reason and its two times.
static __always_inline _Bool plain_exit(struct kvm_vcpu_state *v, __u32 code, __u64 ticks, __u64 now) {
    struct kvm_row *row = plain_row(v, code);
    __u64 ns = now - guest_clock_ns(&v->clock, ticks);
    __u64 all = now - v->since;
    if (!row || ns > all || now >= v->clock.until)
        return 0;
    change_begins(v);
    add_exit(row, ns);
    v->run_ns += all - ns;
    v->since = now;
    change_ends(v);
    return 1;
}

// kvm:kvm_entry(vcpu), from Linux 5.17 on.
SEC("tp_btf/kvm_entry")
int BPF_PROG(on_kvm_entry_vcpu, struct kvm_vcpu *vcpu) {
    __u64 now = bpf_ktime_get_ns();
    struct kvm_vcpu_state *v = plain_vcpu(my_cpu());
    if (!v)
        return odd_entry_of(vcpu, now);
    __u32 code = code_of_last_exit(v);
    if (code == v->cpuid_code && is_knock(vcpu))
        return odd_entry_of(vcpu, now);
    return plain_exit(v, code, vcpu->arch.last_guest_tsc, now) ? 0 : odd_entry_of(vcpu, now);
}

// The same, from Linux 6.2 on: without a call to read the reason.
SEC("raw_tp/kvm_entry")
int on_kvm_entry_loads(struct bpf_raw_tracepoint_args *ctx) {
    __u64 now = bpf_ktime_get_ns();
    const void *vcpu = kernel_memory(ctx->args[0]);
    struct kvm_vcpu_state *v = plain_vcpu(my_cpu());
    if (!v)
        return odd_entry_of(vcpu, now);
    __u32 code = *(const __u32 *)kernel_memory(v->code_at);
    if (code == v->cpuid_code &&
        *(const __u64 *)(vcpu + bpf_core_field_offset(struct kvm_vcpu, arch.regs[KVM_KNOCK_LEAF_IN])) -
                KVM_KNOCK_LEAF <=
            2)
        return odd_entry_of(vcpu, now);
    __u64 ticks = *(const __u64 *)(vcpu + bpf_core_field_offset(struct kvm_vcpu, arch.last_guest_tsc));
    return plain_exit(v, code, ticks, now) ? 0 : odd_entry_of(vcpu, now);
}

// kvm:kvm_wait_lapic_expire(vcpu, delta), told after the exit that follows: KVM fires the guest's deadline timer early
// and waits for the rest, -delta ticks of the guest's counter, between kvm_entry and the guest.
SEC("raw_tp/kvm_wait_lapic_expire")
int on_kvm_wait_lapic_expire(struct bpf_raw_tracepoint_args *ctx) {
    long long delta = ctx->args[1];
    struct kvm_vcpu_state *v = delta < 0 ? my_vcpu() : NULL;
    if (!v)
        return 0;
    change_begins(v);
    v->early_ticks += -delta;
    v->earlies++;
    change_ends(v);
    return 0;
}

// --- kvm_exit that comes late ---------------------------------------------------------------------------------------

// Up to Linux 6.4 SVM tells kvm_exit when interrupts are on again. An interrupt that the host handles while the vCPU
// seems to be in its guest, or a context switch, tells that it has left.
static __always_inline int guest_was_left(struct kvm_cpu *cpu, __u64 now) {
    struct kvm_vcpu_state *v = cpu->exit_ns == KVM_IN_GUEST ? vcpu_in(cpu->current - 1) : NULL;
    if (!v)
        return 0;
    cpu->exit_ns = KVM_LOOK_CLOSER;
    change_begins(v);
    v->left = now;
    change_ends(v);
    return 0;
}

static __always_inline int host_interrupt(void) {
    struct kvm_cpu *cpu = my_cpu();
    return cpu->exit_ns == KVM_IN_GUEST ? guest_was_left(cpu, bpf_ktime_get_ns()) : 0;
}

SEC("raw_tp/local_timer_entry")
int on_local_timer_entry(void *ctx) {
    return host_interrupt();
}

SEC("raw_tp/reschedule_entry")
int on_reschedule_entry(void *ctx) {
    return host_interrupt();
}

SEC("raw_tp/call_function_entry")
int on_call_function_entry(void *ctx) {
    return host_interrupt();
}

SEC("raw_tp/call_function_single_entry")
int on_call_function_single_entry(void *ctx) {
    return host_interrupt();
}

SEC("raw_tp/irq_work_entry")
int on_irq_work_entry(void *ctx) {
    return host_interrupt();
}

SEC("raw_tp/irq_handler_entry")
int on_irq_handler_entry(void *ctx) {
    return host_interrupt();
}

// --- what an exit turns out to be -----------------------------------------------------------------------------------

// kvm:kvm_userspace_exit(reason, errno): KVM_RUN returns to the monitor.
SEC("raw_tp/kvm_userspace_exit")
int on_kvm_userspace_exit(struct bpf_raw_tracepoint_args *ctx) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (!v)
        return 0;
    __u32 reason = ctx->args[0];
    int error = (int)ctx->args[1];
    if (error < 0)
        reason = error == EINTR_RESTART ? KVM_USER_INTERRUPTED : KVM_USER_ERROR;
    if (reason >= KVM_USER_REASONS)
        reason = KVM_USER_ERROR;
    __u64 now = bpf_ktime_get_ns();
    change_begins(v);
    user_of(v, reason)->count++;
    v->user_reason = reason + 1;
    v->user_since = now;
    change_ends(v);
    return 0;
}

static __always_inline int note_place(__u32 kind, __u64 place) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (!v)
        return 0;
    change_begins(v);
    if (!v->since) { // kvm_exit never fires here: count all the same
        v->accesses[(place >> 60) & (KVM_PLACE_TYPES - 1)]++;
        add_place(v, place, 0);
    } else {
        v->place = place;
        if (kind != KVM_KIND_PLAIN)
            v->kind = kind;
    }
    change_ends(v);
    return 0;
}

// kvm:kvm_pio(write, port, size, count, value)
SEC("raw_tp/kvm_pio")
int on_kvm_pio(struct bpf_raw_tracepoint_args *ctx) {
    return note_place(KVM_KIND_PLAIN, KVM_PLACE(KVM_PLACE_PORT, ctx->args[0], (__u32)ctx->args[1]));
}

// kvm:kvm_mmio(type, length, address, value). Type 2 is a write; 0, a read that the monitor has to serve, is told
// again as 1 when the value is there.
SEC("raw_tp/kvm_mmio")
int on_kvm_mmio(struct bpf_raw_tracepoint_args *ctx) {
    if ((__u32)ctx->args[0] == 1) {
        struct kvm_vcpu_state *v = my_vcpu();
        if (!v || v->place)
            return 0;
    }
    return note_place(KVM_KIND_MMIO, KVM_PLACE(KVM_PLACE_MMIO, (__u32)ctx->args[0] == 2, ctx->args[2]));
}

// kvm:kvm_fast_mmio(address)
SEC("raw_tp/kvm_fast_mmio")
int on_kvm_fast_mmio(struct bpf_raw_tracepoint_args *ctx) {
    return note_place(KVM_KIND_KICK, KVM_PLACE(KVM_PLACE_MMIO, 1, ctx->args[0]));
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

// kvm:kvm_msr(write, register, value, exception)
SEC("raw_tp/kvm_msr")
int on_kvm_msr(struct bpf_raw_tracepoint_args *ctx) {
    __u32 msr = ctx->args[1];
    __u32 kind = ctx->args[0] ? kind_of_msr(msr) : KVM_KIND_PLAIN;
    return note_place(kind, KVM_PLACE(KVM_PLACE_MSR, ctx->args[0], msr));
}

// kvm:kvm_apic(write, register, value): the memory-mapped registers' offsets, and what fast paths write.
SEC("raw_tp/kvm_apic")
int on_kvm_apic(struct bpf_raw_tracepoint_args *ctx) {
    __u32 offset = ctx->args[1];
    __u32 kind = KVM_KIND_PLAIN;
    if (!ctx->args[0])
        return 0;
    if (offset == 0x380) // initial count
        kind = KVM_KIND_TIMER;
    else if (offset == 0x300) // interrupt command
        kind = KVM_KIND_IPI;
    else if (offset == 0xb0)
        kind = KVM_KIND_EOI;
    else
        return 0;
    struct kvm_vcpu_state *v = my_vcpu();
    if (v)
        v->kind = kind;
    return 0;
}

// kvm:kvm_hypercall(number, ...): 10 sends IPIs.
SEC("raw_tp/kvm_hypercall")
int on_kvm_hypercall(struct bpf_raw_tracepoint_args *ctx) {
    struct kvm_vcpu_state *v = ctx->args[0] == 10 ? my_vcpu() : NULL;
    if (v)
        v->kind = KVM_KIND_IPI;
    return 0;
}

// kvm:kvm_vcpu_wakeup(ns, waited, valid): a halt is over.
SEC("raw_tp/kvm_vcpu_wakeup")
int on_kvm_vcpu_wakeup(struct bpf_raw_tracepoint_args *ctx) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (!v)
        return 0;
    __u64 now = bpf_ktime_get_ns();
    change_begins(v);
    v->woken = now;
    if (ctx->args[1] & 1)
        v->halts_waited++;
    else
        v->halts_polled++;
    change_ends(v);
    return 0;
}

// kvm:kvm_halt_poll_ns(grow, vcpu, new, old)
SEC("raw_tp/kvm_halt_poll_ns")
int on_kvm_halt_poll_ns(struct bpf_raw_tracepoint_args *ctx) {
    struct kvm_vcpu_state *v = my_vcpu();
    if (!v)
        return 0;
    change_begins(v);
    if (ctx->args[0] & 1)
        v->polls_grown++;
    else
        v->polls_shrunk++;
    v->poll_window_ns = ctx->args[2];
    change_ends(v);
    return 0;
}

// kvm:kvm_cpuid(leaf, subleaf, ...), where kvm_exit does not tell the guest's registers.
SEC("raw_tp/kvm_cpuid")
int on_kvm_cpuid(struct bpf_raw_tracepoint_args *ctx) {
    __u32 leaf = ctx->args[0];
    struct kvm_vcpu_state *v = leaf - KVM_KNOCK_LEAF <= 2 ? my_vcpu() : NULL;
    if (v)
        note_knock(v, leaf - KVM_KNOCK_LEAF, ctx->args[1], bpf_ktime_get_ns());
    return 0;
}

// --- who has a CPU --------------------------------------------------------------------------------------------------

static __always_inline void loses_cpu(struct kvm_cpu *cpu, __u32 tid, __u64 now) {
    struct kvm_vcpu_state *v = vcpu_in(cpu->current - 1);
    if (v && v->tid == tid) {
        book_exit(cpu, v);
        guest_was_left(cpu, now);
        v->out_since = now;
    }
    cpu->current = 0;
    cpu->exit_ns = KVM_LOOK_CLOSER;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_sched_switch, _Bool preempt, struct task_struct *prev, struct task_struct *next) {
    struct kvm_cpu *cpu = my_cpu();
    __u64 now = 0;
    if (cpu->current) {
        now = bpf_ktime_get_ns();
        loses_cpu(cpu, prev->pid, now);
    }
    __u32 tid = next->pid;
    __u32 *slot = tid ? bpf_map_lookup_elem(&threads, &tid) : NULL;
    if (!slot)
        return 0;
    __u32 found = *slot;
    struct kvm_vcpu_state *v = vcpu_in(found);
    if (!v)
        return 0;
    takes_cpu(cpu, v, found + 1);
    if (v->out_since) {
        change_begins(v);
        v->off_ns += (now ? now : bpf_ktime_get_ns()) - v->out_since;
        v->out_since = 0;
        change_ends(v);
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
