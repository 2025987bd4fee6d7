// SPDX-License-Identifier: Apache-2.0
// What pairing kvm_exit with kvm_entry costs a KVM host natively, on machines whose KVM has no such events, too: the
// kernel itself runs both programs (BPF_PROG_TEST_RUN) on this thread as if it were a vCPU, and its BPF statistics tell
// the time, one reading of its clock a run included. The reason comes as an argument, as up to Linux 5.16; since then
// reading it from KVM's structures comes on top.
// Usage: kvm_pair_cost [EXITS]. Prints a line a program; exits with 77 where eBPF programs cannot be loaded.
#include "probes/kvm_host.h"
#include "probes/kvm_host.skel.h"

#include "collectors/probe.h"

#include <bpf/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_SKIPPED = 77, SVM = 2 };

static const uint64_t reasons[] = {0x72, 0x7c, 0x78, 0x400}; // CPUID, MSR, HLT and nested page fault of SVM

static struct kvm_host_bpf *load(void) {
    struct kvm_host_bpf *bpf = kvm_host_bpf__open();
    struct bpf_program *program;
    uint32_t slot = 0;
    if (!bpf)
        return NULL;
    bpf->rodata->sees_switches = 1; // this thread stays where it is
    bpf->rodata->exit_source = KVM_EXIT_IN_ARGUMENT;
    bpf_object__for_each_program(program, bpf->obj) bpf_program__set_autoload(
        program, program == bpf->progs.on_kvm_exit_args || program == bpf->progs.on_kvm_entry);
    if (kvm_host_bpf__load(bpf) == 0 &&
        bpf_map_update_elem(bpf_map__fd(bpf->maps.free_slots), NULL, &slot, BPF_ANY) == 0)
        return bpf;
    kvm_host_bpf__destroy(bpf);
    return NULL;
}

static int run(int fd, const uint64_t *arguments, size_t size) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = arguments, .ctx_size_in = (uint32_t)size);
    return bpf_prog_test_run_opts(fd, &options);
}

static void print(const char *name, int fd) {
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.run_cnt)
        printf("  %-26s %9lu runs %7.0f ns each\n", name, (unsigned long)info.run_cnt,
               (double)info.run_time_ns / (double)info.run_cnt);
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 20000;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((unsigned)sched_getcpu(), &cpus);
    struct kvm_host_bpf *bpf = sched_setaffinity(0, sizeof cpus, &cpus) == 0 ? load() : NULL;
    if (!bpf) {
        fprintf(stderr, "kvm_pair_cost: the programs of kvm_exit and kvm_entry cannot be loaded here\n");
        return EXIT_SKIPPED;
    }
    int on_exit = bpf_program__fd(bpf->progs.on_kvm_exit_args);
    int on_entry = bpf_program__fd(bpf->progs.on_kvm_entry);
    int stats = probe_stats_on();
    int failed = stats < 0;
    for (long i = 0; i < count && !failed; i++) {
        uint64_t arguments[3] = {reasons[i % 4], 0, SVM};
        failed = run(on_exit, arguments, sizeof arguments) < 0 || run(on_entry, arguments, sizeof arguments) < 0;
    }
    print("on_kvm_exit_args", on_exit);
    print("on_kvm_entry", on_entry);
    if (stats >= 0)
        close(stats);
    kvm_host_bpf__destroy(bpf);
    return failed;
}
