// SPDX-License-Identifier: Apache-2.0
// The tables of VM exit reasons. See exit_reasons.h.
#include "collectors/exit_reasons.h"

#include "core/memory.h"

#include <stdbool.h>
#include <stdio.h>

struct reason {
    unsigned code;
    const char *name;
    enum cause cause;
};

// Ascending by code.
// clang-format off
static const struct reason vmx[] = {
    {0, "exception_nmi", CAUSE_EXIT_OTHER},
    {1, "external_interrupt", CAUSE_EXIT_IRQ},
    {2, "triple_fault", CAUSE_EXIT_OTHER},
    {3, "init_signal", CAUSE_EXIT_OTHER},
    {4, "sipi_signal", CAUSE_EXIT_OTHER},
    {5, "io_smi", CAUSE_EXIT_OTHER},
    {6, "other_smi", CAUSE_EXIT_OTHER},
    {7, "interrupt_window", CAUSE_EXIT_IRQ},
    {8, "nmi_window", CAUSE_EXIT_IRQ},
    {9, "task_switch", CAUSE_EXIT_OTHER},
    {10, "cpuid", CAUSE_EXIT_CPUID},
    {11, "getsec", CAUSE_EXIT_OTHER},
    {12, "hlt", CAUSE_EXIT_HALT},
    {13, "invd", CAUSE_EXIT_OTHER},
    {14, "invlpg", CAUSE_EXIT_OTHER},
    {15, "rdpmc", CAUSE_EXIT_OTHER},
    {16, "rdtsc", CAUSE_EXIT_TSC},
    {17, "rsm", CAUSE_EXIT_OTHER},
    {18, "vmcall", CAUSE_EXIT_HYPERCALL},
    {19, "vmclear", CAUSE_EXIT_OTHER},
    {20, "vmlaunch", CAUSE_EXIT_OTHER},
    {21, "vmptrld", CAUSE_EXIT_OTHER},
    {22, "vmptrst", CAUSE_EXIT_OTHER},
    {23, "vmread", CAUSE_EXIT_OTHER},
    {24, "vmresume", CAUSE_EXIT_OTHER},
    {25, "vmwrite", CAUSE_EXIT_OTHER},
    {26, "vmoff", CAUSE_EXIT_OTHER},
    {27, "vmon", CAUSE_EXIT_OTHER},
    {28, "cr_access", CAUSE_EXIT_OTHER},
    {29, "dr_access", CAUSE_EXIT_OTHER},
    {30, "io", CAUSE_EXIT_PIO},
    {31, "msr_read", CAUSE_EXIT_MSR},
    {32, "msr_write", CAUSE_EXIT_MSR},
    {33, "invalid_state", CAUSE_EXIT_OTHER},
    {34, "msr_load_fail", CAUSE_EXIT_OTHER},
    {36, "mwait", CAUSE_EXIT_HALT},
    {37, "monitor_trap_flag", CAUSE_EXIT_OTHER},
    {39, "monitor", CAUSE_EXIT_OTHER},
    {40, "pause", CAUSE_EXIT_PAUSE},
    {41, "mce_during_vmentry", CAUSE_EXIT_OTHER},
    {43, "tpr_below_threshold", CAUSE_EXIT_IRQ},
    {44, "apic_access", CAUSE_EXIT_MMIO},
    {45, "eoi_induced", CAUSE_EXIT_EOI},
    {46, "gdtr_idtr", CAUSE_EXIT_OTHER},
    {47, "ldtr_tr", CAUSE_EXIT_OTHER},
    {48, "ept_violation", CAUSE_EXIT_STAGE2},
    {49, "ept_misconfig", CAUSE_EXIT_MMIO},
    {50, "invept", CAUSE_EXIT_OTHER},
    {51, "rdtscp", CAUSE_EXIT_TSC},
    {52, "preemption_timer", CAUSE_EXIT_IRQ},
    {53, "invvpid", CAUSE_EXIT_OTHER},
    {54, "wbinvd", CAUSE_EXIT_OTHER},
    {55, "xsetbv", CAUSE_EXIT_OTHER},
    {56, "apic_write", CAUSE_EXIT_MMIO},
    {57, "rdrand", CAUSE_EXIT_OTHER},
    {58, "invpcid", CAUSE_EXIT_OTHER},
    {59, "vmfunc", CAUSE_EXIT_OTHER},
    {60, "encls", CAUSE_EXIT_OTHER},
    {61, "rdseed", CAUSE_EXIT_OTHER},
    {62, "pml_full", CAUSE_EXIT_STAGE2},
    {63, "xsaves", CAUSE_EXIT_OTHER},
    {64, "xrstors", CAUSE_EXIT_OTHER},
    {65, "pconfig", CAUSE_EXIT_OTHER},
    {66, "spp_event", CAUSE_EXIT_STAGE2},
    {67, "umwait", CAUSE_EXIT_PAUSE},
    {68, "tpause", CAUSE_EXIT_PAUSE},
    {69, "loadiwkey", CAUSE_EXIT_OTHER},
    {72, "enqcmd_pasid", CAUSE_EXIT_OTHER},
    {73, "enqcmds_pasid", CAUSE_EXIT_OTHER},
    {74, "bus_lock", CAUSE_EXIT_OTHER},
    {75, "notify", CAUSE_EXIT_OTHER},
    {76, "seamcall", CAUSE_EXIT_OTHER},
    {77, "tdcall", CAUSE_EXIT_HYPERCALL},
    {84, "msr_read_imm", CAUSE_EXIT_MSR},
    {85, "msr_write_imm", CAUSE_EXIT_MSR},
};

