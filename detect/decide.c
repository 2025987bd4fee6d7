// SPDX-License-Identifier: Apache-2.0
// Weighs the evidence: naive Bayes over the hypervisors (their prior, times 1/(1-w) for each group of evidence that
// supports one, times 1-w for each that excludes it), then the rules of nesting. See decide.h. May include: core.
#include "detect/decide.h"

#include "core/memory.h"
#include "detect/names.h"

#include <stdio.h>
#include <string.h>

enum { HYPERVISORS_MAX = 64 };

static const double SURE_MAX = 0.99;  // evidence can be forged
static const double GUESS_MAX = 0.75; // where a likely default stands in for evidence

static const char *id(const char *word) {
    return name_intern(word, strlen(word));
}

// `value` is an interned id (names.h): equal ids are the same pointer.
static bool claims(const struct claim *claim, const char *value) {
    for (size_t i = 0; i < CLAIM_VALUES && claim->values[i]; i++)
        if (claim->values[i] == value || (claim->against && !strcmp(claim->values[i], "any")))
            return true;
    return false;
}

// What supports and what excludes a value: the product of 1-w over the groups, the strongest weight w of each.
struct support {
    double missing;  // of the supporters: small means well supported
    double excluded; // of the excluders: small means excluded
};

static struct support support_of(const struct evidence_set *set, enum topic topic, const char *value) {
    double best[2][GROUP_COUNT] = {0};
    for (size_t i = 0; i < set->count; i++) {
        const struct evidence *item = &set->items[i];
        double *slot = &best[item->claim.against][item->group];
        if (item->claim.topic == topic && !item->explained && item->claim.weight > *slot && claims(&item->claim, value))
            *slot = item->claim.weight;
    }
    struct support support = {1, 1};
    for (size_t group = 0; group < GROUP_COUNT; group++) {
        support.missing *= 1 - best[0][group];
        support.excluded *= 1 - best[1][group];
    }
    return support;
}

// Interpreted machines are the usual ones where the architecture is not that of the desks (or of POWER servers, which
// run KVM), and no cloud sells them.
static double prior_of(const struct evidence_set *set, const char *cloud, const struct hypervisor *row) {
    if (strcmp(row->id, "qemu") != 0)
        return row->prior;
    if (cloud)
        return row->prior / 20;
    bool desk = !set->arch || !strcmp(set->arch, "x86_64") || !strncmp(set->arch, "ppc64", 5);
    return desk ? row->prior : row->prior * 6;
}

// How sure a value of another topic than the hypervisor is: supporters add up (1 - the product of 1-w), excluders lower
// the odds.
static double sureness(const struct evidence_set *set, enum topic topic, const char *value) {
    struct support support = support_of(set, topic, value);
    double odds = (1 - support.missing) / support.missing * support.excluded;
    return odds / (1 + odds);
}

static bool has_claim(const struct evidence_set *set, enum topic topic) {
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i].claim.topic == topic && !set->items[i].explained)
            return true;
    return false;
}

// The probability of each hypervisor, in the order of the table.
static void weigh_hypervisors(const struct evidence_set *set, const char *cloud, double out[HYPERVISORS_MAX]) {
    double sum = 0;
    size_t count = 0;
    for (; count < HYPERVISORS_MAX && hypervisors[count].id; count++) {
        struct support support = support_of(set, TOPIC_HYPERVISOR, hypervisors[count].id);
        out[count] = prior_of(set, cloud, &hypervisors[count]) * support.excluded / support.missing;
        sum += out[count];
    }
    for (size_t i = 0; i < count; i++)
        out[i] /= sum;
}

// The best supported value of another topic, and how sure it is. NULL if nothing reaches one half.
static const char *best_value(const struct evidence_set *set, enum topic topic, double *confidence) {
    const char *best = NULL;
    *confidence = 0.5;
    for (size_t i = 0; i < set->count; i++) {
        const struct claim *claim = &set->items[i].claim;
        if (claim->topic != topic || claim->against || set->items[i].explained)
            continue;
        for (size_t v = 0; v < CLAIM_VALUES && claim->values[v]; v++) {
            double sure = sureness(set, topic, claim->values[v]);
            if (sure > *confidence) {
                *confidence = sure;
                best = claim->values[v];
            }
        }
    }
    return best;
}

// The claims for a hypervisor other than `inner` (NULL: those for "none" only) belong to another layer.
static void explain_others(struct evidence_set *set, const char *inner) {
    for (size_t i = 0; i < set->count; i++) {
        struct evidence *item = &set->items[i];
        if (item->claim.topic == TOPIC_HYPERVISOR && !item->claim.against &&
            (inner ? !claims(&item->claim, inner) : claims(&item->claim, id("none"))))
            item->explained = true;
    }
}

static void add_outer(struct platform *out, const char *hypervisor) {
    for (size_t i = 0; i < out->outer_count; i++)
        if (!strcmp(out->outer[i], hypervisor))
            return;
    if (out->outer_count < ARRAY_LEN(out->outer))
        out->outer[out->outer_count++] = hypervisor;
}

