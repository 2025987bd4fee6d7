// SPDX-License-Identifier: Apache-2.0
// What the readers found: pieces of evidence, each with what it says and how strongly. May include: core.
//
// What a signature says is written in its table as words:  TOPIC=VALUE[|VALUE...][:WEIGHT]  or  TOPIC!=VALUE[:WEIGHT]
//     "hypervisor=kvm|qemu:0.9 vmm=qemu:0.5"    one of the two (it does not say which) was made ten times as likely
// A weight w makes the claim 1/(1-w) times as likely as it was, or, with !=, (1-w) times. Without one it is 0.9.
#pragma once

#include "detect/cpuid.h"
#include "detect/platform.h"
#include "detect/sysroot.h"

enum topic {
    TOPIC_HYPERVISOR, // whose virtual hardware this is
    TOPIC_KERNEL, // the hypervisor that the running kernel itself says it was made for: Xen PV, UML. The innermost one
    TOPIC_OUTER,  // a hypervisor further out
    TOPIC_VMM,
    TOPIC_CLOUD,
    TOPIC_CONTAINER,
    TOPIC_ROLE,
    TOPIC_MODE,
    TOPIC_CVM,
    TOPIC_COUNT,
};

// Pieces of one group are not independent of each other: only the strongest of a group counts for a value.
enum evidence_group {
    GROUP_CPUID,
    GROUP_CPU_MODEL,
    GROUP_FIRMWARE, // DMI and ACPI come from one hand
    GROUP_TREE,     // device tree
    GROUP_DEVICES,
    GROUP_KERNEL,
    GROUP_CONTAINER_FILES,
    GROUP_CONTAINER_CGROUP,
    GROUP_CONTAINER_NAMESPACES,
    GROUP_CONTAINER_MOUNTS,
    GROUP_CLOUD_INIT,
    GROUP_LOG,
    GROUP_TIMING,
    GROUP_COUNT,
};

enum { CLAIM_VALUES = 8 };

struct claim {
    enum topic topic;
    bool against;
    const char *values[CLAIM_VALUES]; // static ids; unused ones NULL
    double weight;
};

struct evidence {
    char *source;
    char *value;
    enum evidence_group group;
    struct claim claim;
    bool explained; // a rule of decide.c found why it does not count
};

// One PCI function.
struct pci_device {
    char address[16]; // "0000:00:01.0", as in sysfs
    uint32_t vendor, device;
    uint32_t class_code; // class, subclass, interface: 0x010802 is NVMe. 0: not known
    char driver[32];     // empty: none
};

// Everything that is known while detecting.
struct evidence_set {
    struct sysroot *root;
    struct cpuid cpuid;
    uint32_t kvm_base, xen_base, hyperv_base; // CPUID bases of the interfaces on offer, 0: not there
    bool hypervisor_bit;                      // CPUID or cpuinfo show it
    const char *arch;                         // static, NULL: not known
    struct evidence *items;
    size_t count, capacity;
    struct pci_device *pci;
    size_t pci_count, pci_capacity;
};

// Adds one piece for each claim in `says`. Strings are copied; values that no table names are dropped.
void evidence_add(struct evidence_set *set, enum evidence_group group, const char *source, const char *value,
                  const char *says);

// The device at an address, NULL if it was not read.
const struct pci_device *evidence_pci(const struct evidence_set *set, const char *address);

void evidence_free(struct evidence_set *set);

// "hypervisor=kvm|qemu" (no weight). free() it.
char *claim_text(const struct claim *claim);

// Parts of readers that others share: a CPU's model name; a line of the kernel's log about a PCI function.
void read_model(struct evidence_set *set, const char *source, const char *model);
void read_pci_line(struct evidence_set *set, const char *line);

// The readers, in the order in which they run. Each adds what it finds.
void read_cpu(struct evidence_set *set);        // CPUID, /proc/cpuinfo
void read_text_rules(struct evidence_set *set); // the table of files and strings
void read_firmware(struct evidence_set *set);   // ACPI headers, SMBIOS VM bit, s390 sysinfo
void read_kernel(struct evidence_set *set);     // Xen features, namespaces, mounts
void read_devices(struct evidence_set *set);    // PCI ids, VMBus
void read_timing(struct evidence_set *set);     // the latency of CPUID; live, and only where CPUID denies a hypervisor
void read_log(struct evidence_set *set);        // dmesg.txt of a recorded folder
