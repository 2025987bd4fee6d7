// SPDX-License-Identifier: Apache-2.0
// The table of causes. See cause.h; the meaning of each is fixed in docs/method.md.
#include "core/cause.h"

#include <string.h>

static const struct {
    const char *name;
    const char *text;
    int direct;
} families[FAMILY_COUNT] = {
    [FAMILY_EXIT] = {"exit", "the guest asked the hypervisor (VM exits)", 1},
    [FAMILY_HOST] = {"host", "the host took the CPU away", 1},
    [FAMILY_HOP] = {"hop", "an I/O request crossed software outside the guest", 1},
    [FAMILY_OFFLOAD] = {"offload", "an I/O request reached the device without a software hop", 0},
    [FAMILY_MEMORY] = {"memory", "memory was slower or further away", 0},
    [FAMILY_CPU] = {"cpu", "the CPU was slower", 0},
    [FAMILY_MPI] = {"mpi", "ranks waited for each other", 0},
    [FAMILY_GUEST] = {"guest", "the guest's own kernel and programs: on bare metal too", 0},
    [FAMILY_OBSERVER] = {"observer", "what measuring cost", 0},
};

static const struct cause_info causes[CAUSE_COUNT] = {
    [CAUSE_EXIT_TIMER] = {"exit.timer", FAMILY_EXIT, "arming the timer (TSC deadline, LAPIC) left the guest",
                          "fewer timers: nohz_full, isolated CPUs, a lower HZ; a host with posted timer interrupts"},
    [CAUSE_EXIT_IPI] = {"exit.ipi", FAMILY_EXIT, "an interrupt sent to another vCPU left the guest",
                        "pin threads and avoid remote wake-ups and membarriers; a host with APICv, AVIC or PV IPIs"},
    [CAUSE_EXIT_HALT] = {"exit.halt", FAMILY_EXIT, "waking from HLT took longer than on bare metal",
                         "poll before sleeping (cpuidle haltpoll, idle=poll for latency tests); host halt polling"},
    [CAUSE_EXIT_KICK] = {"exit.kick", FAMILY_EXIT, "a doorbell to a virtual device (virtio or other) left the guest",
                         "larger batches, deeper queues; devices with an offload path (NVMe, SR-IOV VF)"},
    [CAUSE_EXIT_PIO] = {"exit.pio", FAMILY_EXIT, "a port access was emulated",
                        "find the driver that uses ports (legacy timers, serial console) and replace or silence it"},
    [CAUSE_EXIT_MMIO] = {"exit.mmio", FAMILY_EXIT, "an access to device memory was emulated",
                         "use paravirtual or passed-through devices; check the clock source"},
    [CAUSE_EXIT_MSR] = {"exit.msr", FAMILY_EXIT, "an access to a model-specific register was emulated",
                        "look which MSR: perf in the guest, power management and debug registers are usual"},
    [CAUSE_EXIT_CPUID] = {"exit.cpuid", FAMILY_EXIT, "the CPUID instruction left the guest, as it always does",
                          "take CPUID out of loops: cache its result, serialise with LFENCE"},
    [CAUSE_EXIT_TSC] = {"exit.tsc", FAMILY_EXIT, "reading the time stamp counter left the guest",
                        "ask for a host with TSC scaling or offsetting; use a paravirtual clock"},
    [CAUSE_EXIT_PAUSE] = {"exit.pause", FAMILY_EXIT, "a spinning vCPU was made to leave the guest",
                          "never run more vCPUs than the host has CPUs; sleep instead of spinning"},
    [CAUSE_EXIT_HYPERCALL] = {"exit.hypercall", FAMILY_EXIT, "the guest called the hypervisor",
                              "look which hypercall; PV spinlock kicks point to overcommitted CPUs"},
    [CAUSE_EXIT_TLB] = {"exit.tlb", FAMILY_EXIT, "flushing other vCPUs' TLBs went through the hypervisor",
                        "fewer munmap and mprotect calls in threaded programs; huge pages"},
    [CAUSE_EXIT_STAGE2] = {"exit.stage2", FAMILY_EXIT, "a page was not backed by the host (EPT or NPT violation)",
                           "touch memory before measuring; huge pages on the host; no ballooning"},
    [CAUSE_EXIT_EOI] = {"exit.eoi", FAMILY_EXIT, "acknowledging an interrupt left the guest",
                        "a host with APICv, AVIC or PV EOI"},
    [CAUSE_EXIT_IRQ] = {"exit.irq", FAMILY_EXIT, "an interrupt took the CPU out of the guest",
                        "pin vCPUs and move the host's interrupts elsewhere; posted interrupts"},
    [CAUSE_EXIT_OTHER] = {"exit.other", FAMILY_EXIT, "VM exits of another kind", "see the exit table for the reasons"},
    [CAUSE_HOST_STEAL] = {"host.steal", FAMILY_HOST, "the vCPU waited for a CPU, and the host's clock told so",
                          "an instance with dedicated CPUs; fewer vCPUs than the host has"},
    [CAUSE_HOST_HIDDEN] = {"host.hidden", FAMILY_HOST, "the vCPU did not run, and no clock told so",
                           "ask the provider for steal time; look for SMIs, migration and CPU quotas"},
    [CAUSE_HOP_DOM0] = {"hop.dom0", FAMILY_HOP, "an I/O request went through Xen's backend domain",
                        "more CPU for Dom0; a device that is passed through"},
    [CAUSE_HOP_VHOST] = {"hop.vhost", FAMILY_HOP, "an I/O request went through a vhost worker on the host",
                         "pin vhost workers near the vCPUs; vDPA or SR-IOV"},
    [CAUSE_HOP_VMM] = {"hop.vmm", FAMILY_HOP, "an I/O request was handled by the virtual machine monitor's process",
                       "vhost, I/O threads, or a device with an offload path"},
    [CAUSE_OFFLOAD_NVME] = {"offload.nvme", FAMILY_OFFLOAD, "an NVMe device served the request directly",
                            "this is the path to have; compare its latency with the bare-metal device"},
    [CAUSE_OFFLOAD_VF] = {"offload.vf", FAMILY_OFFLOAD, "an SR-IOV virtual function served the request directly",
                          "this is the path to have; compare its latency with the bare-metal device"},
    [CAUSE_MEMORY_NESTED] = {"memory.nested", FAMILY_MEMORY, "page walks took longer: two dimensions of tables",
                             "huge pages in the guest and on the host"},
    [CAUSE_MEMORY_BANDWIDTH] = {"memory.bandwidth", FAMILY_MEMORY, "less memory bandwidth than the machine has",
                                "a larger instance or a whole socket; look for noisy neighbours"},
    [CAUSE_MEMORY_NUMA] = {"memory.numa", FAMILY_MEMORY, "memory was on another NUMA node",
                           "bind memory with the threads; an instance that shows the host's topology"},
    [CAUSE_MEMORY_PAGESIZE] = {"memory.pagesize", FAMILY_MEMORY, "small pages where bare metal had large ones",
                               "transparent huge pages or hugetlbfs on both sides"},
    [CAUSE_CPU_FREQUENCY] = {"cpu.frequency", FAMILY_CPU, "the CPU ran at a lower frequency",
                             "compare governors and turbo; read aperf/mperf on the host"},
    [CAUSE_CPU_SMT] = {"cpu.smt", FAMILY_CPU, "another thread shared the core",
                       "one vCPU per core; instances without SMT; core scheduling"},
    [CAUSE_CPU_FEATURES] = {"cpu.features", FAMILY_CPU, "instruction sets are masked that bare metal has",
                            "a CPU model that passes them through (host-passthrough)"},
    [CAUSE_MPI_WAIT] = {"mpi.wait", FAMILY_MPI, "ranks waited for the last one",
                        "look at the late rank's causes: that loss is multiplied here"},
    [CAUSE_GUEST_IRQ] = {"guest.irq", FAMILY_GUEST, "interrupt handlers of the guest's own kernel",
                         "move interrupts to other CPUs (irqbalance, smp_affinity)"},
    [CAUSE_GUEST_SOFTIRQ] = {"guest.softirq", FAMILY_GUEST, "softirqs of the guest's own kernel",
                             "fewer packets per second per CPU, RPS/XPS, other CPUs"},
    [CAUSE_GUEST_THREADS] = {"guest.threads", FAMILY_GUEST, "other threads ran on the job's CPUs",
                             "stop the neighbours, or bind the job to CPUs of its own (cpusets, isolcpus)"},
    [CAUSE_GUEST_FAULT] = {"guest.fault", FAMILY_GUEST, "page faults in the guest's own kernel",
                           "touch memory before measuring; huge pages"},
    [CAUSE_OBSERVER] = {"observer", FAMILY_OBSERVER, "what probes and collectors themselves cost",
                        "fewer collectors (--collectors), or timing samples only"},
};

const struct cause_info *cause_info(enum cause cause) {
    return &causes[cause];
}

enum cause cause_by_id(const char *id) {
    for (int i = 0; i < CAUSE_COUNT; i++) {
        if (strcmp(causes[i].id, id) == 0)
            return (enum cause)i;
    }
    return CAUSE_COUNT;
}

const char *cause_family_name(enum cause_family family) {
    return families[family].name;
}

const char *cause_family_text(enum cause_family family) {
    return families[family].text;
}

int cause_family_is_direct(enum cause_family family) {
    return families[family].direct;
}
