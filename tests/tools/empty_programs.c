// SPDX-License-Identifier: Apache-2.0
// eBPF programs that do nothing, on the tracepoints named, until a signal ends it: what being told of an event costs,
// before anything is done with it. Needs root.
// Usage: empty_programs TRACEPOINT... Says "attached" when they are; exits with 1 if one cannot be.
#include "core/memory.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    const struct bpf_insn program[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    for (int i = 1; i < argc; i++) {
        int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "empty", "GPL", program, ARRAY_LEN(program), NULL);
        if (fd < 0 || bpf_raw_tracepoint_open(argv[i], fd) < 0) {
            perror(argv[i]);
            return 1;
        }
    }
    puts("attached");
    fflush(stdout);
    pause();
    return 0;
}
