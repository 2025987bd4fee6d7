// SPDX-License-Identifier: Apache-2.0
// The memory of what was asked, common to all backends. See sysroot.h. May include: core.
#include "detect/sysroot.h"

#include "core/memory.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t bucket_of(const char *path, enum sysroot_ask ask) {
    uint32_t hash = 2166136261U + (uint32_t)ask; // FNV-1a
    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * 16777619U;
    return hash % SYSROOT_BUCKETS;
}

// Reads through the backend into `entry`.
static void ask_backend(struct sysroot *root, struct sysroot_entry *entry) {
    struct str names = {0};
    ssize_t got = 0;
    if (!root->buffer)
        root->buffer = mem_alloc(SYSROOT_FILE_MAX);
    switch (entry->ask) {
    case ASK_READ:
        got = root->ops->read(root->state, entry->path, root->buffer, SYSROOT_FILE_MAX);
        break;
    case ASK_LINK:
        got = root->ops->link(root->state, entry->path, root->buffer, 1024);
        break;
    case ASK_LIST:
        got = root->ops->list(root->state, entry->path, &names);
        break;
    case ASK_EXISTS:
        got = root->ops->exists(root->state, entry->path) ? 0 : -ENOENT;
        break;
    }
    if (got < 0) {
        entry->error = (int)-got;
        got = 0;
    }
    const char *from = entry->ask == ASK_LIST ? names.text : root->buffer;
    entry->size = entry->ask == ASK_LIST ? names.length : (size_t)got;
    entry->data = mem_alloc(entry->size + 1);
    if (entry->size)
        memcpy(entry->data, from, entry->size);
    str_free(&names);
}

static const struct sysroot_entry *ask(struct sysroot *root, const char *path, enum sysroot_ask question) {
    if (root->count && root->entries[root->last].ask == question && root->last &&
        !strcmp(root->entries[root->last].path, path))
        return &root->entries[root->last]; // rules about one file stand together
    size_t bucket = bucket_of(path, question);
    for (size_t i = root->buckets[bucket]; i; i = root->entries[i].next)
        if (root->entries[i].ask == question && !strcmp(root->entries[i].path, path)) {
            root->last = i;
            return &root->entries[i];
        }
    struct sysroot_entry entry = {.path = mem_strdup(path), .ask = question, .next = root->buckets[bucket]};
    ask_backend(root, &entry);
    if (!root->count) {
        struct sysroot_entry unused = {0};
        ARRAY_PUSH(root->entries, root->count, root->capacity, unused);
    }
    if (root->count < UINT16_MAX)
        root->buckets[bucket] = (uint16_t)root->count;
    ARRAY_PUSH(root->entries, root->count, root->capacity, entry);
    root->last = root->count - 1;
    return &root->entries[root->count - 1];
}

const char *sysroot_read(struct sysroot *root, const char *path, size_t *size) {
    const struct sysroot_entry *entry = ask(root, path, ASK_READ);
    if (size)
        *size = entry->size;
    return entry->error ? NULL : entry->data;
}

bool sysroot_text(struct sysroot *root, const char *path, char *out, size_t size) {
    const char *text = sysroot_read(root, path, NULL);
    *out = '\0';
    if (!text)
        return false;
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    if (length >= size)
        length = size - 1;
    memcpy(out, text, length);
    out[length] = '\0';
    return true;
}

const char *sysroot_link(struct sysroot *root, const char *path) {
    const struct sysroot_entry *entry = ask(root, path, ASK_LINK);
    if (!entry->error)
        return entry->data;
    if (root->live)
        return NULL;
    entry = ask(root, path, ASK_READ);
    if (entry->error || !entry->size || entry->size > 1024)
        return NULL;
    entry->data[strcspn(entry->data, "\r\n")] = '\0';
    return entry->data;
}

bool sysroot_exists(struct sysroot *root, const char *path) {
    return !ask(root, path, ASK_EXISTS)->error;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void sysroot_list(struct sysroot *root, const char *path, void (*each)(void *, const char *), void *context) {
    const struct sysroot_entry *entry = ask(root, path, ASK_LIST);
    const char *data = entry->data; // stays where it is, even if `each` makes the table grow
    const char *names[SYSROOT_LIST_MAX];
    size_t size = entry->size;
    size_t count = 0;
    for (size_t at = 0; at < size && count < SYSROOT_LIST_MAX; at += strlen(data + at) + 1)
        names[count++] = data + at;
    // cppcheck-suppress uninitvar ; it does not see that `count` of them are set
    qsort(names, count, sizeof names[0], by_name); // directories have an order of their own, verdicts must not
    for (size_t i = 0; i < count; i++)
        each(context, names[i]);
}

void sysroot_close(struct sysroot *root) {
    for (size_t i = 1; i < root->count; i++) {
        free(root->entries[i].path);
        free(root->entries[i].data);
    }
    free(root->entries);
    free(root->buffer);
    if (root->ops && root->ops->close)
        root->ops->close(root->state);
    *root = (struct sysroot){0};
}
