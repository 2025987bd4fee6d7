// SPDX-License-Identifier: Apache-2.0
// What recording a KVM host costs per event: runs a command while its programs are attached and the kernel's BPF
// statistics are on, and prints each program's runs and ns (which include one reading of the kernel's clock).
// Usage: kvm_host_cost COMMAND [ARG...]. Exits with 77 where a host cannot be recorded.
#include "collectors/kvm_host.h"
#include "collectors/probe.h"
#include "core/memory.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(char **argv) {
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[0], argv);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

int main(int argc, char **argv) {
    struct collector_status status;
    struct kvm_host_cost before[32];
    struct kvm_host_cost after[32];
    if (argc < 2) {
        fprintf(stderr, "usage: kvm_host_cost COMMAND [ARG...]\n");
        return 2;
    }
    struct kvm_host *host = kvm_host_open(0, &status);
    if (!host) {
        fprintf(stderr, "kvm_host_cost: %s\n", status.reason);
        return 77;
    }
    int stats = probe_stats_on();
    size_t count = kvm_host_costs(host, before, ARRAY_LEN(before));
    int failed = stats < 0 ? -1 : run(argv + 1);
    kvm_host_costs(host, after, ARRAY_LEN(after));
    for (size_t i = 0; i < count && i < ARRAY_LEN(after); i++) {
        uint64_t runs = after[i].runs - before[i].runs;
        if (runs)
            printf("  %-26s %9lu runs %7.0f ns each\n", after[i].program, (unsigned long)runs,
                   (double)(after[i].run_ns - before[i].run_ns) / (double)runs);
    }
    if (stats >= 0)
        close(stats);
    kvm_host_close(host);
    return failed ? 1 : 0;
}
