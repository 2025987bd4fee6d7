// SPDX-License-Identifier: Apache-2.0
// Which way each resource's requests go. The resources that every machine has (CPU, memory, timer, interrupts, ...)
// follow from the verdict and a few feature bits; disks, NICs and graphics from where the kernel hangs them
// (devices.c). See paths.h. May include: core.
#include "detect/paths.h"

#include "core/memory.h"
#include "detect/devices.h"
#include "detect/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void path_add(struct platform *out, const char *resource, const char *device, enum path_kind path, const char *via,
              // NOLINTNEXTLINE(readability-non-const-parameter): it takes `reason` over
              const char *driver, char *reason) {
    struct platform_path row = {
        .resource = resource,
        .device = mem_strdup(device),
        .path = path,
        .via = via,
        .driver = driver && *driver ? mem_strdup(driver) : NULL,
        .reason = reason,
    };
    ARRAY_PUSH(out->paths, out->path_count, out->path_capacity, row);
}

bool path_is_virtual(const struct platform *p) {
    return !name_is(p->hypervisor, "none") && !(name_is(p->hypervisor, "unknown") && !name_is(p->kind, "vm"));
}

static void add(struct platform *out, const char *resource, enum path_kind path, const char *via, const char *reason) {
    path_add(out, resource, NULL, path, via, NULL, mem_strdup(reason));
}

// How a hypervisor runs a CPU and maps memory. The first row that fits wins; NULL fits all.
static const struct {
    const char *hypervisor, *mode;
    enum path_kind path;
    const char *cpu, *memory;
} machines[] = {
    {"none", NULL, PATH_NATIVE, "the operating system runs on the CPU itself",
     "one set of page tables, the kernel's own"},
    {"qemu", NULL, PATH_EMULATED, "QEMU translates every instruction", "QEMU walks the page tables in software"},
    {"bochs", NULL, PATH_EMULATED, "Bochs interprets every instruction", "Bochs walks the page tables in software"},
    {"uml", NULL, PATH_PARAVIRTUAL,
     "the kernel is a process; its host intercepts each system call of the programs in it",
     "the kernel's memory is a file that its host maps"},
    {"xen", "pv", PATH_PARAVIRTUAL, "privileged work is a hypercall; neither VMX nor SVM is used",
     "Xen checks each change of a page table; there is no second set"},
    {"powervm", NULL, PATH_HARDWARE, "the partition runs on the CPU; firmware dispatches it",
     "firmware owns the hash page table"},
    {"pr/sm", NULL, PATH_HARDWARE, "the partition runs on the CPU; firmware dispatches it",
     "a fixed part of the machine's memory"},
    {"ldoms", NULL, PATH_HARDWARE, "each domain owns its hardware threads", "a fixed part of the machine's memory"},
    {"jailhouse", NULL, PATH_HARDWARE, "the cell owns its CPUs",
     "a fixed part of the machine's memory, behind nested page tables"},
    {"unknown", NULL, PATH_UNKNOWN, "the hypervisor was not recognised", "the hypervisor was not recognised"},
    {NULL, NULL, PATH_HARDWARE, "instructions run on the CPU itself; those that the hypervisor must see are VM exits",
     "nested paging: a TLB miss walks the guest's and the host's page tables; the first touch of a page that the host "
     "does "
     "not back is a VM exit"},
};

static void find_machine(struct platform *out) {
    if (name_is(out->kind, "unknown") || (name_is(out->hypervisor, "unknown") && !path_is_virtual(out))) {
        add(out, "cpu", PATH_UNKNOWN, NULL, "no evidence about the CPU was found");
        add(out, "memory", PATH_UNKNOWN, NULL, "no evidence about the memory was found");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
        if (machines[i].hypervisor && !name_is(out->hypervisor, machines[i].hypervisor))
            continue;
        if (machines[i].mode && !name_is(out->mode, machines[i].mode))
            continue;
        add(out, "cpu", machines[i].path, NULL, machines[i].cpu);
        add(out, "memory", machines[i].path, NULL, machines[i].memory);
        return;
    }
}

// Clock sources, and what a read of each costs in a virtual machine.
static const struct {
    const char *name;
    enum path_kind in_guest;
    const char *reason;
} clocks[] = {
    {"tsc", PATH_HARDWARE, "clock source tsc: reads need no VM exit"},
    {"kvm-clock", PATH_PARAVIRTUAL,
     "clock source kvm-clock: the TSC with a page of factors that the host keeps; reads need no VM exit"},
    {"xen", PATH_PARAVIRTUAL, "clock source xen: the TSC with factors that Xen keeps; reads need no VM exit"},
    {"hyperv_clocksource_tsc_page", PATH_PARAVIRTUAL, "clock source Hyper-V TSC page: reads need no VM exit"},
    {"hyperv_clocksource_msr", PATH_PARAVIRTUAL, "clock source Hyper-V MSR: each read is a VM exit"},
    {"hpet", PATH_EMULATED, "clock source hpet: each read is a VM exit"},
    {"acpi_pm", PATH_EMULATED, "clock source acpi_pm: each read is a VM exit"},
    {"pit", PATH_EMULATED, "clock source pit: each read is a VM exit"},
    {"refined-jiffies", PATH_EMULATED, "clock source jiffies: it has the resolution of the timer tick"},
    {"jiffies", PATH_EMULATED, "clock source jiffies: it has the resolution of the timer tick"},
    {"arch_sys_counter", PATH_HARDWARE, "clock source arch_sys_counter: reads need no VM exit"},
    {"tod", PATH_HARDWARE, "clock source tod: the time-of-day clock, read by one instruction"},
    {"stp", PATH_HARDWARE, "clock source stp: the time-of-day clock, read by one instruction"},
    {"timebase", PATH_HARDWARE, "clock source timebase: a register"},
    {"stick", PATH_HARDWARE, "clock source stick: a register"},
    {"Constant", PATH_HARDWARE, "clock source Constant: a register"},
};

