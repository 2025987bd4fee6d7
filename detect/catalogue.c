// SPDX-License-Identifier: Apache-2.0
// The signature tables as documents: Markdown with every row, and a summary (Markdown or man page) of what is detected
// by which kinds of evidence. See view.h. May include: core.
#include "detect/names.h"
#include "detect/signatures.h"
#include "detect/view.h"

#include "core/memory.h"

#include <stdio.h>
#include <string.h>

// The kinds of evidence, in the order of the documents.
enum kind { CPUID, MODEL, FIRMWARE, TREE, ACPI, SYSTEM, PCI, LOG, READERS, KINDS };

static const struct {
    const char *word, *title, *where, *what;
} kinds[KINDS] = {
    [CPUID] = {"CPUID", "CPUID signatures (0x40000000 + n * 0x100)", "signature", ""},
    [MODEL] = {"CPU model", "CPU model names ('=' in front: the whole name)", "name", ""},
    [FIRMWARE] = {"DMI", "DMI and firmware devices", "file", "condition"},
    [TREE] = {"device tree", "Device tree", "file", "condition"},
    [ACPI] = {"ACPI", "ACPI table headers", "OEM id", "OEM table id"},
    [SYSTEM] = {"system files", "The running system: kernel, containers, cloud-init", "file", "condition"},
    [PCI] = {"PCI", "PCI devices", "vendor:device", "what, path"},
    [LOG] = {"kernel log", "Kernel log (recorded folders only)", "text", ""},
    [READERS] = {"structured", "What takes more than comparing: feature bits, levels, namespaces", "where", "what"},
};

// What the readers know without a table of their own.
static const struct {
    const char *where, *what, *says;
} readers[] = {
    {"CPUID 1 ecx bit 31, flag hypervisor", "set, clear", "hypervisor!=none, hypervisor=none"},
    {"CPUID Hyper-V base+3 ebx", "bits 0 and 12 (CreatePartitions, CpuManagement), not 22", "role=root-partition"},
    {"CPUID Hyper-V base+0xc ebx", "isolation type 1, 2, 3", "cvm=vbs|sev-snp|tdx"},
    {"CPUID Xen base+4, base+5", "HVM or PV parameters", "mode=hvm|pv"},
    {"CPUID ACRN base+1 eax", "bit 0", "role=service-vm"},
    {"KVM's evidence and AWS's strings or devices", "both, and no Firecracker", "hypervisor=nitro"},
    {"CPUID 0x21; MSR 0xc0010131 bits 0 to 2", "IntelTDX; SEV_STATUS", "cvm=tdx|sev|sev-es|sev-snp"},
    {"sys/hypervisor/properties/features", "bits 5, 3 and 8, 11", "mode=pv|pvh|hvm role=dom0"},
    {"proc/sysinfo (s390)", "VM00 Control Program and further levels; LPAR", "hypervisor=zvm|kvm|pr/sm"},
    {"SMBIOS type 0, byte 0x13 bit 4", "set (real PCs have it too: weak)", "hypervisor!=none"},
    {"proc/self/ns/pid, cgroup, uts", "the machine's own, or not", "container!=any, container=other"},
    {"proc/self/mountinfo", "what is mounted on /", "container=docker|podman|lxc|containerd"},
    {"sys/bus/vmbus/devices", "has devices", "hypervisor=hyperv"},
    {"latency of CPUID (live, if CPUID denies a hypervisor)", "700 ticks and 8 times a pair that does not trap",
     "hypervisor!=none"},
};

typedef void (*each_row)(void *context, enum kind kind, const char *where, const char *what, const char *says,
                         const char *from);

static const char *const tests[] = {
    [TEST_ALWAYS] = "",         [TEST_IS] = "is ",           [TEST_STARTS] = "starts with ",
    [TEST_ENDS] = "ends with ", [TEST_HAS] = "contains ",    [TEST_HAS_NOT] = "is there without ",
    [TEST_LACKS] = "lacks ",    [TEST_LINE] = "has a line ", [TEST_EXISTS] = "exists",
};

static void condition(struct str *out, const struct text_condition *when) {
    str_add(out, tests[when->test]);
    if (!when->text)
        return;
    str_add(out, "\"");
    for (const char *at = when->text; *at; at++) {
        bool line_end = *at == '\n';
        str_add_bytes(out, line_end ? "\\n" : at, line_end ? 2 : 1);
    }
    str_add(out, "\"");
}

