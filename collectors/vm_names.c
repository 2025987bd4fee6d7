// SPDX-License-Identifier: Apache-2.0
// Names of virtual machines. See vm_names.h.
#include "collectors/vm_names.h"

#include "core/memory.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENTS_MAX 65536

// A monitor, told by how its program's name begins, and the options that name a machine.
static const struct {
    const char *program;
    const char *options[3];
    const char *key; // the value is a list key=value,...: this key; without it, the value's first element
} monitors[] = {
    {"qemu", {"-name", "--name"}, "guest"},
    {"kvm", {"-name", "--name"}, "guest"}, // Debian's and Proxmox' wrapper of QEMU
    {"firecracker", {"--id"}, NULL},
    {"cloud-hypervisor", {"--api-socket"}, "path"}, // has no name: the socket's, as libvirt and others choose it
    {"crosvm", {"--name"}, NULL},
    {"lkvm", {"--name", "-n"}, NULL},
    {"kvmtool", {"--name", "-n"}, NULL},
};

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void copy_name(const char *from, size_t length, char *out, size_t size) {
    snprintf(out, size, "%.*s", (int)length, from);
}

// "guest=web1,debug-threads=on" or "web1,process=x". A comma inside a value is written twice.
static void from_list(const char *value, const char *key, char *out, size_t size) {
    size_t key_length = key ? strlen(key) : 0;
    const char *begin = value;
    for (const char *item = value; key && item; item = strchr(item, ',') ? strchr(item, ',') + 1 : NULL) {
        if (strncmp(item, key, key_length) == 0 && item[key_length] == '=') {
            begin = item + key_length + 1;
            break;
        }
    }
    size_t used = 0;
    for (const char *c = begin; *c && used + 1 < size; c++) {
        if (*c == ',' && key) {
            if (c[1] != ',')
                break;
            c++;
        }
        out[used++] = *c;
    }
    out[used] = '\0';
}

// The value of an option at this argument: "--id=x" or the next argument. NULL if it is another one.
static const char *value_of(const char *argument, const char *next, const char *option) {
    size_t length = strlen(option);
    if (strcmp(argument, option) == 0)
        return next;
    return strncmp(argument, option, length) == 0 && argument[length] == '=' && length > 2 ? argument + length + 1
                                                                                           : NULL;
}

static const char *next_argument(const char *argument, const char *end) {
    const char *next = argument + strlen(argument) + 1;
    return next < end ? next : NULL;
}

static bool find_option(size_t monitor, const char *first, const char *end, char *out, size_t size) {
    for (const char *a = first; a; a = next_argument(a, end)) {
        for (size_t i = 0; i < ARRAY_LEN(monitors[0].options) && monitors[monitor].options[i]; i++) {
            const char *value = value_of(a, next_argument(a, end), monitors[monitor].options[i]);
            if (!value || !*value)
                continue;
            from_list(value, monitors[monitor].key, out, size);
            return *out != '\0';
        }
    }
    return false;
}

void vm_name_from_arguments(const char *arguments, size_t length, char *out, size_t size) {
    out[0] = '\0';
    char *text = mem_alloc(length + 2); // ends with a NUL whatever the kernel gave
    memcpy(text, arguments, length);
    const char *program = base_name(text);
    for (size_t i = 0; i < ARRAY_LEN(monitors) && length; i++) {
        if (strncmp(program, monitors[i].program, strlen(monitors[i].program)) != 0)
            continue;
        if (!find_option(i, text, text + length, out, size))
            copy_name(program, strlen(program), out, size);
        else if (strchr(out, '/')) // a path, of a socket
            memmove(out, base_name(out), strlen(base_name(out)) + 1);
        break;
    }
    free(text);
}

static size_t read_proc(pid_t pid, const char *file, char *out, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, out, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    out[got > 0 ? got : 0] = '\0';
    return got > 0 ? (size_t)got : 0;
}

void vm_name_of_process(pid_t pid, char *out, size_t size) {
    char *arguments = mem_alloc(ARGUMENTS_MAX);
    size_t length = read_proc(pid, "cmdline", arguments, ARGUMENTS_MAX);
    vm_name_from_arguments(arguments, length, out, size);
    free(arguments);
    if (*out)
        return;
    char comm[64];
    read_proc(pid, "comm", comm, sizeof comm);
    copy_name(comm, strcspn(comm, "\n"), out, size);
}

static pid_t number(const char *text) {
    char *end;
    long value = strtol(text, &end, 10);
    return isdigit((unsigned char)*text) && *end == '\0' && value > 0 && value < 1L << 30 ? (pid_t)value : 0;
}

pid_t vm_find(const char *pid_or_name) {
    pid_t found = number(pid_or_name);
    if (found)
        return kill(found, 0) == 0 ? found : 0;
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    while (dir && found >= 0 && (entry = readdir(dir)) != NULL) {
        char name[VM_NAME_MAX];
        pid_t pid = number(entry->d_name);
        if (!pid || pid == getpid())
            continue;
        vm_name_of_process(pid, name, sizeof name);
        if (strcmp(name, pid_or_name) == 0)
            found = found ? -1 : pid;
    }
    if (dir)
        closedir(dir);
    return found;
}