static const char *best_hypervisor(const struct evidence_set *set, const char *cloud, double *sure, double *none) {
    double chance[HYPERVISORS_MAX] = {0};
    weigh_hypervisors(set, cloud, chance);
    size_t best = 0;
    for (size_t i = 0; hypervisors[i].id; i++)
        if (chance[i] > chance[best])
            best = i;
    *sure = chance[best];
    *none = chance[0];
    return hypervisors[best].id;
}

// Positive words for a hypervisor other than `inner`: the hypervisor bit alone does not count, since a PV kernel sees
// its own hypervisor's.
static bool names_another(const struct evidence_set *set, const char *inner) {
    for (size_t i = 0; i < set->count; i++) {
        const struct evidence *item = &set->items[i];
        if (item->claim.topic == TOPIC_HYPERVISOR && !item->claim.against && !item->explained &&
            !claims(&item->claim, inner) && !claims(&item->claim, id("none")))
            return true;
    }
    return false;
}

// A hypervisor that the kernel knows from its own side (Xen PV and Dom0, UML, a root partition) leaves the hardware's
// words to whatever is around it.
static void look_outside(struct evidence_set *set, struct platform *out, const char *inner) {
    if (!names_another(set, inner))
        return;
    double chance[HYPERVISORS_MAX] = {0};
    weigh_hypervisors(set, out->cloud, chance);
    const char *best = NULL;
    double most = 0;
    for (size_t i = 1; hypervisors[i].id; i++)
        if (strcmp(hypervisors[i].id, inner) != 0 && chance[i] > most) {
            most = chance[i];
            best = hypervisors[i].id;
        }
    if (best)
        add_outer(out, best);
}

static bool hosts(const struct platform *out) {
    return name_is(out->role, "dom0") || name_is(out->role, "root-partition") || name_is(out->role, "service-vm");
}

// Xen without a word about its mode. Dom0 nearly always is PV, and only a PV guest sees another's CPUID; Xen's own
// leaves mean hardware virtualisation, a kernel that knows Xen without seeing them means PV.
static void settle_xen_mode(const struct evidence_set *set, struct platform *out) {
    if (out->mode || !name_is(out->hypervisor, "xen"))
        return;
    bool surely_pv = name_is(out->role, "dom0") || out->outer_count;
    bool kernel_alone = has_claim(set, TOPIC_KERNEL) && !name_is(set->arch, "aarch64");
    if (set->xen_base && !surely_pv)
        out->mode = "hvm";
    else if (surely_pv || kernel_alone)
        out->mode = "pv";
}

// A PV or PVH guest has no DMI: a kernel on Xen that sees a board sees the machine's, so it is Dom0. Without a board
// and without Xen's word it may be either, and the verdict is a guess.
static void settle_xen_role(const struct evidence_set *set, struct platform *out) {
    char vendor[32];
    if (out->role || !name_is(out->hypervisor, "xen") || set->xen_base || name_is(out->mode, "hvm"))
        return;
    if (sysroot_text(set->root, "sys/class/dmi/id/sys_vendor", vendor, sizeof vendor) && strcmp(vendor, "Xen") != 0)
        out->role = "dom0";
    if (out->confidence > GUESS_MAX)
        out->confidence = GUESS_MAX;
}

// Hyper-V's leaves say that this partition may create others: nothing that imitates Hyper-V grants that. What the
// hardware shows is real, or whatever is around Hyper-V.
static void decide_root_partition(struct evidence_set *set, struct platform *out) {
    for (size_t i = 0; i < set->count; i++)
        if (!strcmp(set->items[i].value, "Microsoft Hv") && !claims(&set->items[i].claim, id("hyperv")))
            set->items[i].explained = true;
    out->hypervisor = id("hyperv");
    out->confidence = sureness(set, TOPIC_ROLE, id("root-partition"));
    look_outside(set, out, out->hypervisor);
    explain_others(set, out->hypervisor);
}

static void decide_inner(struct evidence_set *set, struct platform *out) {
    double sure;
    const char *kernel = best_value(set, TOPIC_KERNEL, &sure);
    if (kernel) {
        out->hypervisor = kernel;
        out->confidence = sure;
        bool seen_by_hardware =
            name_is(kernel, "xen") && !hosts(out) && !name_is(out->mode, "pv") && (set->xen_base || out->mode);
        if (!seen_by_hardware) {
            look_outside(set, out, kernel);
            explain_others(set, kernel);
        }
        return;
    }
    if (name_is(out->role, "root-partition")) {
        decide_root_partition(set, out);
        return;
    }
    if (hosts(out))
        explain_others(set, NULL); // it shows real hardware: its maker's name is no contradiction
    double none;
    const char *best = best_hypervisor(set, out->cloud, &sure, &none);
    bool known = has_claim(set, TOPIC_HYPERVISOR);
    out->hypervisor = known && sure >= 0.5 ? best : "unknown";
    out->confidence = !known ? 0 : sure >= 0.5 ? sure : none < 0.5 ? (1 - none) * 0.8 : none;
}

