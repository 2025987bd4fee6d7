// SPDX-License-Identifier: Apache-2.0
// Binary and structured evidence of firmware: ACPI table headers, the SMBIOS bit, s390's sysinfo. May include: core.
#include "detect/evidence.h"

#include "detect/names.h"
#include "detect/signatures.h"

#include <stdio.h>
#include <string.h>

// ACPI specification 5.2.6: every table starts with 36 bytes; the OEM id stands at 10, the OEM table id at 16.
enum { ACPI_HEADER = 36, ACPI_OEM = 10, ACPI_OEM_TABLE = 16 };

static bool starts(const char *bytes, size_t size, const char *text) {
    size_t length = strlen(text);
    return length <= size && !memcmp(bytes, text, length);
}

static void add_acpi(struct evidence_set *set, const char *source, const char *oem, const char *oem_table) {
    for (size_t i = 0; i < acpi_signature_count; i++) {
        const struct acpi_signature *row = &acpi_signatures[i];
        if (!starts(oem, 6, row->oem) || (row->oem_table && !starts(oem_table, 8, row->oem_table)))
            continue;
        char value[32];
        snprintf(value, sizeof value, "%.6s %.8s", oem, oem_table);
        evidence_add(set, GROUP_FIRMWARE, source, value, row->says);
        return;
    }
}

// One table is enough: firmware puts the same id into all of them. These two are always there.
static void read_acpi(struct evidence_set *set) {
    static const char *const tables[] = {"FACP", "DSDT", "APIC", "XSDT", "RSDT"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char path[64];
        char source[16];
        snprintf(path, sizeof path, "sys/firmware/acpi/tables/%s", tables[i]);
        size_t size;
        const char *data = sysroot_read(set->root, path, &size);
        if (!data || size < ACPI_HEADER)
            continue;
        snprintf(source, sizeof source, "acpi:%s", tables[i]);
        size_t before = set->count;
        add_acpi(set, source, data + ACPI_OEM, data + ACPI_OEM_TABLE);
        if (set->count > before)
            return;
    }
}

// SMBIOS specification, type 0, byte 0x13 ("BIOS characteristics extension byte 2") bit 4. Set on some real PCs, clear
// under SeaBIOS: a hint only.
static void read_vm_bit(struct evidence_set *set) {
    size_t size;
    const char *data = sysroot_read(set->root, "sys/firmware/dmi/entries/0-0/raw", &size);
    if (data && size > 0x13 && data[0] == 0 && (data[0x13] & 0x10))
        evidence_add(set, GROUP_DEVICES, "smbios:0-0", "virtual machine bit", "hypervisor!=none:0.6");
}

struct control_program {
    const char *text, *says_inner, *says_outer;
};

// s390: STSI 3.2.2 lists the levels, innermost first (VM00).
static const struct control_program control_programs[] = {
    {"z/VM", "hypervisor=zvm:0.995", "outer=zvm:0.98"},
    {"KVM/Linux", "hypervisor=kvm:0.995", "outer=kvm:0.98"},
};

static void add_control_program(struct evidence_set *set, const char *line, unsigned level) {
    for (size_t i = 0; i < sizeof control_programs / sizeof control_programs[0]; i++)
        if (strstr(line, control_programs[i].text))
            evidence_add(set, GROUP_FIRMWARE, "/proc/sysinfo", line,
                         level ? control_programs[i].says_outer : control_programs[i].says_inner);
}

static void read_sysinfo(struct evidence_set *set) {
    const char *text = sysroot_read(set->root, "proc/sysinfo", NULL);
    bool in_vm = false;
    bool in_lpar = false;
    for (; text && *text; text += strcspn(text, "\n"), text += *text == '\n') {
        char line[128];
        unsigned level;
        int end = 0;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
        if (sscanf(line, "VM%2u Control Program: %n", &level, &end) == 1 && end) {
            in_vm = true;
            add_control_program(set, line, level);
        }
        if (!strncmp(line, "Manufacturer:", 13) && strstr(line, "QEMU")) // KVM shows the machine's: IBM
            evidence_add(set, GROUP_CPU_MODEL, "/proc/sysinfo", line,
                         "hypervisor=qemu:0.97 hypervisor!=kvm:0.98 vmm=qemu:0.9");
        in_lpar |= !strncmp(line, "LPAR Number:", 12) || !strncmp(line, "LPAR Name:", 10);
    }
    if (in_lpar && !in_vm)
        evidence_add(set, GROUP_FIRMWARE, "/proc/sysinfo", "LPAR, no VM level", "hypervisor=pr/sm:0.995");
}

// True if firmware names a hypervisor (not "none").
static bool firmware_names_one(const struct evidence_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        const struct evidence *item = &set->items[i];
        if (item->group == GROUP_FIRMWARE && item->claim.topic == TOPIC_HYPERVISOR &&
            (item->claim.against || !name_is(item->claim.values[0], "none")))
            return true;
    }
    return false;
}

// A system, or its board where the system has no name, whose maker and product no row knows: all virtual machines that
// are known name themselves.
static void read_unknown_board(struct evidence_set *set) {
    static const struct {
        const char *source, *vendor, *name;
    } places[] = {
        {"dmi:sys_vendor", "sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name"},
        {"dmi:board_vendor", "sys/class/dmi/id/board_vendor", "sys/class/dmi/id/board_name"},
    };
    char vendor[64];
    char name[64];
    if (firmware_names_one(set))
        return;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (!sysroot_text(set->root, places[i].vendor, vendor, sizeof vendor) || !*vendor ||
            !sysroot_text(set->root, places[i].name, name, sizeof name))
            continue;
        evidence_add(set, GROUP_FIRMWARE, places[i].source, vendor, "hypervisor=none:0.8");
        return;
    }
}

void read_firmware(struct evidence_set *set) {
    read_acpi(set);
    read_vm_bit(set);
    read_sysinfo(set);
    read_unknown_board(set);
}