static const struct reason svm[] = {
    {0x0, "read_cr0", CAUSE_EXIT_OTHER},
    {0x2, "read_cr2", CAUSE_EXIT_OTHER},
    {0x3, "read_cr3", CAUSE_EXIT_OTHER},
    {0x4, "read_cr4", CAUSE_EXIT_OTHER},
    {0x8, "read_cr8", CAUSE_EXIT_OTHER},
    {0x10, "write_cr0", CAUSE_EXIT_OTHER},
    {0x12, "write_cr2", CAUSE_EXIT_OTHER},
    {0x13, "write_cr3", CAUSE_EXIT_OTHER},
    {0x14, "write_cr4", CAUSE_EXIT_OTHER},
    {0x18, "write_cr8", CAUSE_EXIT_OTHER},
    {0x20, "read_dr0", CAUSE_EXIT_OTHER},
    {0x21, "read_dr1", CAUSE_EXIT_OTHER},
    {0x22, "read_dr2", CAUSE_EXIT_OTHER},
    {0x23, "read_dr3", CAUSE_EXIT_OTHER},
    {0x24, "read_dr4", CAUSE_EXIT_OTHER},
    {0x25, "read_dr5", CAUSE_EXIT_OTHER},
    {0x26, "read_dr6", CAUSE_EXIT_OTHER},
    {0x27, "read_dr7", CAUSE_EXIT_OTHER},
    {0x30, "write_dr0", CAUSE_EXIT_OTHER},
    {0x31, "write_dr1", CAUSE_EXIT_OTHER},
    {0x32, "write_dr2", CAUSE_EXIT_OTHER},
    {0x33, "write_dr3", CAUSE_EXIT_OTHER},
    {0x34, "write_dr4", CAUSE_EXIT_OTHER},
    {0x35, "write_dr5", CAUSE_EXIT_OTHER},
    {0x36, "write_dr6", CAUSE_EXIT_OTHER},
    {0x37, "write_dr7", CAUSE_EXIT_OTHER},
    {0x40, "de_excp", CAUSE_EXIT_OTHER},
    {0x41, "db_excp", CAUSE_EXIT_OTHER},
    {0x42, "nmi_excp", CAUSE_EXIT_OTHER},
    {0x43, "bp_excp", CAUSE_EXIT_OTHER},
    {0x44, "of_excp", CAUSE_EXIT_OTHER},
    {0x45, "br_excp", CAUSE_EXIT_OTHER},
    {0x46, "ud_excp", CAUSE_EXIT_OTHER},
    {0x47, "nm_excp", CAUSE_EXIT_OTHER},
    {0x48, "df_excp", CAUSE_EXIT_OTHER},
    {0x4a, "ts_excp", CAUSE_EXIT_OTHER},
    {0x4b, "np_excp", CAUSE_EXIT_OTHER},
    {0x4c, "ss_excp", CAUSE_EXIT_OTHER},
    {0x4d, "gp_excp", CAUSE_EXIT_OTHER},
    {0x4e, "pf_excp", CAUSE_EXIT_OTHER},
    {0x50, "mf_excp", CAUSE_EXIT_OTHER},
    {0x51, "ac_excp", CAUSE_EXIT_OTHER},
    {0x52, "mc_excp", CAUSE_EXIT_OTHER},
    {0x53, "xf_excp", CAUSE_EXIT_OTHER},
    {0x54, "ve_excp", CAUSE_EXIT_OTHER},
    {0x55, "cp_excp", CAUSE_EXIT_OTHER},
    {0x5c, "hv_excp", CAUSE_EXIT_IRQ},
    {0x5d, "vc_excp", CAUSE_EXIT_OTHER},
    {0x5e, "sx_excp", CAUSE_EXIT_OTHER},
    {0x60, "interrupt", CAUSE_EXIT_IRQ},
    {0x61, "nmi", CAUSE_EXIT_IRQ},
    {0x62, "smi", CAUSE_EXIT_OTHER},
    {0x63, "init", CAUSE_EXIT_OTHER},
    {0x64, "vintr", CAUSE_EXIT_IRQ},
    {0x65, "cr0_sel_write", CAUSE_EXIT_OTHER},
    {0x66, "read_idtr", CAUSE_EXIT_OTHER},
    {0x67, "read_gdtr", CAUSE_EXIT_OTHER},
    {0x68, "read_ldtr", CAUSE_EXIT_OTHER},
    {0x69, "read_rt", CAUSE_EXIT_OTHER},
    {0x6a, "write_idtr", CAUSE_EXIT_OTHER},
    {0x6b, "write_gdtr", CAUSE_EXIT_OTHER},
    {0x6c, "write_ldtr", CAUSE_EXIT_OTHER},
    {0x6d, "write_rt", CAUSE_EXIT_OTHER},
    {0x6e, "rdtsc", CAUSE_EXIT_TSC},
    {0x6f, "rdpmc", CAUSE_EXIT_OTHER},
    {0x70, "pushf", CAUSE_EXIT_OTHER},
    {0x71, "popf", CAUSE_EXIT_OTHER},
    {0x72, "cpuid", CAUSE_EXIT_CPUID},
    {0x73, "rsm", CAUSE_EXIT_OTHER},
    {0x74, "iret", CAUSE_EXIT_OTHER},
    {0x75, "swint", CAUSE_EXIT_OTHER},
    {0x76, "invd", CAUSE_EXIT_OTHER},
    {0x77, "pause", CAUSE_EXIT_PAUSE},
    {0x78, "hlt", CAUSE_EXIT_HALT},
    {0x79, "invlpg", CAUSE_EXIT_OTHER},
    {0x7a, "invlpga", CAUSE_EXIT_OTHER},
    {0x7b, "io", CAUSE_EXIT_PIO},
    {0x7c, "msr", CAUSE_EXIT_MSR},
    {0x7d, "task_switch", CAUSE_EXIT_OTHER},
    {0x7e, "ferr_freeze", CAUSE_EXIT_OTHER},
    {0x7f, "shutdown", CAUSE_EXIT_OTHER},
    {0x80, "vmrun", CAUSE_EXIT_OTHER},
    {0x81, "hypercall", CAUSE_EXIT_HYPERCALL},
    {0x82, "vmload", CAUSE_EXIT_OTHER},
    {0x83, "vmsave", CAUSE_EXIT_OTHER},
    {0x84, "stgi", CAUSE_EXIT_OTHER},
    {0x85, "clgi", CAUSE_EXIT_OTHER},
    {0x86, "skinit", CAUSE_EXIT_OTHER},
    {0x87, "rdtscp", CAUSE_EXIT_TSC},
    {0x88, "icebp", CAUSE_EXIT_OTHER},
    {0x89, "wbinvd", CAUSE_EXIT_OTHER},
    {0x8a, "monitor", CAUSE_EXIT_OTHER},
    {0x8b, "mwait", CAUSE_EXIT_HALT},
    {0x8c, "mwait_armed", CAUSE_EXIT_HALT},
    {0x8d, "xsetbv", CAUSE_EXIT_OTHER},
    {0x8e, "rdpru", CAUSE_EXIT_OTHER},
    {0x8f, "write_efer_trap", CAUSE_EXIT_OTHER},
    {0x90, "write_cr0_trap", CAUSE_EXIT_OTHER},
    {0x94, "write_cr4_trap", CAUSE_EXIT_OTHER},
    {0x98, "write_cr8_trap", CAUSE_EXIT_OTHER},
    {0xa0, "invlpgb", CAUSE_EXIT_OTHER},
    {0xa1, "invlpgb_illegal", CAUSE_EXIT_OTHER},
    {0xa2, "invpcid", CAUSE_EXIT_OTHER},
    {0xa3, "mcommit", CAUSE_EXIT_OTHER},
    {0xa4, "tlbsync", CAUSE_EXIT_OTHER},
    {0xa5, "buslock", CAUSE_EXIT_OTHER},
    {0xa6, "idle_halt", CAUSE_EXIT_HALT},
    {0x400, "npf", CAUSE_EXIT_STAGE2},
    {0x401, "avic_incomplete_ipi", CAUSE_EXIT_IPI},
    {0x402, "avic_unaccelerated_access", CAUSE_EXIT_MMIO},
    {0x403, "vmgexit", CAUSE_EXIT_HYPERCALL},
    {0x80000000, "failed_vmentry", CAUSE_EXIT_OTHER},
    {0x80000001, "vmgexit_mmio_read", CAUSE_EXIT_MMIO},
    {0x80000002, "vmgexit_mmio_write", CAUSE_EXIT_MMIO},
    {0x80000003, "vmgexit_nmi_complete", CAUSE_EXIT_HYPERCALL},
    {0x80000004, "vmgexit_ap_hlt_loop", CAUSE_EXIT_HALT},
    {0x80000005, "vmgexit_ap_jump_table", CAUSE_EXIT_HYPERCALL},
    {0x80000010, "vmgexit_page_state_change", CAUSE_EXIT_STAGE2},
    {0x80000011, "vmgexit_guest_request", CAUSE_EXIT_HYPERCALL},
    {0x80000012, "vmgexit_ext_guest_request", CAUSE_EXIT_HYPERCALL},
    {0x80000013, "vmgexit_ap_creation", CAUSE_EXIT_HYPERCALL},
    {0x80000014, "vmgexit_hv_doorbell_page", CAUSE_EXIT_HYPERCALL},
    {0x80000018, "vmgexit_snp_run_vmpl", CAUSE_EXIT_HYPERCALL},
    {0x8000001a, "vmgexit_savic", CAUSE_EXIT_HYPERCALL},
    {0x8000fffd, "vmgexit_hypervisor_feature", CAUSE_EXIT_HYPERCALL},
    {0x8000fffe, "vmgexit_termination", CAUSE_EXIT_HYPERCALL},
    {0x8000ffff, "vmgexit_unsupported_event", CAUSE_EXIT_HYPERCALL},
    {0xf0000000, "sw_exit", CAUSE_EXIT_OTHER},
    {0xfffffffe, "busy", CAUSE_EXIT_OTHER},
    {0xffffffff, "invalid_guest_state", CAUSE_EXIT_OTHER},
};
// clang-format on

