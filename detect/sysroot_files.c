// SPDX-License-Identifier: Apache-2.0
// The two sysroots that are directories: the live machine and a folder of recorded evidence. See sysroot.h.
// A folder may come from anyone: its links stay inside it (RESOLVE_IN_ROOT), and only regular files are opened, since
// opening a device has effects. May include: core.
#include "detect/sysroot.h"

#include "core/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

struct folder {
    int fd;
    bool live;
};

// Opens a path below the folder. On the live machine the paths are constants and the links are the kernel's.
static int open_below(const struct folder *folder, const char *path, int flags) {
    flags |= flags & O_PATH ? O_CLOEXEC : O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    if (folder->live)
        return openat(folder->fd, path, flags);
    struct open_how how = {.flags = (uint64_t)flags, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, folder->fd, path, &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) // before Linux 5.6, or a seccomp filter
        fd = openat(folder->fd, path, flags | O_NOFOLLOW);
    return fd;
}

static bool is_regular(const struct folder *folder, const char *path) {
    if (folder->live)
        return true; // constants below sys and proc: no devices
    int fd = open_below(folder, path, O_PATH);
    if (fd < 0)
        return false;
    struct stat st;
    bool regular = !fstat(fd, &st) && S_ISREG(st.st_mode);
    close(fd);
    return regular;
}

// A model-specific register, as eight bytes. Asked for as "msr/NUMBER"; recorded folders hold it as such a file.
static ssize_t read_msr(const struct folder *folder, const char *number, char *out) {
    int fd = open_below(folder, "dev/cpu/0/msr", O_RDONLY);
    if (fd < 0)
        return -errno;
    ssize_t got = pread(fd, out, 8, (off_t)strtoull(number, NULL, 16));
    int error = errno;
    close(fd);
    return got < 0 ? -error : got;
}

// The architecture, which recorded folders hold as a file.
static ssize_t read_machine(char *out, size_t size) {
    struct utsname name;
    return uname(&name) ? -ENOENT : (ssize_t)snprintf(out, size, "%s\n", name.machine);
}

static ssize_t folder_read(void *state, const char *path, char *out, size_t size) {
    const struct folder *folder = state;
    if (folder->live && !strncmp(path, "msr/", 4))
        return read_msr(folder, path + 4, out);
    if (folder->live && strcmp(path, "uname_m.txt") == 0)
        return read_machine(out, size);
    if (!is_regular(folder, path))
        return -ENOENT;
    int fd = open_below(folder, path, O_RDONLY);
    if (fd < 0)
        return -errno;
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, out + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && !got) {
            int error = errno;
            close(fd);
            return -error;
        }
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    close(fd);
    return (ssize_t)got;
}

static ssize_t folder_link(void *state, const char *path, char *out, size_t size) {
    const struct folder *folder = state;
    ssize_t got;
    if (folder->live) {
        got = readlinkat(folder->fd, path, out, size);
    } else {
        int fd = open_below(folder, path, O_PATH | O_NOFOLLOW);
        if (fd < 0)
            return -errno;
        got = readlinkat(fd, "", out, size);
        int error = errno;
        close(fd);
        errno = error;
    }
    return got < 0 ? -errno : got;
}

static int folder_list(void *state, const char *path, struct str *names) {
    int fd = open_below(state, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return -errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return -ENOMEM;
    }
    size_t count = 0;
    for (const struct dirent *entry; count < SYSROOT_LIST_MAX && (entry = readdir(dir)); count++)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            str_add_bytes(names, entry->d_name, strlen(entry->d_name) + 1);
    closedir(dir);
    return 0;
}

static bool folder_exists(void *state, const char *path) {
    const struct folder *folder = state;
    if (folder->live)
        return !faccessat(folder->fd, path, F_OK, 0);
    int fd = open_below(folder, path, O_PATH);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void folder_close(void *state) {
    close(((struct folder *)state)->fd);
    free(state);
}

static const struct sysroot_ops folder_ops = {
    .read = folder_read, .link = folder_link, .list = folder_list, .exists = folder_exists, .close = folder_close};

static void start(struct sysroot *root, int fd, bool live) {
    struct folder *folder = mem_alloc(sizeof *folder);
    *folder = (struct folder){.fd = fd, .live = live};
    *root = (struct sysroot){.ops = &folder_ops, .state = folder, .live = live};
}

void sysroot_open_live(struct sysroot *root) {
    start(root, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), true);
}

int sysroot_open_folder(struct sysroot *root, const char *dir, struct error *err) {
    *root = (struct sysroot){0};
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        error_set(err, EXIT_CODE_INPUT, "read the evidence folder %s", dir);
        error_why(err, "%s", strerror(errno));
        return error_remedy(err, "give a folder as 'metalgap detect --capture' writes it (sys, proc, cpuid.txt)");
    }
    start(root, fd, false);
    return 0;
}
