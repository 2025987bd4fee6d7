// SPDX-License-Identifier: Apache-2.0
// A sysroot in memory: tests and fuzzers. See sysroot.h. May include: core.
#include "detect/sysroot.h"

#include "core/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct memory {
    const struct memory_file *files;
    size_t count;
};

static ssize_t memory_read(void *state, const char *path, char *out, size_t size) {
    const struct memory *memory = state;
    for (size_t i = 0; i < memory->count; i++) {
        const struct memory_file *file = &memory->files[i];
        if (strcmp(file->path, path) != 0)
            continue;
        size_t count = file->size < size ? file->size : size;
        if (count)
            memcpy(out, file->data, count);
        return (ssize_t)count;
    }
    return -ENOENT;
}

// NOLINTNEXTLINE(readability-non-const-parameter): the signature is that of all backends
static ssize_t memory_link(void *state, const char *path, char *out, size_t size) {
    (void)state, (void)path, (void)out, (void)size;
    return -EINVAL; // links are plain files here
}

// The length of `path` if `file` lies below it, else 0.
static size_t below(const char *file, const char *path) {
    size_t length = strlen(path);
    return !strncmp(file, path, length) && file[length] == '/' ? length : 0;
}

static bool has_name(const struct str *names, const char *name, size_t length) {
    for (size_t at = 0; at < names->length; at += strlen(names->text + at) + 1)
        if (strlen(names->text + at) == length && !memcmp(names->text + at, name, length))
            return true;
    return false;
}

static int memory_list(void *state, const char *path, struct str *names) {
    const struct memory *memory = state;
    for (size_t i = 0; i < memory->count; i++) {
        size_t length = below(memory->files[i].path, path);
        if (!length)
            continue;
        const char *name = memory->files[i].path + length + 1;
        size_t size = strcspn(name, "/");
        if (!size || has_name(names, name, size))
            continue;
        str_add_bytes(names, name, size);
        str_add_bytes(names, "", 1);
    }
    return names->length ? 0 : -ENOENT;
}

static bool memory_exists(void *state, const char *path) {
    const struct memory *memory = state;
    for (size_t i = 0; i < memory->count; i++)
        if (!strcmp(memory->files[i].path, path) || below(memory->files[i].path, path))
            return true;
    return false;
}

static void memory_close(void *state) {
    free(state);
}

static const struct sysroot_ops memory_ops = {
    .read = memory_read, .link = memory_link, .list = memory_list, .exists = memory_exists, .close = memory_close};

void sysroot_open_memory(struct sysroot *root, const struct memory_file *files, size_t count) {
    struct memory *memory = mem_alloc(sizeof *memory);
    *memory = (struct memory){.files = files, .count = count};
    *root = (struct sysroot){.ops = &memory_ops, .state = memory};
}
