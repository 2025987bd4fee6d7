// SPDX-License-Identifier: Apache-2.0
// Writes the evidence that one detection read, so that a user can send a wrong verdict in. What is not needed is not
// written; what is written is cleaned of whatever names this one machine. May include: core.
#include "detect/detect.h"

#include "core/memory.h"
#include "detect/signatures.h"
#include "detect/sysroot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

// What is kept of a file. Files without a row are kept whole (after cleaning).
enum keep {
    KEEP_BYTES,  // the first `count` bytes
    KEEP_LINES,  // lines (or NUL-terminated entries) that start with one of the words
    KEEP_PREFIX, // the start of a UUID, if it is the word; else nothing
    KEEP_KNOWN,  // the text, if a signature looks for it; else nothing
};

static const struct {
    const char *path; // the end of the path
    enum keep keep;
    size_t count;
    const char *words; // separated by '|'
} kept[] = {
    {"sys/firmware/acpi/tables/FACP", KEEP_BYTES, 36, NULL},
    {"sys/firmware/acpi/tables/DSDT", KEEP_BYTES, 36, NULL},
    {"sys/firmware/acpi/tables/APIC", KEEP_BYTES, 36, NULL},
    {"sys/firmware/acpi/tables/XSDT", KEEP_BYTES, 36, NULL},
    {"sys/firmware/acpi/tables/RSDT", KEEP_BYTES, 36, NULL},
    {"sys/firmware/dmi/entries/0-0/raw", KEEP_BYTES, 0x18, NULL}, // without the strings behind the fixed part
    {"sys/class/dmi/id/product_uuid", KEEP_PREFIX, 3, "ec2|EC2"},
    {"sys/hypervisor/uuid", KEEP_PREFIX, 3, "ec2"},
    {"sys/class/dmi/id/chassis_asset_tag", KEEP_KNOWN, 0, "sys/class/dmi/id/chassis_asset_tag"},
    {"proc/1/environ", KEEP_LINES, 0, "container="},
    {"proc/self/status", KEEP_LINES, 0, "VxID:|s_context:"},
    {"proc/sysinfo", KEEP_LINES, 0, "Manufacturer:|VM00 Control|VM01 Control|VM02 Control|LPAR Number:"},
    {"proc/ppc64/lparcfg", KEEP_LINES, 0, "shared_processor_mode|partition_id="},
    {"/uevent", KEEP_LINES, 0, "DRIVER=|PCI_CLASS=|PCI_ID=|PCI_SUBSYS_ID="},
};

// What stands for the identifiers that were found, so that equal ones stay equal.
struct cleaner {
    char (*found)[64];
    size_t count, capacity;
    char host[65];
};

static bool ends_with(const char *path, const char *end) {
    size_t length = strlen(path);
    size_t tail = strlen(end);
    return length >= tail && !strcmp(path + length - tail, end);
}

// True if one of the words stands at the start of `text`.
static bool starts_with_word(const char *text, size_t size, const char *words) {
    while (*words) {
        size_t length = strcspn(words, "|");
        if (length <= size && !memcmp(text, words, length))
            return true;
        words += length + (words[length] == '|');
    }
    return false;
}

static void keep_lines(const char *data, size_t size, const char *words, struct str *out) {
    for (size_t at = 0; at < size;) {
        size_t end = at;
        while (end < size && data[end] != '\n' && data[end] != '\0')
            end++;
        if (starts_with_word(data + at, end - at, words))
            str_add_bytes(out, data + at, end < size ? end - at + 1 : end - at);
        at = end + 1;
    }
}

static bool is_known(const char *text, const char *file) {
    for (size_t i = 0; i < firmware_rule_count; i++) {
        const struct text_condition *when = &firmware_rules[i].when;
        if (!strcmp(when->file, file) && when->text && strstr(text, when->text))
            return true;
    }
    return false;
}

// The part of mountinfo that is looked at: the line of the root.
static void keep_root_mount(const char *data, struct str *out) {
    for (; *data; data += strcspn(data, "\n"), data += *data == '\n') {
        int length = (int)strcspn(data, "\n");
        char point[8];
        if (sscanf(data, "%*u %*u %*s %*s %7s", point) == 1 && !strcmp(point, "/"))
            str_printf(out, "%.*s\n", length, data);
    }
}

static void select_content(const struct sysroot_entry *entry, struct str *out) {
    if (ends_with(entry->path, "proc/self/mountinfo")) {
        keep_root_mount(entry->data, out);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (entry->ask != ASK_READ || !ends_with(entry->path, kept[i].path))
            continue;
        switch (kept[i].keep) {
        case KEEP_BYTES:
            str_add_bytes(out, entry->data, entry->size < kept[i].count ? entry->size : kept[i].count);
            break;
        case KEEP_LINES:
            keep_lines(entry->data, entry->size, kept[i].words, out);
            break;
        case KEEP_PREFIX:
            if (starts_with_word(entry->data, entry->size, kept[i].words))
                str_printf(out, "%.*s\n", (int)kept[i].count, entry->data);
            break;
        case KEEP_KNOWN:
            if (is_known(entry->data, kept[i].words))
                str_add(out, entry->data);
            break;
        }
        return;
    }
    str_add_bytes(out, entry->data, entry->size);
}

