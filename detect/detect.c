// SPDX-License-Identifier: Apache-2.0
// The order of detection: read, decide, find the paths, say why. See detect.h. May include: core.
#include "detect/detect.h"

#include "core/memory.h"
#include "detect/decide.h"
#include "detect/evidence.h"
#include "detect/names.h"
#include "detect/paths.h"
#include "detect/signatures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// True if the claim is at odds with the verdict.
static bool at_odds(const struct claim *claim, const struct platform *p) {
    const char *const verdicts[TOPIC_COUNT] = {
        [TOPIC_HYPERVISOR] = p->hypervisor,
        [TOPIC_KERNEL] = p->hypervisor,
        [TOPIC_VMM] = p->vmm,
        [TOPIC_CLOUD] = p->cloud,
        [TOPIC_CONTAINER] = p->container,
        [TOPIC_ROLE] = p->role,
        [TOPIC_MODE] = p->mode,
        [TOPIC_CVM] = p->cvm,
    };
    const char *verdict = verdicts[claim->topic];
    bool named = false;
    for (size_t i = 0; i < CLAIM_VALUES && claim->values[i]; i++) {
        named |= verdict && (!strcmp(claim->values[i], verdict) || !strcmp(claim->values[i], "any"));
        named |= verdict && !strcmp(verdict, "nitro") && !strcmp(claim->values[i], "kvm");
    }
    if (claim->topic == TOPIC_OUTER || (claim->topic == TOPIC_HYPERVISOR && !strcmp(p->hypervisor, "unknown")))
        return false;
    return claim->against ? named : !named;
}

// A signature may say two things with two weights ("most likely this, else that"): the second does not contradict the
// verdict where the first supports it.
static bool other_half_agrees(const struct evidence_set *set, size_t index, const struct platform *p) {
    const struct evidence *item = &set->items[index];
    for (size_t i = 0; i < set->count; i++) {
        const struct evidence *other = &set->items[i];
        if (i != index && other->claim.topic == item->claim.topic && !strcmp(other->source, item->source) &&
            !strcmp(other->value, item->value) && !at_odds(&other->claim, p))
            return true;
    }
    return false;
}

static void report_evidence(const struct evidence_set *set, struct platform *out) {
    for (size_t i = 0; i < set->count; i++) {
        const struct evidence *item = &set->items[i];
        struct platform_evidence said = {
            .source = mem_strdup(item->source),
            .value = mem_strdup(item->value),
            .says = claim_text(&item->claim),
            .weight = item->explained ? 0 : item->claim.weight,
            .contradicts = !item->explained && at_odds(&item->claim, out) && !other_half_agrees(set, i, out),
        };
        ARRAY_PUSH(out->evidence, out->evidence_count, out->evidence_capacity, said);
    }
}

// What was refused. Only the live machine refuses.
static void report_unread(const struct sysroot *root, struct platform *out) {
    for (size_t i = 1; i < root->count; i++) {
        const struct sysroot_entry *entry = &root->entries[i];
        if (entry->error != EACCES && entry->error != EPERM)
            continue;
        const char *path = strncmp(entry->path, "msr/", 4) ? entry->path : "dev/cpu/0/msr";
        for (size_t r = 0; r < root_only_count; r++) {
            if (strcmp(root_only_files[r].path, path) != 0)
                continue;
            struct platform_unread unread = {
                .source = mem_printf("/%s", path),
                .why = mem_printf("%s%s; %s", strerror(entry->error), geteuid() ? "" : ", even for root",
                                  root_only_files[r].adds),
            };
            ARRAY_PUSH(out->unread, out->unread_count, out->unread_capacity, unread);
        }
    }
}

void detect_sysroot(struct sysroot *root, bool timing, struct platform *out, struct str *leaves) {
    *out = (struct platform){0};
    struct evidence_set set = {.root = root};
    cpuid_open(&set.cpuid, root);
    read_cpu(&set);
    read_text_rules(&set);
    read_firmware(&set);
    read_kernel(&set);
    read_devices(&set);
    read_log(&set);
    if (timing && set.cpuid.live && !set.hypervisor_bit)
        read_timing(&set);
    decide(&set, out);
    find_paths(&set, out);
    report_evidence(&set, out);
    report_unread(root, out);
    if (leaves)
        cpuid_write(&set.cpuid, leaves);
    evidence_free(&set);
}

int detect_platform(const struct detect_options *opt, struct platform *out, struct error *err) {
    struct sysroot root;
    *out = (struct platform){0};
    if (!opt->root)
        sysroot_open_live(&root);
    else if (sysroot_open_folder(&root, opt->root, err))
        return -1;
    detect_sysroot(&root, opt->timing, out, NULL);
    sysroot_close(&root);
    return 0;
}

cJSON *detect_live_json(bool timing) {
    struct sysroot root;
    struct platform platform;
    sysroot_open_live(&root);
    detect_sysroot(&root, timing, &platform, NULL);
    sysroot_close(&root);
    cJSON *json = platform_to_json(&platform);
    platform_free(&platform);
    return json;
}