static const struct {
    const struct reason *rows;
    size_t count;
} tables[] = {
    [EXIT_ISA_UNKNOWN] = {NULL, 0},
    [EXIT_ISA_VMX] = {vmx, ARRAY_LEN(vmx)},
    [EXIT_ISA_SVM] = {svm, ARRAY_LEN(svm)},
};

// Index is KVM_EXIT_*.
static const char *const user_reasons[] = {
    "unknown",
    "exception",
    "io",
    "hypercall",
    "debug",
    "hlt",
    "mmio",
    "irq_window_open",
    "shutdown",
    "fail_entry",
    "intr",
    "set_tpr",
    "tpr_access",
    "s390_sieic",
    "s390_reset",
    "dcr",
    "nmi",
    "internal_error",
    "osi",
    "papr_hcall",
    "s390_ucontrol",
    "watchdog",
    "s390_tsch",
    "epr",
    "system_event",
    "s390_stsi",
    "ioapic_eoi",
    "hyperv",
    "arm_nisv",
    "x86_rdmsr",
    "x86_wrmsr",
    "dirty_ring_full",
    "ap_reset_hold",
    "x86_bus_lock",
    "xen",
    "riscv_sbi",
    "riscv_csr",
    "notify",
    "loongarch_iocsr",
    "memory_fault",
    "tdx",
    "arm_sea",
};