static bool id_character(char c) {
    return isxdigit((unsigned char)c) || c == '-' || c == ':';
}

// The length of an identifier at `text`: a UUID, a MAC address or a long hexadecimal number; 0 if there is none.
static size_t identifier(const char *text, size_t size) {
    size_t length = 0;
    size_t digits = 0;
    while (length < size && id_character(text[length]))
        digits += isxdigit((unsigned char)text[length++]) != 0;
    while (length && !isxdigit((unsigned char)text[length - 1]))
        length--;
    return digits >= 12 && isxdigit((unsigned char)text[0]) ? length : 0;
}

// Device classes of VMBus are the same everywhere.
static bool is_class(const char *text) {
    for (size_t i = 0; i < vmbus_class_count; i++)
        if (!strncmp(text, vmbus_classes[i].guid, strlen(vmbus_classes[i].guid)))
            return true;
    return false;
}

static size_t number_of(struct cleaner *cleaner, const char *text, size_t length) {
    char id[64] = "";
    snprintf(id, sizeof id, "%.*s", (int)length, text);
    for (size_t i = 0; i < cleaner->count; i++)
        if (!strcmp(cleaner->found[i], id))
            return i + 1;
    if (cleaner->count == cleaner->capacity) {
        cleaner->capacity = cleaner->capacity ? cleaner->capacity * 2 : 16;
        cleaner->found = mem_resize(cleaner->found, cleaner->capacity * sizeof cleaner->found[0]);
    }
    memcpy(cleaner->found[cleaner->count], id, sizeof id);
    return ++cleaner->count;
}

// Zeros of the same shape, with a number at the end that tells identifiers apart.
static void add_stand_in(struct cleaner *cleaner, const char *text, size_t length, struct str *out) {
    char number[24];
    size_t digits = (size_t)snprintf(number, sizeof number, "%zu", number_of(cleaner, text, length));
    size_t left = 0;
    for (size_t i = 0; i < length; i++)
        left += isxdigit((unsigned char)text[i]) != 0;
    for (size_t i = 0; i < length; i++) {
        bool digit = isxdigit((unsigned char)text[i]) != 0;
        char c = !digit ? text[i] : left <= digits ? number[digits - left] : '0';
        left -= digit;
        str_add_bytes(out, &c, 1);
    }
}

// "10.1.2.3" at `text`: its length, else 0.
static size_t ip_address(const char *text, size_t size) {
    unsigned a, b, c, d;
    int end = 0;
    char copy[20];
    snprintf(copy, sizeof copy, "%.*s", (int)(size < 19 ? size : 19), text);
    if (sscanf(copy, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &end) != 4 || a > 255 || b > 255 || c > 255 || d > 255)
        return 0;
    return (size_t)end;
}

static size_t name_length(const char *text, size_t size) {
    size_t length = 0;
    while (length < size && (isalnum((unsigned char)text[length]) || strchr("._-", text[length])) && text[length])
        length++;
    return length;
}

// "user@host" at `text`: its length, else 0. Microsoft's is what tells WSL.
static size_t user_at_host(const char *text, size_t size) {
    size_t user = name_length(text, size);
    if (!user || user == size || text[user] != '@' || !strncmp(text, "Microsoft@", 10))
        return 0;
    size_t host = name_length(text + user + 1, size - user - 1);
    return host ? user + 1 + host : 0;
}

// Free text of the system, in which anything may stand.
static bool is_free_text(const char *path) {
    return ends_with(path, "/mountinfo") || ends_with(path, "/cgroup") || ends_with(path, "/version") ||
           ends_with(path, "/osrelease") || ends_with(path, "/environ");
}

static void clean(struct cleaner *cleaner, const char *data, size_t size, bool free_text, struct str *out) {
    size_t host = strlen(cleaner->host);
    for (size_t at = 0; at < size;) {
        bool fresh = at == 0 || !isalnum((unsigned char)data[at - 1]);
        size_t length = identifier(data + at, size - at);
        if (length && !is_class(data + at)) {
            add_stand_in(cleaner, data + at, length, out);
            at += length;
            continue;
        }
        if (length) {
            str_add_bytes(out, data + at, length);
            at += length;
            continue;
        }
        if (free_text && fresh && (length = ip_address(data + at, size - at)) != 0) {
            str_add(out, "0.0.0.0");
            at += length;
            continue;
        }
        if (free_text && fresh && (length = user_at_host(data + at, size - at)) != 0) {
            str_add(out, "user@host");
            at += length;
            continue;
        }
        if (free_text && fresh && host > 3 && size - at >= host && !memcmp(data + at, cleaner->host, host)) {
            str_add(out, "host");
            at += host;
            continue;
        }
        str_add_bytes(out, data + at++, 1);
    }
}

