// SPDX-License-Identifier: Apache-2.0
// The signature tables as Markdown. See view.h. May include: core.
#include "detect/signatures.h"
#include "detect/view.h"

#include <stdio.h>

static void cell(struct str *out, const char *text) {
    for (; text && *text; text++) {
        char c = *text;
        if (c == '|')
            str_add(out, "\\|");
        else
            str_add_bytes(out, &c, 1);
    }
}

static void row(struct str *out, const char *a, const char *b, const char *c, const char *from) {
    const char *const cells[] = {a, b, c, from};
    str_add(out, "|");
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        str_add(out, " ");
        cell(out, cells[i]);
        str_add(out, " |");
    }
    str_add(out, "\n");
}

static void table(struct str *out, const char *title, const char *a, const char *b, const char *c) {
    str_printf(out, "\n## %s\n\n| %s | %s | %s | from |\n|---|---|---|---|\n", title, a, b, c);
}

static const char *const tests[] = {
    [TEST_ALWAYS] = "",         [TEST_IS] = "is ",           [TEST_STARTS] = "starts with ",
    [TEST_ENDS] = "ends with ", [TEST_HAS] = "contains ",    [TEST_HAS_NOT] = "is there without ",
    [TEST_LACKS] = "lacks ",    [TEST_LINE] = "has a line ", [TEST_EXISTS] = "exists",
};

static void condition(struct str *out, const struct text_condition *when) {
    str_printf(out, "%s%s%s", tests[when->test], when->text ? "`" : "", when->text ? when->text : "");
    str_add(out, when->text ? "`" : "");
}

static void text_rules(struct str *out, const char *title, const struct text_rule *rules, size_t count) {
    table(out, title, "file", "condition", "says");
    for (size_t i = 0; i < count; i++) {
        struct str when = {0};
        condition(&when, &rules[i].when);
        char file[128];
        if (rules[i].also.test != TEST_ALWAYS) {
            text_source(rules[i].also.file, file, sizeof file);
            str_printf(&when, ", and %s ", file);
            condition(&when, &rules[i].also);
        }
        text_source(rules[i].when.file, file, sizeof file);
        row(out, file, str_text(&when), rules[i].says, rules[i].from);
        str_free(&when);
    }
}

static void devices(struct str *out) {
    table(out, "PCI devices", "vendor:device", "what, path", "says");
    for (size_t i = 0; i < pci_signature_count; i++) {
        const struct pci_signature *s = &pci_signatures[i];
        char id[32];
        char what[96];
        if (s->device == PCI_ANY)
            snprintf(id, sizeof id, "%04x:*", s->vendor);
        else if (s->device == s->last)
            snprintf(id, sizeof id, "%04x:%04x", s->vendor, s->device);
        else
            snprintf(id, sizeof id, "%04x:%04x-%04x", s->vendor, s->device, s->last);
        snprintf(what, sizeof what, "%s%s%s%s%s", s->what, s->path ? ", " : "", s->path ? path_kind_name(s->path) : "",
                 s->via ? " via " : "", s->via ? s->via : "");
        row(out, id, what, s->says, s->from);
    }
    table(out, "VMBus channels", "class", "what", "resource");
    for (size_t i = 0; i < vmbus_class_count; i++)
        row(out, vmbus_classes[i].guid, vmbus_classes[i].what, vmbus_classes[i].resource, "K");
}

void signatures_view(struct str *out) {
    str_add(out,
            "# What `metalgap detect` knows\n\n"
            "Made by `metalgap detect --list-signatures`; a test compares. A claim is `TOPIC=VALUE:WEIGHT`: a weight w "
            "makes it\n"
            "1/(1-w) times as likely as it was; `!=` excludes. Sources: V VMAware, S systemd, W virt-what, K Linux, L "
            "a log or\n"
            "capture, P pci.ids, F Firecracker, C cloud-init, D vendors' documents, G general knowledge.\n");
    table(out, "CPUID signatures (0x40000000 + n * 0x100)", "signature", "", "says");
    for (size_t i = 0; i < cpuid_signature_count; i++)
        row(out, cpuid_signatures[i].text, "", cpuid_signatures[i].says, cpuid_signatures[i].from);
    table(out, "CPU model names", "name", "", "says");
    for (size_t i = 0; i < model_signature_count; i++)
        row(out, model_signatures[i].text, "", model_signatures[i].says, model_signatures[i].from);
    text_rules(out, "Firmware: DMI, device tree, ACPI devices", firmware_rules, firmware_rule_count);
    table(out, "ACPI table headers", "OEM id", "OEM table id", "says");
    for (size_t i = 0; i < acpi_signature_count; i++)
        row(out, acpi_signatures[i].oem, acpi_signatures[i].oem_table, acpi_signatures[i].says,
            acpi_signatures[i].from);
    text_rules(out, "The running system: kernel, containers, cloud-init", system_rules, system_rule_count);
    devices(out);
    table(out, "Kernel log (recorded folders only)", "text", "", "says");
    for (size_t i = 0; i < log_signature_count; i++)
        row(out, log_signatures[i].text, "", log_signatures[i].says, log_signatures[i].from);
}