static void find_timer(struct evidence_set *set, struct platform *out) {
    char clock[64];
    if (!sysroot_text(set->root, "sys/devices/system/clocksource/clocksource0/current_clocksource", clock,
                      sizeof clock))
        return;
    bool deadline = path_is_virtual(out) && cpuid_bit(&set->cpuid, 1, ECX, 24);
    for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
        if (strcmp(clocks[i].name, clock) != 0)
            continue;
        if (!path_is_virtual(out))
            path_add(out, "timer", NULL, PATH_NATIVE, NULL, clock, mem_printf("clock source %s", clock));
        else
            path_add(out, "timer", NULL, clocks[i].in_guest, NULL, clock,
                     mem_printf("%s%s", clocks[i].reason,
                                deadline ? "; arming a timer writes the TSC-deadline MSR, a VM exit" : ""));
        return;
    }
    path_add(out, "timer", NULL, PATH_UNKNOWN, NULL, clock, mem_printf("clock source %s is not in the table", clock));
}

// Feature bits: KVM 0x40000001 (Documentation/virt/kvm/x86/cpuid.rst), Xen base+4
// (xen/include/public/arch-x86/cpuid.h), Hyper-V 0x40000004 (TLFS, "Implementation Recommendations").
enum { KVM_PV_EOI = 6, KVM_PV_IPI = 11, XEN_APIC_VIRTUALISED = 0, XEN_X2APIC_VIRTUALISED = 1, HV_CLUSTER_IPI = 10 };

// The base of KVM's leaves, if KVM is what this system runs on (0 otherwise: they may be an outer hypervisor's).
static uint32_t kvm_leaves(const struct evidence_set *set, const struct platform *out) {
    return name_is(out->hypervisor, "kvm") || name_is(out->hypervisor, "nitro") ? set->kvm_base : 0;
}

static void find_ipi(struct evidence_set *set, struct platform *out) {
    struct cpuid *cpuid = &set->cpuid;
    uint32_t kvm = kvm_leaves(set, out);
    if (!path_is_virtual(out))
        add(out, "ipi", PATH_NATIVE, NULL, "the interrupt controller sends them");
    else if (name_is(out->hypervisor, "uml"))
        add(out, "ipi", PATH_PARAVIRTUAL, NULL, "a signal between threads of the host");
    else if (kvm && cpuid_bit(cpuid, kvm + 1, EAX, KVM_PV_IPI))
        add(out, "ipi", PATH_PARAVIRTUAL, NULL,
            "KVM offers PV IPIs: one hypercall for many CPUs; an IPI to a single CPU still writes the ICR (a VM exit, "
            "unless the "
            "host has APICv or AVIC, which a guest cannot see)");
    else if (kvm)
        add(out, "ipi", PATH_EMULATED, NULL,
            "each write of the ICR is a VM exit, unless the host has APICv or AVIC, which a guest cannot see");
    else if (set->xen_base && (cpuid_bit(cpuid, set->xen_base + 4, EAX, XEN_APIC_VIRTUALISED) ||
                               cpuid_bit(cpuid, set->xen_base + 4, EAX, XEN_X2APIC_VIRTUALISED)))
        add(out, "ipi", PATH_HARDWARE, NULL, "Xen says that the CPU virtualises the APIC");
    else if (name_is(out->hypervisor, "xen"))
        add(out, "ipi", PATH_PARAVIRTUAL, NULL, "event channels: one hypercall each");
    else if (set->hyperv_base && cpuid_bit(cpuid, set->hyperv_base + 4, EAX, HV_CLUSTER_IPI))
        add(out, "ipi", PATH_PARAVIRTUAL, NULL, "Hyper-V recommends its hypercall for IPIs to several CPUs");
    else if (name_is(set->arch, "aarch64") && (name_is(out->hypervisor, "kvm") || name_is(out->hypervisor, "nitro")))
        add(out, "ipi", PATH_EMULATED, NULL,
            "a write of ICC_SGI1R is a VM exit (GICv4.1 would avoid it, which a guest cannot see)");
    else
        add(out, "ipi", PATH_UNKNOWN, NULL, "no evidence says how the hypervisor delivers IPIs");
}

