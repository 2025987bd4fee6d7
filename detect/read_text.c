// SPDX-License-Identifier: Apache-2.0
// Looks at the files that the tables name, and nothing else. May include: core.
#include "detect/evidence.h"

#include "detect/signatures.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *prefix, *name;
} short_names[] = {{"sys/class/dmi/id/", "dmi:"}, {"proc/device-tree/", "dt:"}, {"", "/"}};

void text_source(const char *file, char *out, size_t size) {
    size_t i = 0;
    while (strncmp(file, short_names[i].prefix, strlen(short_names[i].prefix)) != 0)
        i++;
    snprintf(out, size, "%s%s", short_names[i].name, file + strlen(short_names[i].prefix));
}

// True if a line, or an entry that ends in a NUL, starts with `text`.
static bool has_line(const char *data, size_t size, const char *text) {
    size_t length = strlen(text);
    for (size_t at = 0; at + length <= size; at++) {
        if ((at == 0 || data[at - 1] == '\n' || data[at - 1] == '\0') && !memcmp(data + at, text, length))
            return true;
    }
    return false;
}

static bool test_trimmed(struct sysroot *root, const char *path, const struct text_condition *condition) {
    char text[256];
    if (!sysroot_text(root, path, text, sizeof text))
        return false;
    size_t length = strlen(condition->text);
    size_t have = strlen(text);
    switch (condition->test) {
    case TEST_IS:
        return !strcmp(text, condition->text);
    case TEST_STARTS:
        return !strncmp(text, condition->text, length);
    case TEST_ENDS:
        return have >= length && !strcmp(text + have - length, condition->text);
    default:
        return false;
    }
}

// On the live machine CPUID has said what /proc/cpuinfo would (only User-mode Linux has /proc/exitcode and hides
// there).
static bool too_dear(const struct evidence_set *set, const char *path) {
    return set->cpuid.live && !strcmp(path, "proc/cpuinfo") && !sysroot_exists(set->root, "proc/exitcode");
}

static bool holds(const struct evidence_set *set, const struct text_condition *condition) {
    const char *path = condition->file;
    if (condition->test == TEST_ALWAYS)
        return true;
    if (condition->test == TEST_EXISTS)
        return sysroot_exists(set->root, path);
    if (too_dear(set, path))
        return false;
    if (condition->test < TEST_HAS)
        return test_trimmed(set->root, path, condition);
    size_t size;
    const char *data = sysroot_read(set->root, path, &size);
    if (!data)
        return condition->test == TEST_LACKS && !sysroot_exists(set->root, path);
    if (condition->test == TEST_LINE)
        return has_line(data, size, condition->text);
    bool has = memmem(data, size, condition->text, strlen(condition->text)) != NULL;
    return has == (condition->test == TEST_HAS);
}

// What to show of the file: all of it where it is one short text, else the part that was looked for. Of a UUID only the
// start, which is the same for all machines of a cloud.
static void describe(const struct evidence_set *set, const struct text_condition *when, const char *path, char *out,
                     size_t size) {
    if (when->test == TEST_EXISTS) {
        snprintf(out, size, "present");
        return;
    }
    if (when->test == TEST_LINE || when->test == TEST_HAS || strstr(path, "uuid")) {
        snprintf(out, size, "%.*s", (int)strcspn(when->text, "\n"), when->text);
        if (!strstr(path, "sys/class/dmi"))
            return;
        if (strstr(path, "uuid"))
            return;
    }
    char text[96];
    if (sysroot_text(set->root, path, text, sizeof text))
        snprintf(out, size, "%s", text);
}

static void apply(struct evidence_set *set, const struct text_rule *rules, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct text_rule *rule = &rules[i];
        // The second condition first: it keeps files with secrets (UUIDs) unread where they could say nothing.
        if (!holds(set, &rule->also) || !holds(set, &rule->when))
            continue;
        char value[128] = "";
        char source[128];
        describe(set, &rule->when, rule->when.file, value, sizeof value);
        text_source(rule->when.file, source, sizeof source);
        evidence_add(set, rule->group, source, value, rule->says);
    }
}

void read_text_rules(struct evidence_set *set) {
    apply(set, firmware_rules, firmware_rule_count);
    apply(set, system_rules, system_rule_count);
}
