// SPDX-License-Identifier: Apache-2.0
// What the processor says: CPUID (x86), else /proc/cpuinfo. May include: core.
#include "detect/evidence.h"

#include "core/memory.h"
#include "detect/signatures.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

// Hypervisors put their leaves at 0x40000000, or 0x100 further for each interface of another kind before theirs.
enum { BASE_FIRST = 0x40000000, BASE_LAST = 0x4000ff00, BASE_STEP = 0x100 };

static void say_leaf(struct evidence_set *set, uint32_t leaf, const char *value, const char *says) {
    char source[32];
    snprintf(source, sizeof source, "cpuid:0x%08x", leaf);
    evidence_add(set, GROUP_CPUID, source, value, says);
}

static const struct cpuid_signature *find_signature(const char *text) {
    for (size_t i = 0; i < cpuid_signature_count; i++)
        if (!strcmp(cpuid_signatures[i].text, text))
            return &cpuid_signatures[i];
    return NULL;
}

static bool printable(const char *text) {
    for (; *text; text++)
        if (!isprint((unsigned char)*text))
            return false;
    return true;
}

// Hyper-V's own leaves: a guest, the root partition, an isolated guest (Hyper-V TLFS, "Feature Identification").
static void read_hyperv(struct evidence_set *set) {
    uint32_t ebx;
    uint32_t base = set->hyperv_base;
    if (!cpuid_reg(&set->cpuid, base + 3, EBX, &ebx))
        return;
    bool create_partitions = ebx & 1U << 0;
    bool cpu_management = ebx & 1U << 12;
    bool isolation = ebx & 1U << 22;
    char value[48];
    snprintf(value, sizeof value, "ebx=0x%08x", ebx);
    if (create_partitions && cpu_management && !isolation)
        say_leaf(set, base + 3, value, "role=root-partition:0.98");
    else
        say_leaf(set, base + 3, value, "role=guest:0.9");
    uint32_t kind;
    if (!isolation || !cpuid_reg(&set->cpuid, base + 0xc, EBX, &kind))
        return;
    static const char *const says[] = {NULL, "cvm=vbs:0.95", "cvm=sev-snp:0.97", "cvm=tdx:0.97"};
    kind &= 0xf;
    if (kind < ARRAY_LEN(says) && says[kind])
        say_leaf(set, base + 0xc, "isolated partition", says[kind]);
}

// Xen: leaf base+4 belongs to HVM and PVH guests, base+5 to PV guests (xen/include/public/arch-x86/cpuid.h).
static void read_xen(struct evidence_set *set) {
    uint32_t value;
    char text[32];
    if (cpuid_reg(&set->cpuid, set->xen_base + 1, EAX, &value)) {
        snprintf(text, sizeof text, "version %u.%u", value >> 16, value & 0xffff);
        say_leaf(set, set->xen_base + 1, text, "hypervisor=xen:0.9");
    }
    if (cpuid_reg(&set->cpuid, set->xen_base + 4, EAX, &value) && value)
        say_leaf(set, set->xen_base + 4, "HVM parameters", "mode=hvm:0.85");
    else if (cpuid_reg(&set->cpuid, set->xen_base + 5, EBX, &value) && value)
        say_leaf(set, set->xen_base + 5, "PV parameters", "mode=pv:0.9");
}

// One base. Returns true if there is a signature.
static bool read_base(struct evidence_set *set, uint32_t base) {
    char text[13];
    if (!cpuid_signature(&set->cpuid, base, text))
        return false;
    const struct cpuid_signature *row = find_signature(text);
    uint32_t interface = 0;
    if (!row && cpuid_reg(&set->cpuid, base + 1, EAX, &interface) && interface == 0x31237648) { // "Hv#1"
        set->hyperv_base = base;
        say_leaf(set, base + 1, "Hv#1 under another name", "hypervisor=kvm|hyperv:0.8");
        return true;
    }
    if (!row) {
        if (*text && printable(text) && set->hypervisor_bit)
            say_leaf(set, base, text, "hypervisor!=none:0.9");
        return false;
    }
    say_leaf(set, base, text, row->says);
    if (!strcmp(text, "Microsoft Hv"))
        set->hyperv_base = base;
    else if (!strcmp(text, "XenVMMXenVMM"))
        set->xen_base = base;
    else if (!strcmp(text, "KVMKVMKVM") || !strcmp(text, "Linux KVM Hv"))
        set->kvm_base = base;
    else if (!strcmp(text, "ACRNACRNACRN") && cpuid_bit(&set->cpuid, base + 1, EAX, 0))
        say_leaf(set, base + 1, "privileged VM", "role=service-vm:0.97");
    return true;
}

