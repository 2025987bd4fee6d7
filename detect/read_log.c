// SPDX-License-Identifier: Apache-2.0
// A recorded kernel log (dmesg.txt of a folder). The live machine's log is not read: it wraps, and reading it may need
// root. May include: core.
#include "detect/evidence.h"

#include "detect/signatures.h"

#include <stdio.h>
#include <string.h>

// "DMI: VENDOR PRODUCT/BOARD, BIOS VERSION DATE": the firmware rules that look for such strings, if sysfs has no DMI.
static void read_dmi_line(struct evidence_set *set, const char *line) {
    if (sysroot_exists(set->root, "sys/class/dmi/id"))
        return;
    for (size_t i = 0; i < firmware_rule_count; i++) {
        const struct text_rule *rule = &firmware_rules[i];
        bool strong = rule->when.text && strlen(rule->when.text) > 4;
        bool name = rule->when.file && (!strcmp(rule->when.file, "sys/class/dmi/id/sys_vendor") ||
                                        !strcmp(rule->when.file, "sys/class/dmi/id/product_name"));
        bool plain = rule->when.test == TEST_IS || rule->when.test == TEST_STARTS;
        if (!strong || !name || !plain || !strstr(line, rule->when.text))
            continue;
        bool also = rule->also.test == TEST_ALWAYS ||
                    (rule->also.text && (strstr(line, rule->also.text) != NULL) !=
                                            (rule->also.test == TEST_HAS_NOT || rule->also.test == TEST_LACKS));
        if (also)
            evidence_add(set, GROUP_FIRMWARE, "log:DMI", rule->when.text, rule->says);
    }
}

// "ACPI: XSDT 0x... 000064 (v01 AMAZON AMZNRSDT ...)"
static void read_acpi_line(struct evidence_set *set, const char *line) {
    const char *at = strstr(line, "(v");
    if (!at || strlen(at) < 19)
        return;
    char oem[7];
    char table[9];
    snprintf(oem, sizeof oem, "%.6s", at + 5);
    snprintf(table, sizeof table, "%.8s", at + 12);
    for (size_t i = 0; i < acpi_signature_count; i++) {
        const struct acpi_signature *row = &acpi_signatures[i];
        if (!strncmp(oem, row->oem, strlen(row->oem)) &&
            (!row->oem_table || !strncmp(table, row->oem_table, strlen(row->oem_table)))) {
            evidence_add(set, GROUP_FIRMWARE, "log:ACPI", oem, row->says);
            return;
        }
    }
}

// "systemd[1]: Detected virtualization 'kvm'." (the quotes came and went)
static void read_systemd_line(struct evidence_set *set, const char *word) {
    word += *word == '\'';
    size_t length = strcspn(word, ".' \n");
    for (size_t i = 0; i < systemd_word_count; i++)
        if (strlen(systemd_words[i].text) == length && !memcmp(systemd_words[i].text, word, length))
            evidence_add(set, GROUP_LOG, "log:systemd", systemd_words[i].text, systemd_words[i].says);
}

static void read_line(struct evidence_set *set, const char *line) {
    for (size_t i = 0; i < log_signature_count; i++)
        if (strstr(line, log_signatures[i].text)) {
            evidence_add(set, GROUP_LOG, "log", log_signatures[i].text, log_signatures[i].says);
            break;
        }
    const char *dmi = strstr(line, "DMI: ");
    if (dmi)
        read_dmi_line(set, dmi + 5);
    const char *systemd = strstr(line, "Detected virtualization ");
    if (systemd)
        read_systemd_line(set, systemd + strlen("Detected virtualization "));
    const char *cpu = strstr(line, "smpboot: CPU0: ");
    if (cpu)
        read_model(set, "log:CPU0", cpu + strlen("smpboot: CPU0: "));
    const char *pci = strstr(line, "pci 0000:");
    if (pci)
        read_pci_line(set, pci);
    if (strstr(line, "ACPI: "))
        read_acpi_line(set, line);
}

void read_log(struct evidence_set *set) {
    if (set->root->live)
        return;
    const char *text = sysroot_read(set->root, "dmesg.txt", NULL);
    for (; text && *text; text += strcspn(text, "\n"), text += *text == '\n') {
        char line[512];
        snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
        read_line(set, line);
    }
}
