// SPDX-License-Identifier: Apache-2.0
// The one-screen view. See view.h. May include: core.
#include "detect/view.h"

#include "core/memory.h"
#include "detect/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 80, LABEL = 14 };

void view_wrap(struct str *out, const char *first, size_t rest, const char *text) {
    size_t column = strlen(first);
    str_add(out, first);
    bool fresh = true;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (!fresh && column + 1 + word > COLUMNS) {
            str_printf(out, "\n%*s", (int)rest, "");
            column = rest;
            fresh = true;
        }
        str_printf(out, "%s%.*s", fresh ? "" : " ", (int)word, text);
        column += word + !fresh;
        fresh = false;
        text += word;
        text += strspn(text, " ");
    }
    str_add(out, "\n");
}

static const struct {
    const char *kind, *text;
} kinds[] = {
    {"vm", "a virtual machine"},  {"host", "a hypervisor's host"}, {"bare-metal", "bare metal"},
    {"container", "a container"}, {"lpar", "a logical partition"}, {"unknown", "a machine of unknown kind"},
};

void view_verdict(const struct platform *p, struct str *out) {
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (name_is(p->kind, kinds[i].kind))
            str_add(out, kinds[i].text);
    if (p->container)
        str_printf(out, " (%s)", name_title(p->container));
    if (name_is(p->kind, "unknown"))
        return;
    if (name_is(p->hypervisor, "none")) {
        if (!name_is(p->kind, "bare-metal"))
            str_add(out, " on bare metal");
        return;
    }
    str_printf(out, "%s %s", p->container ? " in a virtual machine:" : ":",
               name_is(p->hypervisor, "unknown") ? "hypervisor not recognised" : name_title(p->hypervisor));
    if (p->mode)
        str_printf(out, " %s", name_title(p->mode));
    if (p->role && !name_is(p->role, "guest"))
        str_printf(out, ", %s", name_title(p->role));
    if (p->vmm)
        str_printf(out, ", run by %s", name_is(p->vmm, "qemu") ? "QEMU" : name_title(p->vmm));
}

static void add_line(struct str *out, const char *label, const char *text) {
    char first[LABEL + 3];
    snprintf(first, sizeof first, "  %-*s", LABEL, label);
    view_wrap(out, first, LABEL + 2, text);
}

// The reason up to its first semicolon or parenthesis: the rest is for --explain.
static void short_reason(const char *reason, char *out, size_t size) {
    size_t length = strcspn(reason, ";(");
    while (length && reason[length - 1] == ' ')
        length--;
    snprintf(out, size, "%.*s", (int)length, reason);
}

static void add_rule(struct str *out) {
    str_add(out, "  ");
    for (int i = 2; i < COLUMNS; i++)
        str_add(out, "-");
    str_add(out, "\n");
}

static void add_paths(const struct platform *p, struct str *out) {
    if (!p->path_count)
        return;
    str_printf(out, "\n  %-10s  %-9s  %-11s  %s\n", "RESOURCE", "DEVICE", "PATH", "WHY");
    add_rule(out);
    for (size_t i = 0; i < p->path_count; i++) {
        const struct platform_path *path = &p->paths[i];
        char first[COLUMNS];
        char reason[256];
        const char *device = path->device ? path->device : "";
        device += strncmp(device, "0000:", 5) == 0 ? 5 : 0; // the PCI domain that nearly all devices are in
        char *text = path->via ? mem_printf("via %s: %s", path->via, path->reason) : mem_strdup(path->reason);
        short_reason(text, reason, sizeof reason);
        snprintf(first, sizeof first, "  %-10s  %-9s  %-11s  ", path->resource, device, path_kind_name(path->path));
        view_wrap(out, first, strlen(first), reason);
        free(text);
    }
}

static void add_contradictions(const struct platform *p, struct str *out) {
    size_t count = 0;
    for (size_t i = 0; i < p->evidence_count; i++) {
        const struct platform_evidence *e = &p->evidence[i];
        if (!e->contradicts)
            continue;
        if (!count++)
            str_add(out, "\n  Speaks against it, and was outweighed:\n");
        char *text = mem_printf("%s (%s) says %s", e->source, e->value, e->says);
        view_wrap(out, "    ", 6, text);
        free(text);
    }
}

void platform_view(const struct platform *p, struct str *out) {
    struct str verdict = {0};
    view_verdict(p, &verdict);
    char *sentence = mem_printf("This is %s.", str_text(&verdict));
    view_wrap(out, "", 2, sentence);
    str_free(&verdict);
    free(sentence);
    char *type = p->type ? mem_printf("%d: %s", p->type, p->type_reason) : mem_strdup(p->type_reason);
    add_line(out, name_is(p->hypervisor, "none") ? "Below" : "Type", type);
    free(type);
    if (p->cloud) {
        char *cloud = p->instance_type ? mem_printf("%s, %s", name_title(p->cloud), p->instance_type)
                                       : mem_strdup(name_title(p->cloud));
        add_line(out, "Cloud", cloud);
        free(cloud);
    }
    for (size_t i = 0; i < p->outer_count; i++)
        add_line(out, i ? "" : "Nested in", name_title(p->outer[i]));
    if (p->cvm && !name_is(p->cvm, "none"))
        add_line(out, "Confidential", name_title(p->cvm));
    char *sure =
        mem_printf("%.0f %%%s", p->confidence * 100, p->unread_count ? " (not all could be read: see --explain)" : "");
    add_line(out, "Confidence", sure);
    free(sure);
    add_paths(p, out);
    add_contradictions(p, out);
}