static void each_rule(const struct text_rule *rules, size_t count, each_row row, void *context, enum kind kind) {
    for (size_t i = 0; i < count; i++) {
        bool tree = rules[i].group == GROUP_TREE;
        if (kind != SYSTEM && tree != (kind == TREE))
            continue;
        struct str when = {0};
        char file[128];
        condition(&when, &rules[i].when);
        if (rules[i].also.test != TEST_ALWAYS) {
            text_source(rules[i].also.file, file, sizeof file);
            str_printf(&when, ", and %s ", file);
            condition(&when, &rules[i].also);
        }
        text_source(rules[i].when.file, file, sizeof file);
        row(context, kind, file, str_text(&when), rules[i].says, rules[i].from);
        str_free(&when);
    }
}

static void each_pci(each_row row, void *context) {
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
        row(context, PCI, id, what, s->says, s->from);
    }
}

static void each_signature(each_row row, void *context) {
    for (size_t i = 0; i < cpuid_signature_count; i++)
        row(context, CPUID, cpuid_signatures[i].text, "", cpuid_signatures[i].says, cpuid_signatures[i].from);
    for (size_t i = 0; i < model_signature_count; i++)
        row(context, MODEL, model_signatures[i].text, "", model_signatures[i].says, model_signatures[i].from);
    each_rule(firmware_rules, firmware_rule_count, row, context, FIRMWARE);
    each_rule(firmware_rules, firmware_rule_count, row, context, TREE);
    for (size_t i = 0; i < acpi_signature_count; i++)
        row(context, ACPI, acpi_signatures[i].oem, acpi_signatures[i].oem_table ? acpi_signatures[i].oem_table : "",
            acpi_signatures[i].says, acpi_signatures[i].from);
    each_rule(system_rules, system_rule_count, row, context, SYSTEM);
    each_pci(row, context);
    for (size_t i = 0; i < log_signature_count; i++)
        row(context, LOG, log_signatures[i].text, "", log_signatures[i].says, log_signatures[i].from);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        row(context, READERS, readers[i].where, readers[i].what, readers[i].says, "K");
}

// --- every row
// ----------------------------------------------------------------------------------------------------------
struct listing {
    struct str *out;
    enum kind kind; // of the table that is open
};

static void cell(struct str *out, const char *text) {
    str_add(out, " ");
    for (; *text; text++) {
        if (*text == '|')
            str_add(out, "\\");
        str_add_bytes(out, text, 1);
    }
    str_add(out, " |");
}

static void list_row(void *context, enum kind kind, const char *where, const char *what, const char *says,
                     const char *from) {
    struct listing *listing = context;
    struct str *out = listing->out;
    bool second = *kinds[kind].what != '\0';
    if (kind != listing->kind) {
        listing->kind = kind;
        str_printf(out, "\n## %s\n\n| %s |", kinds[kind].title, kinds[kind].where);
        if (second)
            str_printf(out, " %s |", kinds[kind].what);
        str_printf(out, " says | from |\n|---|%s---|---|\n", second ? "---|" : "");
    }
    str_add(out, "|");
    cell(out, where);
    if (second)
        cell(out, what);
    cell(out, says);
    cell(out, from);
    str_add(out, "\n");
}

// --- the summary
// ----------------------------------------------------------------------------------------------------------
struct search {
    const char *id;
    bool found[KINDS];
};

// True if `says` claims the id (not with "!=").
static bool names_id(const char *says, const char *id) {
    size_t length = strlen(id);
    for (const char *at = strstr(says, id); at; at = strstr(at + 1, id)) {
        bool starts = at > says && (at[-1] == '|' || (at[-1] == '=' && at[-2] != '!'));
        bool ends = !at[length] || strchr("|: ,", at[length]);
        if (starts && ends)
            return true;
    }
    return false;
}

static void search_row(void *context, enum kind kind, const char *where, const char *what, const char *says,
                       const char *from) {
    (void)where, (void)what, (void)from;
    struct search *search = context;
    search->found[kind] |= names_id(says, search->id);
}

// Adds the kinds of evidence for an id to `found`; returns false if there are none.
static bool find_kinds(const char *id, bool found[KINDS]) {
    struct search search = {.id = id};
    bool any = false;
    each_signature(search_row, &search);
    for (size_t kind = 0; kind < KINDS; kind++) {
        found[kind] |= search.found[kind];
        any |= search.found[kind];
    }
    return any;
}