// A leaf costs a VM exit on the live machine: all 256 bases are looked at only if the first ones hold nothing.
static void read_bases(struct evidence_set *set) {
    enum { NEAR = 4 };
    bool found = false;
    for (uint32_t i = 0; i <= (BASE_LAST - BASE_FIRST) / BASE_STEP; i++) {
        if (set->cpuid.live && (i > NEAR || (i > 0 && !set->hyperv_base)) && (found || !set->hypervisor_bit))
            break;
        found |= read_base(set, BASE_FIRST + i * BASE_STEP);
    }
    if (set->hyperv_base)
        read_hyperv(set);
    if (set->xen_base)
        read_xen(set);
    char text[13];
    if (!found && set->hypervisor_bit && cpuid_signature(&set->cpuid, BASE_FIRST, text) && !*text)
        say_leaf(set, BASE_FIRST, "no signature", "hypervisor=xen|kvm:0.5");
}

// Hyper-V's interface in front of another hypervisor's is an offer of that other one.
static void explain_enlightenments(struct evidence_set *set) {
    if (!set->hyperv_base || (!set->kvm_base && !set->xen_base))
        return;
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].claim.topic == TOPIC_HYPERVISOR && !strcmp(set->items[i].value, "Microsoft Hv"))
            set->items[i].explained = true;
}

static void read_confidential(struct evidence_set *set) {
    char text[13];
    uint32_t max;
    if (cpuid_reg(&set->cpuid, 0, EAX, &max) && max >= 0x21 && cpuid_signature(&set->cpuid, 0x21, text) &&
        !strcmp(text, "Inte    lTDX")) // "IntelTDX    " in the order ebx, edx, ecx
        say_leaf(set, 0x21, text, "cvm=tdx:0.98 hypervisor!=none:0.9");
    if (!set->hypervisor_bit || !cpuid_reg(&set->cpuid, 0x80000000, EAX, &max) || max < 0x8000001f ||
        !cpuid_bit(&set->cpuid, 0x8000001f, EAX, 1))
        return;
    // The leaf says what the CPU can do; SEV_STATUS (AMD APM vol. 2, 15.34.10) says what is on.
    size_t size;
    const char *status = sysroot_read(set->root, "msr/0xc0010131", &size);
    if (!status || size < 1 || !(status[0] & 1))
        return;
    const char *says = status[0] & 4 ? "cvm=sev-snp:0.99" : status[0] & 2 ? "cvm=sev-es:0.99" : "cvm=sev:0.99";
    evidence_add(set, GROUP_CPUID, "msr:0xc0010131", "SEV_STATUS", says);
}

void read_model(struct evidence_set *set, const char *source, const char *model) {
    for (size_t i = 0; i < model_signature_count; i++) {
        const char *text = model_signatures[i].text;
        if (*text == '=' ? strcmp(model, text + 1) != 0 : !strstr(model, text))
            continue;
        if (!strncmp(model_signatures[i].says, "cloud=", 6) && !set->hypervisor_bit)
            return;
        evidence_add(set, GROUP_CPU_MODEL, source, model, model_signatures[i].says);
        return;
    }
}

// What QEMU's TCG does not implement (target/i386/cpu.c, TCG_EXT_FEATURES): seen in a guest, it was not TCG.
static const char *const not_tcg = "hypervisor!=qemu:0.9";

// Processors of the 1990s leave what was there in the registers that they do not define: those that have no SSE2, and
// no hypervisor's leaves.
static bool leaves_rubbish(struct evidence_set *set) {
    char text[13];
    uint32_t edx;
    enum { SSE2 = 26 };
    return cpuid_reg(&set->cpuid, 1, EDX, &edx) && !(edx >> SSE2 & 1) &&
           !(cpuid_signature(&set->cpuid, BASE_FIRST, text) && find_signature(text));
}

static void read_cpuid(struct evidence_set *set) {
    uint32_t ecx;
    if (cpuid_reg(&set->cpuid, 1, ECX, &ecx) && !leaves_rubbish(set)) {
        set->hypervisor_bit = ecx >> 31;
        say_leaf(set, 1, set->hypervisor_bit ? "hypervisor bit set" : "hypervisor bit clear",
                 set->hypervisor_bit ? "hypervisor!=none:0.97" : "hypervisor=none:0.85");
        if (set->hypervisor_bit && (ecx >> 17 & 1 || ecx >> 24 & 1))
            say_leaf(set, 1, ecx >> 24 & 1 ? "TSC deadline timer" : "PCID", not_tcg);
    }
    read_bases(set);
    explain_enlightenments(set);
    char brand[49];
    cpuid_brand(&set->cpuid, brand);
    read_model(set, "cpuid:0x80000002", brand);
    read_confidential(set);
}