static const enum cause cause_of_kind[KVM_KIND_COUNT] = {
    [KVM_KIND_PLAIN] = CAUSE_COUNT,  [KVM_KIND_MMIO] = CAUSE_EXIT_MMIO, [KVM_KIND_TIMER] = CAUSE_EXIT_TIMER,
    [KVM_KIND_IPI] = CAUSE_EXIT_IPI, [KVM_KIND_EOI] = CAUSE_EXIT_EOI,   [KVM_KIND_KICK] = CAUSE_EXIT_KICK,
};

// VMX has flags in the upper half: entry failed, bus lock, inside an enclave (Intel SDM vol. 3, 25.9.1).
#define VMX_BASIC        0xffffU
#define VMX_FAILED_ENTRY 0x80000000U

static unsigned basic(enum exit_isa isa, unsigned code) {
    return isa == EXIT_ISA_VMX ? code & VMX_BASIC : code;
}

static const struct reason *find(enum exit_isa isa, unsigned code) {
    size_t low = 0;
    size_t high = (size_t)isa < ARRAY_LEN(tables) ? tables[isa].count : 0;
    code = basic(isa, code);
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct reason *row = &tables[isa].rows[middle];
        if (row->code == code)
            return row;
        if (row->code < code)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void exit_reason_name(enum exit_isa isa, unsigned code, char *out, size_t size) {
    const struct reason *row = find(isa, code);
    bool failed = isa == EXIT_ISA_VMX && code & VMX_FAILED_ENTRY;
    if (row)
        snprintf(out, size, "%s%s", row->name, failed ? "+failed_entry" : "");
    else if (isa == EXIT_ISA_VMX)
        snprintf(out, size, "vmx %u%s", basic(isa, code), failed ? "+failed_entry" : "");
    else
        snprintf(out, size, isa == EXIT_ISA_SVM ? "svm 0x%x" : "code 0x%x", code);
}

enum cause exit_reason_cause(enum exit_isa isa, unsigned code, enum kvm_kind kind) {
    const struct reason *row = find(isa, code);
    if ((unsigned)kind < KVM_KIND_COUNT && kind != KVM_KIND_PLAIN)
        return cause_of_kind[kind];
    return row ? row->cause : CAUSE_EXIT_OTHER;
}

void exit_user_reason_name(unsigned reason, char *out, size_t size) {
    if (reason == KVM_USER_INTERRUPTED)
        snprintf(out, size, "interrupted");
    else if (reason == KVM_USER_ERROR)
        snprintf(out, size, "error");
    else if (reason < ARRAY_LEN(user_reasons))
        snprintf(out, size, "%s", user_reasons[reason]);
    else
        snprintf(out, size, "kvm_exit %u", reason);
}
