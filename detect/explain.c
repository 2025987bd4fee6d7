// SPDX-License-Identifier: Apache-2.0
// The verdict in plain words, on this machine. See view.h. May include: core.
#include "detect/view.h"

#include "core/memory.h"
#include "detect/names.h"

#include <stdlib.h>
#include <string.h>

static void paragraph(struct str *out, const char *text) {
    view_wrap(out, "", 0, text);
    str_add(out, "\n");
}

static void heading(struct str *out, const char *text) {
    str_printf(out, "%s\n", text);
}

static bool has_via(const struct platform *p, const char *via) {
    for (size_t i = 0; i < p->path_count; i++)
        if (name_is(p->paths[i].via, via))
            return true;
    return false;
}

static bool has_path(const struct platform *p, enum path_kind kind) {
    for (size_t i = 0; i < p->path_count; i++)
        if (p->paths[i].path == kind)
            return true;
    return false;
}

static void explain_type(const struct platform *p, struct str *out) {
    heading(out, name_is(p->hypervisor, "none") ? "What is below?" : "Is there a host OS below?");
    char *text = mem_printf(
        "%c%s.", p->type_reason[0] >= 'a' && p->type_reason[0] <= 'z' ? p->type_reason[0] - 32 : p->type_reason[0],
        p->type_reason + 1);
    paragraph(out, text);
    free(text);
    if (p->type == 1)
        paragraph(out,
                  "That is what Type 1 means here: the hypervisor is the lowest software, and no general-purpose "
                  "operating system "
                  "competes with this machine for its CPUs below it.");
    if (p->type == 2)
        paragraph(
            out,
            "That is what Type 2 means here: a complete operating system below schedules this machine's vCPUs like its "
            "other "
            "threads; when it is busy, this machine waits (steal time), and its daemons and interrupts show as noise.");
}

// Each of these is said only where it applies.
static void explain_terms(const struct platform *p, struct str *out) {
    if (name_is(p->role, "dom0"))
        paragraph(out,
                  "Dom0: this system is the one that Xen started first. It drives the real devices, and the requests "
                  "of all other guests "
                  "pass through its back ends.");
    else if (has_via(p, "dom0"))
        paragraph(out,
                  "Dom0: disk or network requests leave this guest over a shared ring, wake a thread in Dom0 (a second "
                  "operating system "
                  "beside this one), and only that one talks to the device. Each request pays for two more context "
                  "switches.");
    if (name_is(p->role, "root-partition"))
        paragraph(out,
                  "Root partition: Windows' or Linux' own side of Hyper-V. It is itself scheduled by the hypervisor, "
                  "but drives the real devices.");
    if (has_via(p, "root-partition"))
        paragraph(
            out,
            "VMBus: requests leave this guest over a shared ring to the root partition, which talks to the device.");
    if (has_via(p, "nitro-card"))
        paragraph(
            out,
            "Offload: the disks and NICs marked so are PCI functions of a Nitro card. A request goes from this machine "
            "straight to that "
            "card; no software of the host is on the way, so what it costs is the card's and the network's time.");
    if (has_via(p, "vf"))
        paragraph(out,
                  "Offload: a virtual function is a slice of a NIC that the hardware separates. The data path does not "
                  "touch the host's software.");
    if (has_via(p, "vmm"))
        paragraph(out,
                  "VMM: a process in the host imitates the devices marked so. A request must leave the guest (a VM "
                  "exit or a doorbell), wake "
                  "that process, and pass through the host's own storage or network code.");
    if (has_path(p, PATH_PASSTHROUGH))
        paragraph(out,
                  "Passthrough: a whole physical device belongs to this machine; the IOMMU keeps it to this machine's "
                  "memory.");
    if (p->outer_count)
        paragraph(out,
                  "Nested: the hypervisor below runs in a virtual machine itself. A VM exit may cost several exits of "
                  "the outer one, so "
                  "everything that exits is several times dearer than on the outer level.");
    if (p->cvm && !name_is(p->cvm, "none"))
        paragraph(out,
                  "Confidential: memory is encrypted against the host. I/O goes through bounce buffers, and some exits "
                  "take a longer way.");
    if (p->container)
        paragraph(out,
                  "Container: the processes here are separated by namespaces of a kernel that they share with others; "
                  "a container costs no "
                  "VM exits of its own.");
}

static void explain_paths(const struct platform *p, struct str *out) {
    heading(out, "Which way do requests go?");
    for (size_t i = 0; i < p->path_count; i++) {
        const struct platform_path *path = &p->paths[i];
        char *text =
            mem_printf("%s%s%s: %s%s%s. %s.", path->resource, path->device ? " " : "", path->device ? path->device : "",
                       path_kind_name(path->path), path->via ? ", via " : "", path->via ? path->via : "", path->reason);
        view_wrap(out, "  ", 4, text);
        free(text);
    }
    str_add(out, "\n");
}

static void list_evidence(const struct platform *p, struct str *out, const char *title, bool contradicts,
                          bool weightless) {
    size_t count = 0;
    for (size_t i = 0; i < p->evidence_count; i++) {
        const struct platform_evidence *e = &p->evidence[i];
        if (e->contradicts != contradicts || (e->weight > 0) == weightless)
            continue;
        if (!count++)
            heading(out, title);
        char *text = mem_printf("%s: %s -> %s (%.2f)", e->source, e->value, e->says, e->weight);
        view_wrap(out, "  ", 4, text);
        free(text);
    }
    if (count)
        str_add(out, "\n");
}

static void list_unread(const struct platform *p, struct str *out) {
    if (!p->unread_count)
        return;
    heading(out, "What could not be read");
    for (size_t i = 0; i < p->unread_count; i++) {
        char *text = mem_printf("%s: %s", p->unread[i].source, p->unread[i].why);
        view_wrap(out, "  ", 4, text);
        free(text);
    }
    str_add(out, "\n");
}

void platform_explain(const struct platform *p, struct str *out) {
    struct str verdict = {0};
    view_verdict(p, &verdict);
    char *text = mem_printf("This is %s. Confidence: %.0f %%.", str_text(&verdict), p->confidence * 100);
    paragraph(out, text);
    free(text);
    str_free(&verdict);
    explain_type(p, out);
    explain_terms(p, out);
    explain_paths(p, out);
    list_evidence(p, out, "What says so (weight: 0.9 makes its claim ten times as likely)", false, false);
    list_evidence(p, out, "What speaks against it, and was outweighed", true, false);
    list_evidence(p, out, "What was seen but does not count (another layer's words)", false, true);
    list_unread(p, out);
}