static void kind_words(const bool found[KINDS], struct str *out) {
    for (size_t kind = 0; kind < KINDS; kind++)
        if (found[kind])
            str_printf(out, "%s%s", out->length ? ", " : "", kinds[kind].word);
}

static void summary_of(struct str *out, const char *id, bool man) {
    bool found[KINDS] = {false};
    struct str words = {0};
    if (!find_kinds(id, found))
        return;
    kind_words(found, &words);
    if (man)
        str_printf(out, "%s (%s)\tT{\n%s\nT}\n", name_title(id), id, words.text);
    else
        str_printf(out, "| %s (`%s`) | %s |\n", name_title(id), id, words.text);
    str_free(&words);
}

static void summary(struct str *out, bool man) {
    enum name_category category;
    str_add(out, man ? ".TS\nlx lx.\nwhat\tby which evidence\n" : "| what | by which evidence |\n|---|---|\n");
    for (const struct hypervisor *h = hypervisors; h->id; h++)
        summary_of(out, h->id, man);
    for (size_t i = 0; name_other(i, &category); i++)
        summary_of(out, name_other(i, &category), man);
    str_add(out, man ? ".TE\n" : "");
}

// --- one row for each sort of thing
// -------------------------------------------------------------------------------------
struct sort {
    struct str ids;
    bool found[KINDS];
};

static void sort_add(struct sort *sort, const char *id) {
    if (find_kinds(id, sort->found))
        str_printf(&sort->ids, "%s%s", sort->ids.length ? ", " : "", name_title(id));
}

static void sort_row(struct str *out, const char *title, struct sort *sort) {
    struct str words = {0};
    kind_words(sort->found, &words);
    str_printf(out, "| %s | %s | %s |\n", title, str_text(&sort->ids), str_text(&words));
    str_free(&words);
    str_free(&sort->ids);
}

static void overview(struct str *out) {
    static const char *const titles[NAME_CATEGORIES] = {
        [NAME_VMM] = "VMMs",
        [NAME_CLOUD] = "clouds and platforms",
        [NAME_CONTAINER] = "containers",
        [NAME_ROLE] = "hosts",
        [NAME_MODE] = "Xen modes",
        [NAME_CONFIDENTIAL] = "confidential guests",
    };
    struct sort all = {0};
    str_add(out, "| | detected | by which evidence |\n|---|---|---|\n");
    for (const struct hypervisor *h = hypervisors; h->id; h++)
        if (!name_is(h->id, "none"))
            sort_add(&all, h->id);
    sort_row(out, "hypervisors", &all);
    for (int c = 0; c < NAME_CATEGORIES; c++) {
        struct sort sort = {0};
        enum name_category category;
        for (size_t i = 0; name_other(i, &category); i++)
            if ((int)category == c && !name_is(name_other(i, &category), "guest") &&
                !name_is(name_other(i, &category), "other"))
                sort_add(&sort, name_other(i, &category));
        sort_row(out, titles[c], &sort);
    }
}

int signatures_view(const char *form, struct str *out) {
    if (form && !strcmp(form, "summary")) {
        summary(out, false);
        return 0;
    }
    if (form && !strcmp(form, "overview")) {
        overview(out);
        return 0;
    }
    if (form && !strcmp(form, "man")) {
        summary(out, true);
        return 0;
    }
    if (form)
        return -1;
    str_add(
        out,
        "# What `metalgap detect` knows\n\n"
        "Made by `metalgap detect --list-signatures`; a test compares. A claim is `TOPIC=VALUE:WEIGHT`: a weight w "
        "makes it\n"
        "1/(1-w) times as likely as it was; `!=` excludes. Sources: V VMAware, S systemd, W virt-what, K Linux, L a "
        "log or\n"
        "capture, P pci.ids, F Firecracker, C cloud-init, D vendors' documents, G general knowledge.\n\n"
        "How it decides: `detect/decide.c`. How to add a signature: one row in `detect/signatures_*.c`, one case in\n"
        "`tests/fixtures/detect`, and `metalgap detect --list-signatures >docs/detect.md`.\n\n"
        "## Summary\n\n");
    summary(out, false);
    struct listing listing = {.out = out, .kind = KINDS};
    each_signature(list_row, &listing);
    return 0;
}
