// SPDX-License-Identifier: Apache-2.0
// Evidence files behind one interface: the live machine, a folder, or memory (tests, fuzzers). Reads are bounded, never
// block, never follow a link out of the folder, and are kept, so that a file is read once however many rules ask for
// it. May include: core.
#pragma once

#include "core/error.h"
#include "core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SYSROOT_FILE_MAX = 64 * 1024, SYSROOT_LIST_MAX = 512 };

// What a backend does. Paths are relative ("sys/class/dmi/id/sys_vendor"). Failures are negative errno values.
struct sysroot_ops {
    ssize_t (*read)(void *state, const char *path, char *out, size_t size); // bytes read
    ssize_t (*link)(void *state, const char *path, char *out, size_t size); // the target of a symbolic link
    int (*list)(void *state, const char *path, struct str *names);          // adds "name\0" per entry
    bool (*exists)(void *state, const char *path);
    void (*close)(void *state);
};

enum sysroot_ask { ASK_READ, ASK_LINK, ASK_LIST, ASK_EXISTS };

// One question that was asked, and its answer.
struct sysroot_entry {
    char *path;
    enum sysroot_ask ask;
    int error;   // 0, or a positive errno
    char *data;  // always terminated; for ASK_LIST names with a NUL after each
    size_t size; // bytes without the terminator
    size_t next; // chain of the hash table, 0: end
};

enum { SYSROOT_BUCKETS = 256 };

struct sysroot {
    const struct sysroot_ops *ops;
    void *state;
    bool live;                     // the machine we run on
    struct sysroot_entry *entries; // index 0 is unused
    size_t count, capacity, last;  // last: the entry that was asked for
    uint16_t buckets[SYSROOT_BUCKETS];
    char *buffer; // what a backend reads into
};

// The live machine. Never fails: what cannot be read is missing.
void sysroot_open_live(struct sysroot *root);

// A folder. -1 and `err` (code 3) if it is none.
int sysroot_open_folder(struct sysroot *root, const char *dir, struct error *err);

// A file of a memory sysroot. The memory is the caller's and must outlive the sysroot.
struct memory_file {
    const char *path;
    const char *data;
    size_t size;
};
void sysroot_open_memory(struct sysroot *root, const struct memory_file *files, size_t count);

void sysroot_close(struct sysroot *root);

// The texts below stay valid until sysroot_close().
// The content of a file, terminated; NULL if it cannot be read. `size` may be NULL.
const char *sysroot_read(struct sysroot *root, const char *path, size_t *size);

// The same without white space at both ends, copied (cut to `size`). False if it cannot be read.
bool sysroot_text(struct sysroot *root, const char *path, char *out, size_t size);

// The target of a symbolic link. In recorded evidence a link may be a plain file that holds its target. NULL if
// neither.
const char *sysroot_link(struct sysroot *root, const char *path);

bool sysroot_exists(struct sysroot *root, const char *path);

// Calls `each` for every name in a directory, at most SYSROOT_LIST_MAX of them. `each` may ask the sysroot.
void sysroot_list(struct sysroot *root, const char *path, void (*each)(void *context, const char *name), void *context);
