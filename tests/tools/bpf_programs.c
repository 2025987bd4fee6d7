// SPDX-License-Identifier: Apache-2.0
// The eBPF programs that the kernel has loaded now, whoever loaded them: their names, one a line. Needs root.
// Usage: bpf_programs
#include <bpf/bpf.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    __u32 id = 0;
    while (bpf_prog_get_next_id(id, &id) == 0) {
        struct bpf_prog_info info = {0};
        __u32 size = sizeof info;
        int fd = bpf_prog_get_fd_by_id(id);
        if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
            puts(info.name);
        if (fd >= 0)
            close(fd);
    }
    return 0;
}
