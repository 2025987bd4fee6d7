// SPDX-License-Identifier: Apache-2.0
// See evidence.h. May include: core.
#include "detect/evidence.h"

#include "core/memory.h"
#include "detect/names.h"

#include <stdlib.h>
#include <string.h>

static const char *const topic_names[TOPIC_COUNT] = {
    [TOPIC_HYPERVISOR] = "hypervisor",
    [TOPIC_KERNEL] = "kernel",
    [TOPIC_OUTER] = "outer",
    [TOPIC_VMM] = "vmm",
    [TOPIC_CLOUD] = "cloud",
    [TOPIC_CONTAINER] = "container",
    [TOPIC_ROLE] = "role",
    [TOPIC_MODE] = "mode",
    [TOPIC_CVM] = "cvm",
};

static const double DEFAULT_WEIGHT = 0.9;

static bool parse_topic(const char *word, size_t length, enum topic *out) {
    for (size_t i = 0; i < TOPIC_COUNT; i++)
        if (strlen(topic_names[i]) == length && !memcmp(topic_names[i], word, length)) {
            *out = (enum topic)i;
            return true;
        }
    return false;
}

// Parses "TOPIC=A|B:0.9", which ends at white space or the end.
static bool parse_claim(const char *word, struct claim *out) {
    size_t topic = strcspn(word, "!= ");
    *out = (struct claim){.against = word[topic] == '!', .weight = DEFAULT_WEIGHT};
    if (!parse_topic(word, topic, &out->topic))
        return false;
    const char *at = word + topic + (out->against ? 2 : 1);
    size_t count = 0;
    for (;;) {
        size_t length = strcspn(at, "|: ");
        const char *value = name_intern(at, length);
        if (value && count < CLAIM_VALUES)
            out->values[count++] = value;
        at += length;
        if (*at != '|')
            break;
        at++;
    }
    if (*at == ':')
        out->weight = strtod(at + 1, NULL);
    return count > 0;
}

void evidence_add(struct evidence_set *set, enum evidence_group group, const char *source, const char *value,
                  const char *says) {
    for (const char *word = says; *word;) {
        struct claim claim;
        if (parse_claim(word, &claim)) {
            struct evidence item = {
                .source = mem_strdup(source), .value = mem_strdup(value), .group = group, .claim = claim};
            ARRAY_PUSH(set->items, set->count, set->capacity, item);
        }
        word += strcspn(word, " ");
        word += strspn(word, " ");
    }
}

const struct pci_device *evidence_pci(const struct evidence_set *set, const char *address) {
    for (size_t i = 0; i < set->pci_count; i++)
        if (!strcmp(set->pci[i].address, address))
            return &set->pci[i];
    return NULL;
}

void evidence_free(struct evidence_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        free(set->items[i].source);
        free(set->items[i].value);
    }
    free(set->items);
    free(set->pci);
    cpuid_close(&set->cpuid);
    *set = (struct evidence_set){0};
}

char *claim_text(const struct claim *claim) {
    struct str text = {0};
    // What the kernel says of itself is a claim about the hypervisor too; the topic only tells whose word it is.
    str_add(&text, topic_names[claim->topic == TOPIC_KERNEL ? TOPIC_HYPERVISOR : claim->topic]);
    str_add(&text, claim->against ? "!=" : "=");
    for (size_t i = 0; i < CLAIM_VALUES && claim->values[i]; i++) {
        str_add(&text, i ? "|" : "");
        str_add(&text, claim->values[i]);
    }
    return text.text;
}