// "; devices use MSI-X" and the like.
static const char *device_interrupts(struct evidence_set *set) {
    for (size_t i = 0; i < set->pci_count; i++) {
        char path[64];
        snprintf(path, sizeof path, "sys/bus/pci/devices/%s/msi_irqs", set->pci[i].address);
        if (set->pci[i].driver[0] && sysroot_exists(set->root, path))
            return "; PCI devices send MSI or MSI-X";
    }
    const char *table = set->root->live ? NULL : sysroot_read(set->root, "proc/interrupts", NULL);
    if (table && strstr(table, "PCI-MSI"))
        return "; PCI devices send MSI or MSI-X";
    return table && strstr(table, "xen-dyn") ? "; devices use event channels" : "";
}

static void find_interrupts(struct evidence_set *set, struct platform *out) {
    const char *devices = device_interrupts(set);
    enum path_kind path = PATH_UNKNOWN;
    const char *reason = "no evidence says how the hypervisor delivers interrupts";
    uint32_t kvm = kvm_leaves(set, out);
    if (!path_is_virtual(out)) {
        path = PATH_NATIVE;
        reason = "the interrupt controller delivers them";
    } else if (kvm && cpuid_bit(&set->cpuid, kvm + 1, EAX, KVM_PV_EOI)) {
        path = PATH_PARAVIRTUAL;
        reason = "KVM injects them; PV EOI spares the VM exit at their end";
    } else if (name_is(out->hypervisor, "xen")) {
        path = PATH_PARAVIRTUAL;
        reason = "Xen delivers them as event-channel upcalls";
    } else if (name_is(out->hypervisor, "hyperv")) {
        path = PATH_PARAVIRTUAL;
        reason = "Hyper-V's synthetic interrupt controller delivers them";
    } else if (name_is(out->hypervisor, "kvm") || name_is(out->hypervisor, "nitro")) {
        path = PATH_EMULATED;
        reason = "KVM injects them through an emulated interrupt controller";
    } else if (name_is(out->hypervisor, "qemu") || name_is(out->hypervisor, "vmware") ||
               name_is(out->hypervisor, "virtualbox")) {
        path = PATH_EMULATED;
        reason = "an emulated interrupt controller injects them";
    }
    path_add(out, "interrupts", NULL, path, NULL, NULL, mem_printf("%s%s", reason, devices));
}

// Consoles by the start of their name.
static const struct {
    const char *prefix;
    enum path_kind in_guest;
    const char *what;
} consoles[] = {
    {"ttyAMA", PATH_EMULATED, "a PL011 serial port"},
    {"ttySC", PATH_PARAVIRTUAL, "the service processor's console"},
    {"ttysclp", PATH_PARAVIRTUAL, "the service call console"},
    {"ttyS", PATH_EMULATED, "a 16550 serial port: each byte is a VM exit"},
    {"hvc", PATH_PARAVIRTUAL, "a hypervisor console (virtio, Xen or firmware)"},
    {"hvsi", PATH_PARAVIRTUAL, "a hypervisor console (firmware)"},
    {"tty", PATH_EMULATED, "the screen"},
};

static void find_console(struct evidence_set *set, struct platform *out) {
    char text[128];
    if (!sysroot_text(set->root, "sys/class/tty/console/active", text, sizeof text) || !*text)
        return;
    char *last = strrchr(text, ' ');
    const char *name = last ? last + 1 : text;
    for (size_t i = 0; i < ARRAY_LEN(consoles); i++) {
        if (strncmp(name, consoles[i].prefix, strlen(consoles[i].prefix)) != 0)
            continue;
        bool guest = path_is_virtual(out);
        path_add(out, "console", name, guest ? consoles[i].in_guest : PATH_NATIVE, guest ? "vmm" : NULL, NULL,
                 mem_strdup(guest || strncmp(name, "ttyS", 4) != 0 ? consoles[i].what : "a serial port"));
        return;
    }
}

static void find_boot(struct evidence_set *set, struct platform *out) {
    char vendor[96];
    bool guest = path_is_virtual(out);
    bool dmi = sysroot_text(set->root, "sys/class/dmi/id/bios_vendor", vendor, sizeof vendor);
    bool efi = sysroot_exists(set->root, "sys/firmware/efi");
    if (dmi || efi)
        path_add(out, "boot", NULL, guest ? PATH_EMULATED : PATH_NATIVE, NULL, NULL,
                 mem_printf("%s%s%s", efi ? "UEFI" : "firmware", dmi && *vendor ? " of " : "", dmi ? vendor : ""));
    else if (guest && (name_is(out->vmm, "firecracker") || name_is(out->vmm, "kvmtool") || name_is(out->mode, "pv") ||
                       name_is(out->hypervisor, "uml")))
        add(out, "boot", PATH_PARAVIRTUAL, NULL, "no firmware: the kernel was loaded and entered directly");
}

void find_paths(struct evidence_set *set, struct platform *out) {
    find_machine(out);
    find_timer(set, out);
    if (!name_is(out->kind, "unknown")) {
        find_ipi(set, out);
        find_interrupts(set, out);
    }
    find_devices(set, out);
    find_console(set, out);
    find_boot(set, out);
}