// What follows the key at the start of a line, or NULL if the line starts otherwise.
static const char *behind(const char *line, const char *key) {
    while (*key && *line == *key) {
        line++;
        key++;
    }
    return *key ? NULL : line;
}

// Copies the value of the first "key : value" line. False if there is none.
static bool cpuinfo_value(const char *text, const char *key, char *out, size_t size) {
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const char *at = behind(line, key);
        if (!at)
            continue;
        at += strspn(at, " \t");
        if (*at != ':')
            continue;
        at++;
        at += strspn(at, " \t");
        size_t length = strcspn(at, "\n");
        if (length >= size)
            length = size - 1;
        memcpy(out, at, length);
        out[length] = '\0';
        return true;
    }
    return false;
}

static bool has_word(const char *text, const char *word) {
    size_t length = strlen(word);
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        if ((at == text || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' '))
            return true;
    return false;
}

// /proc/cpuinfo of x86, where there is no CPUID to ask.
static void read_cpuinfo_x86(struct evidence_set *set, const char *text) {
    static const char *const source = "/proc/cpuinfo";
    char flags[4096];
    char model[128];
    if (cpuinfo_value(text, "flags", flags, sizeof flags)) {
        bool guest = has_word(flags, "hypervisor");
        uint32_t ignored;
        if (!cpuid_reg(&set->cpuid, 1, ECX, &ignored)) {
            set->hypervisor_bit = guest;
            evidence_add(set, GROUP_CPUID, source, guest ? "flag hypervisor" : "no flag hypervisor",
                         guest ? "hypervisor!=none:0.97" : "hypervisor=none:0.8");
        }
        if (guest && (has_word(flags, "tsc_deadline_timer") || has_word(flags, "pcid")))
            evidence_add(set, GROUP_CPUID, source, "flags tsc_deadline_timer, pcid", not_tcg);
        if (guest && has_word(flags, "tsc_known_freq"))
            evidence_add(set, GROUP_KERNEL, source, "flag tsc_known_freq",
                         "hypervisor=kvm|vmware|hyperv:0.7 hypervisor!=qemu:0.9");
    }
    if (cpuinfo_value(text, "model name", model, sizeof model))
        read_model(set, source, model);
}

// What cpuinfo's first keys look like, by architecture.
static const struct {
    const char *text, *arch;
} cpuinfo_archs[] = {
    {"vendor_id\t: IBM/S390", "s390x"},
    {"vendor_id       : IBM/S390", "s390x"},
    {"CPU architecture: 7", "armv7l"},
    {"CPU implementer", "aarch64"},
    {"sun4v", "sparc64"},
    {"sun4u", "sparc64"},
    {"POWER", "ppc64"},
    {"Loongson", "loongarch64"},
    {"isa\t\t: rv64", "riscv64"},
    {"vendor_id\t: GenuineIntel", "x86_64"},
    {"vendor_id\t: AuthenticAMD", "x86_64"},
    {"flags\t\t:", "x86_64"},
};

static const char *const known_archs[] = {"x86_64",  "i686",  "i386", "aarch64", "armv7l",      "s390x",   "s390",
                                          "ppc64le", "ppc64", "ppc",  "sparc64", "loongarch64", "riscv64", "ia64"};

static const char *find_arch(struct evidence_set *set) {
    char machine[32];
    if (sysroot_text(set->root, "uname_m.txt", machine, sizeof machine))
        for (size_t i = 0; i < ARRAY_LEN(known_archs); i++)
            if (!strcmp(machine, known_archs[i]))
                return known_archs[i];
    if (cpuid_present(&set->cpuid))
        return "x86_64";
    const char *text = sysroot_read(set->root, "proc/cpuinfo", NULL);
    for (size_t i = 0; text && i < ARRAY_LEN(cpuinfo_archs); i++)
        if (strstr(text, cpuinfo_archs[i].text))
            return cpuinfo_archs[i].arch;
    return NULL;
}

void read_cpu(struct evidence_set *set) {
    set->arch = find_arch(set);
    if (cpuid_present(&set->cpuid))
        read_cpuid(set);
    // Making /proc/cpuinfo up costs the kernel milliseconds on large machines, and CPUID has said it all.
    if (set->cpuid.live)
        return;
    const char *text = sysroot_read(set->root, "proc/cpuinfo", NULL);
    if (text)
        read_cpuinfo_x86(set, text);
}