static int make_parents(int root, char *path) {
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdirat(root, path, 0755) && errno != EEXIST;
        *slash = '/';
        if (failed)
            return -1;
    }
    return 0;
}

static int write_file(int root, const char *path, const char *data, size_t size) {
    char *copy = mem_strdup(path);
    int fd = make_parents(root, copy) ? -1 : openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    free(copy);
    if (fd < 0)
        return -1;
    size_t done = 0;
    while (done < size) {
        ssize_t n = write(fd, data + done, size - done);
        if (n <= 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    return close(fd) || done < size ? -1 : 0;
}

// True if some other answer lies at or below `path`, so that it comes into being without being written itself.
static bool implied(const struct sysroot *root, const char *path) {
    size_t length = strlen(path);
    for (size_t i = 1; i < root->count; i++) {
        const struct sysroot_entry *entry = &root->entries[i];
        if (entry->error || strncmp(entry->path, path, length) != 0)
            continue;
        bool below = entry->path[length] == '/';
        bool same = !entry->path[length] && (entry->ask == ASK_READ || entry->ask == ASK_LINK);
        if (below || same)
            return true;
    }
    return false;
}

static bool is_directory(const struct sysroot *root, const char *path) {
    size_t length = strlen(path);
    for (size_t i = 1; i < root->count; i++)
        if (!root->entries[i].error && !strncmp(root->entries[i].path, path, length) &&
            root->entries[i].path[length] == '/')
            return true;
    return false;
}

static int write_clean(struct cleaner *cleaner, int dir, const char *path, const char *data, size_t size, bool binary) {
    struct str name = {0};
    struct str content = {0};
    clean(cleaner, path, strlen(path), false, &name);
    if (binary)
        str_add_bytes(&content, data, size);
    else
        clean(cleaner, data, size, is_free_text(path), &content);
    int failed = write_file(dir, str_text(&name), str_text(&content), content.length);
    str_free(&name);
    str_free(&content);
    return failed;
}

static int write_entry(struct cleaner *cleaner, const struct sysroot *root, int dir,
                       const struct sysroot_entry *entry) {
    int failed = 0;
    if (entry->ask == ASK_EXISTS && !implied(root, entry->path))
        failed |= write_clean(cleaner, dir, entry->path, "", 0, false);
    if (entry->ask == ASK_LIST) {
        for (size_t at = 0; at < entry->size; at += strlen(entry->data + at) + 1) {
            char *path = mem_printf("%s/%s", entry->path, entry->data + at);
            if (!implied(root, path))
                failed |= write_clean(cleaner, dir, path, "", 0, false);
            free(path);
        }
    }
    if ((entry->ask == ASK_READ || entry->ask == ASK_LINK) && !is_directory(root, entry->path)) {
        struct str content = {0};
        select_content(entry, &content);
        bool binary = memchr(str_text(&content), '\0', content.length) && !is_free_text(entry->path);
        bool wanted = content.length || !entry->size;
        if (wanted)
            failed |= write_clean(cleaner, dir, entry->path, str_text(&content), content.length, binary);
        str_free(&content);
    }
    return failed;
}

static int fail(struct error *err, const char *dir) {
    int error = errno;
    error_set(err, EXIT_CODE_INPUT, "write the evidence folder %s", dir);
    error_why(err, "%s", strerror(error));
    return error_remedy(err, "give the name of a folder that does not exist yet, in a folder that you may write to");
}

int detect_capture(const char *dir, bool timing, struct platform *out, struct error *err) {
    struct sysroot root;
    struct str leaves = {0};
    struct utsname name;
    struct cleaner cleaner = {0};
    *out = (struct platform){0};
    if (mkdir(dir, 0755))
        return fail(err, dir);
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(err, dir);
    if (!uname(&name))
        snprintf(cleaner.host, sizeof cleaner.host, "%s", name.nodename);
    sysroot_open_live(&root);
    detect_sysroot(&root, timing, out, &leaves);
    int failed = 0;
    for (size_t i = 1; i < root.count && !failed; i++)
        if (!root.entries[i].error)
            failed = write_entry(&cleaner, &root, fd, &root.entries[i]);
    if (!failed && leaves.length)
        failed = write_file(fd, "cpuid.txt", leaves.text, leaves.length);
    if (failed) {
        fail(err, dir);
        platform_free(out);
    }
    sysroot_close(&root);
    str_free(&leaves);
    free(cleaner.found);
    close(fd);
    return failed ? -1 : 0;
}
