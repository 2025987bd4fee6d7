// SPDX-License-Identifier: Apache-2.0
// The signature tables: what stands where, and what it says (the words of evidence.h). All knowledge about vendors is
// here; the readers only look and compare. Adding a signature: one row, and one case under tests/fixtures/detect. May
// include: core.
//
// Each row's comment or `from` tells where it was learnt: V VMAware, S systemd's virt.c, W virt-what, K Linux kernel
// source, L a real kernel log or capture, P pci.ids, F Firecracker source, C cloud-init's ds-identify, D the vendor's
// documents, G general knowledge.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "detect/evidence.h"
#include "detect/platform.h"

// --- CPUID signatures at 0x40000000 + n * 0x100
// -----------------------------------------------------------------------
struct cpuid_signature {
    char text[13];
    const char *says;
    const char *from;
};
extern const struct cpuid_signature cpuid_signatures[];
extern const size_t cpuid_signature_count;

// --- CPU model names that only a virtual CPU has
// -------------------------------------------------------------------------
struct model_signature {
    const char *text; // part of the model name; all of it behind a '='
    const char *says;
    const char *from;
};
extern const struct model_signature model_signatures[];
extern const size_t model_signature_count;

// --- Text files
// ------------------------------------------------------------------------------------------------------------
enum text_test {
    TEST_ALWAYS, // no second condition
    TEST_IS,     // the whole text, without white space around it
    TEST_STARTS,
    TEST_ENDS,
    TEST_HAS,     // anywhere, in any of the strings of a file with several
    TEST_HAS_NOT, // it is there, but not with this text
    TEST_LACKS,   // it is not there, or not with this text
    TEST_LINE,    // a line, or a NUL-terminated entry, starts with it
    TEST_EXISTS,
};

struct text_condition {
    const char *file;
    enum text_test test;
    const char *text;
};

struct text_rule {
    enum evidence_group group;
    struct text_condition when, also;
    const char *says;
    const char *from;
};
// "sys/class/dmi/id/NAME" as "dmi:NAME", "proc/device-tree/NAME" as "dt:NAME", other paths with a slash in front.
void text_source(const char *file, char *out, size_t size);

extern const struct text_rule firmware_rules[]; // DMI, device tree, ACPI devices
extern const size_t firmware_rule_count;
extern const struct text_rule system_rules[]; // /proc, /run, /dev, other /sys
extern const size_t system_rule_count;

// --- ACPI table headers: OEM id and OEM table id
// -----------------------------------------------------------------------
struct acpi_signature {
    const char *oem;       // start of the 6 bytes
    const char *oem_table; // start of the 8 bytes, or NULL
    const char *says;
    const char *from;
};
extern const struct acpi_signature acpi_signatures[];
extern const size_t acpi_signature_count;

// --- PCI devices
// -----------------------------------------------------------------------------------------------------------
enum { PCI_ANY = 0x10000 };

struct pci_signature {
    uint32_t vendor, device, last; // devices device..last; PCI_ANY as device: all of the vendor
    const char *what;
    enum path_kind path; // PATH_UNKNOWN: says nothing about a path
    const char *via;
    const char *says; // may be empty
    const char *from;
};
extern const struct pci_signature pci_signatures[];
extern const size_t pci_signature_count;
const struct pci_signature *pci_find(uint32_t vendor, uint32_t device);

// --- VMBus device classes
// ---------------------------------------------------------------------------------------------------
struct vmbus_class {
    const char *guid; // start of the class id
    const char *resource, *what;
    enum path_kind path;
};
extern const struct vmbus_class vmbus_classes[];
extern const size_t vmbus_class_count;

// --- Kernel log lines (recorded folders only)
// --------------------------------------------------------------------------------
struct log_signature {
    const char *text;
    const char *says;
    const char *from;
};
extern const struct log_signature log_signatures[];
extern const size_t log_signature_count;
extern const struct log_signature systemd_words[];
extern const size_t systemd_word_count;

// --- What root would add
// ------------------------------------------------------------------------------------------------------
struct root_only {
    const char *path;
    const char *adds;
};
extern const struct root_only root_only_files[];
extern const size_t root_only_count;