static const char *decide_kind(const struct evidence_set *set, const struct platform *out) {
    double sure;
    double none;
    if (out->container)
        return "container";
    if (hosts(out))
        return "host";
    if (name_is(out->hypervisor, "powervm") || name_is(out->hypervisor, "pr/sm") || name_is(out->hypervisor, "ldoms"))
        return "lpar";
    if (name_is(out->hypervisor, "none"))
        return "bare-metal";
    if (!name_is(out->hypervisor, "unknown"))
        return "vm";
    best_hypervisor(set, out->cloud, &sure, &none);
    return has_claim(set, TOPIC_HYPERVISOR) && none < 0.35 ? "vm" : "unknown";
}

// Amazon's own hypervisor shows KVM's signature; what tells them apart is whose machine it is.
static void settle_nitro(struct platform *out) {
    if (name_is(out->hypervisor, "kvm") && name_is(out->cloud, "aws") && !name_is(out->vmm, "firecracker"))
        out->hypervisor = "nitro";
    if (name_is(out->hypervisor, "nitro"))
        out->vmm = NULL;
}

// A VMM belongs to certain hypervisors: what QEMU says about a machine means nothing where there is none.
static void settle_vmm(struct platform *out) {
    if (name_is(out->hypervisor, "none") || name_is(out->hypervisor, "unknown") || name_is(out->hypervisor, "xen") ||
        name_is(out->hypervisor, "bhyve") || name_is(out->hypervisor, "virtualbox"))
        out->vmm = NULL;
}

static void settle_type(struct platform *out) {
    const struct hypervisor *row = hypervisor_find(out->hypervisor);
    out->type = row ? row->type : 0;
    if (name_is(out->vmm, "esxi"))
        out->type = 1;
    if (name_is(out->vmm, "workstation") || name_is(out->vmm, "fusion"))
        out->type = 2;
    if (!row) {
        out->type_reason = mem_strdup("the hypervisor was not recognised, so what is below it is not known");
        return;
    }
    if (hosts(out))
        out->type_reason = mem_printf("this is the %s of %s: it drives the devices for the guests; %s",
                                      name_title(out->role), row->title, row->below);
    else
        out->type_reason = mem_strdup(row->below);
}

// Where clouds write the instance type.
static const struct {
    const char *cloud, *path, *after; // behind the last of these characters; NULL: all of it
} instance_types[] = {
    {"aws", "sys/class/dmi/id/product_name", NULL},
    {"ibm-cloud", "sys/class/dmi/id/chassis_vendor", ":"},
};

static void read_instance_type(const struct evidence_set *set, struct platform *out) {
    char text[64];
    for (size_t i = 0; i < ARRAY_LEN(instance_types); i++) {
        if (!name_is(out->cloud, instance_types[i].cloud) ||
            !sysroot_text(set->root, instance_types[i].path, text, sizeof text))
            continue;
        const char *after = instance_types[i].after ? strrchr(text, *instance_types[i].after) : NULL;
        const char *name = after ? after + 1 : text;
        bool plausible = strchr(name, '.') || after;
        if (plausible && *name && !strchr(name, ' '))
            out->instance_type = mem_strdup(name);
    }
}

void decide(struct evidence_set *set, struct platform *out) {
    double sure;
    double container_sure;
    out->role = best_value(set, TOPIC_ROLE, &sure);
    out->mode = best_value(set, TOPIC_MODE, &sure);
    out->vmm = best_value(set, TOPIC_VMM, &sure);
    out->cloud = best_value(set, TOPIC_CLOUD, &sure);
    out->cvm = best_value(set, TOPIC_CVM, &sure);
    out->container = best_value(set, TOPIC_CONTAINER, &container_sure);
    out->arch = set->arch;
    decide_inner(set, out);
    const char *outer = best_value(set, TOPIC_OUTER, &sure);
    if (outer)
        add_outer(out, outer);
    settle_nitro(out);
    settle_vmm(out);
    settle_xen_role(set, out);
    settle_xen_mode(set, out);
    if (!name_is(out->hypervisor, "xen"))
        out->mode = NULL;
    out->kind = decide_kind(set, out);
    if (!out->cvm || name_is(out->kind, "bare-metal"))
        out->cvm = "none";
    if (name_is(out->kind, "bare-metal") || name_is(out->kind, "unknown"))
        out->role = NULL;
    else if (!out->role && !name_is(out->hypervisor, "none") && !name_is(out->hypervisor, "unknown"))
        out->role = "guest";
    if (name_is(out->kind, "container") && name_is(out->hypervisor, "unknown"))
        out->confidence = container_sure;
    if (out->confidence > SURE_MAX)
        out->confidence = SURE_MAX;
    settle_type(out);
    read_instance_type(set, out);
}
