// SPDX-License-Identifier: Apache-2.0
// Files that are written as a whole. See whole_file.h.
#include "core/whole_file.h"

#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Closes `fd`. 0, or -1 with errno.
static int write_and_close(int fd, const char *bytes, size_t size) {
    while (size) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            int why = errno;
            close(fd);
            errno = why;
            return -1;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return close(fd);
}

static int write_directly(const char *path, const void *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    return fd < 0 ? -1 : write_and_close(fd, bytes, size);
}

static mode_t usual_mode(void) {
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

// As the file that is replaced (NULL: there is none), as far as this user may and the file system can.
static void take_after(int fd, const struct stat *old) {
    if (old && fchown(fd, old->st_uid, old->st_gid))
        errno = 0; // then it is this user's
    if (fchmod(fd, old ? old->st_mode & 07777 : usual_mode()))
        errno = 0; // then nobody else reads it
}

// 0, or -1 with errno: then nothing is left of it.
static int write_and_rename(const char *path, const struct stat *old, const void *bytes, size_t size) {
    const char *slash = strrchr(path, '/');
    char *beside = mem_printf("%.*s.metalgap-XXXXXX", slash ? (int)(slash + 1 - path) : 0, path);
    int fd = mkostemp(beside, O_CLOEXEC);
    if (fd >= 0)
        take_after(fd, old);
    int result = fd < 0 || write_and_close(fd, bytes, size) || rename(beside, path) ? -1 : 0;
    int why = errno;
    if (result && fd >= 0)
        unlink(beside);
    free(beside);
    errno = why;
    return result;
}

// The folder does not let it be replaced, or it is mounted by itself (a container's volume).
static bool is_in_the_way(int error) {
    return error == EACCES || error == EPERM || error == EROFS || error == EBUSY;
}

static int write_whole(const char *path, const void *bytes, size_t size) {
    struct stat old;
    if (stat(path, &old))
        return write_and_rename(path, NULL, bytes, size);
    if (!S_ISREG(old.st_mode))
        return write_directly(path, bytes, size);
    char *target = realpath(path, NULL); // of a symbolic link the file, not the link, is replaced
    int result = target ? write_and_rename(target, &old, bytes, size) : -1;
    if (result && is_in_the_way(errno))
        result = write_directly(path, bytes, size);
    int why = errno;
    free(target);
    errno = why;
    return result;
}

int whole_file_write(const char *path, const char *what, const void *bytes, size_t size, struct error *err) {
    if (write_whole(path, bytes, size) == 0)
        return 0;
    int why = errno;
    error_set(err, EXIT_CODE_LACKS, "writing %s %s", what, path);
    error_why(err, "%s", strerror(why));
    return error_remedy(err, "name a file in a folder that is there, that you may write to and that has space");
}
