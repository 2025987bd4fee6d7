// SPDX-License-Identifier: Apache-2.0
// What an exit costs a KVM host natively where kvm_entry alone is listened to, on machines whose KVM has no such event,
// too: the kernel itself runs the program (BPF_PROG_TEST_RUN) on this thread as if it were a vCPU, and its BPF
// statistics tell the time, one reading of its clock a run included. The vCPU is memory made up for it, laid out as
// this kernel's types say; what SVM has of it is added to them where they do not know it. Usage: kvm_entry_cost
// [EXITS]. Prints a line; exits with 77 where the program cannot be loaded.
#include "probes/kvm_host.h"
#include "probes/kvm_host.skel.h"

#include "collectors/probe.h"
#include "core/arch.h"
#include "core/memory.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_SKIPPED = 77, FAKE_ROW = KVM_CPUS / 2, VMCB_BYTES = 256 };

// CPUID, WRMSR of RCX, HLT, nested page fault and OUT of SVM, with what they come to access.
#define RCX 0x79
static const struct {
    uint32_t reason;
    uint64_t info, place;
} exits[] = {{0x72, 0, 0},
             {0x7c, 1, KVM_PLACE(KVM_PLACE_MSR, 1, RCX)},
             {0x78, 0, 0},
             {0x400, 0, 0},
             {0x7b, 0x3f80010, KVM_PLACE(KVM_PLACE_PORT, 1, 0x3f8)}};

struct lab {
    struct kvm_host_bpf *bpf;
    struct kvm_vcpu_state *vcpu; // the program's, mapped
    char *fake;                  // a struct vcpu_svm, and the vmcb behind it: the rows of CPUs that are not there
    uint64_t address;            // the kernel's of `fake`
    uint32_t tsc_at, rcx_at, vmcb_at, vmcb01_at, code_at, info_at, bytes;
};

// --- types ----------------------------------------------------------------------------------------------------------

static const struct btf_type *structure(const struct btf *btf, const char *name) {
    int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
    return id > 0 ? btf__type_by_id(btf, (unsigned)id) : NULL;
}

// In bytes. UINT32_MAX if there is no such member.
static uint32_t offset_of(const struct btf *btf, const char *name, const char *member) {
    const struct btf_type *type = structure(btf, name);
    for (unsigned i = 0; type && i < btf_vlen(type); i++)
        if (strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), member) == 0)
            return btf_member_bit_offset(type, i) / 8;
    return UINT32_MAX;
}

static void add_svm(struct btf *btf, uint32_t size) {
    int number = btf__add_int(btf, "fake_number", 4, 0);
    int wide = btf__add_int(btf, "fake_wide_number", 8, 0);
    int control = btf__add_struct(btf, "vmcb_control_area", VMCB_BYTES);
    btf__add_field(btf, "exit_code", number, 64 * 8, 0);
    btf__add_field(btf, "exit_info_1", wide, 72 * 8, 0);
    int vmcb = btf__add_struct(btf, "vmcb", VMCB_BYTES);
    btf__add_field(btf, "control", control, 0, 0);
    int pointer = btf__add_ptr(btf, vmcb);
    int info = btf__add_struct(btf, "kvm_vmcb_info", 8);
    btf__add_field(btf, "ptr", pointer, 0, 0);
    btf__add_struct(btf, "vcpu_svm", size + 16);
    btf__add_field(btf, "vmcb", pointer, size * 8, 0);
    btf__add_field(btf, "vmcb01", info, (size + 8) * 8, 0);
}

// This kernel's types with SVM's, in a file that is to be removed. False if they do not know a vCPU.
static bool write_types(struct lab *lab, char *path) {
    struct btf *btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);
    const struct btf_type *vcpu = btf ? structure(btf, "kvm_vcpu") : NULL;
    if (vcpu && !structure(btf, "vcpu_svm"))
        add_svm(btf, vcpu->size);
    uint32_t arch = offset_of(btf, "kvm_vcpu", "arch");
    uint32_t tsc = offset_of(btf, "kvm_vcpu_arch", "last_guest_tsc");
    lab->vmcb_at = offset_of(btf, "vcpu_svm", "vmcb");
    lab->vmcb01_at = offset_of(btf, "vcpu_svm", "vmcb01");
    lab->code_at = offset_of(btf, "vmcb_control_area", "exit_code");
    lab->info_at = offset_of(btf, "vmcb_control_area", "exit_info_1");
    uint32_t regs = offset_of(btf, "kvm_vcpu_arch", "regs");
    bool known = vcpu && arch != UINT32_MAX && tsc != UINT32_MAX && lab->vmcb_at != UINT32_MAX &&
                 lab->vmcb01_at != UINT32_MAX && lab->code_at < VMCB_BYTES && lab->info_at < VMCB_BYTES &&
                 regs != UINT32_MAX;
    lab->tsc_at = arch + tsc;
    lab->rcx_at = arch + regs + sizeof(uint64_t);
    lab->bytes = known ? structure(btf, "vcpu_svm")->size : 0;
    uint32_t size = 0;
    const void *raw = known ? btf__raw_data(btf, &size) : NULL;
    int fd = raw ? mkstemp(path) : -1;
    known = fd >= 0 && write(fd, raw, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    btf__free(btf);
    return known;
}

// --- the program and its vCPU ---------------------------------------------------------------------------------------

static int run(int fd, const uint64_t *arguments, size_t size) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = arguments, .ctx_size_in = (uint32_t)size);
    return bpf_prog_test_run_opts(fd, &options);
}

// Has the kernel write down where `fake` is, at its begin.
static int find_fake(struct lab *lab) {
    int map = bpf_map__fd(lab->bpf->maps.bss);
    const struct bpf_insn program[] = {
        {.code = BPF_LD | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map},
        {.imm = FAKE_ROW * (int)sizeof(struct kvm_cpu)},
        {.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_1},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "where", "GPL", program, ARRAY_LEN(program), NULL);
    uint64_t none = 0;
    int failed = fd < 0 || run(fd, &none, sizeof none);
    if (fd >= 0)
        close(fd);
    memcpy(&lab->address, lab->fake, sizeof lab->address);
    memset(lab->fake, 0, sizeof lab->address);
    return failed;
}

static int load(struct lab *lab, const char *types) {
    LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = types);
    struct bpf_program *program;
    uint32_t slot = 0;
    lab->bpf = kvm_host_bpf__open_opts(&options);
    if (!lab->bpf)
        return -1;
    lab->bpf->rodata->sees_switches = 1; // this thread stays where it is
    lab->bpf->rodata->exit_source = KVM_EXIT_IN_VMCB;
    lab->bpf->rodata->kvm_has_time = 1;
    bpf_object__for_each_program(program, lab->bpf->obj)
        bpf_program__set_autoload(program, program == lab->bpf->progs.on_kvm_entry_loads);
    if (kvm_host_bpf__load(lab->bpf) ||
        bpf_map_update_elem(bpf_map__fd(lab->bpf->maps.free_slots), NULL, &slot, BPF_ANY))
        return -1;
    lab->vcpu = mmap(NULL, sizeof *lab->vcpu, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(lab->bpf->maps.vcpus), 0);
    if (lab->vcpu == MAP_FAILED || lab->bytes + VMCB_BYTES > (KVM_CPUS - FAKE_ROW) * sizeof(struct kvm_cpu))
        return -1;
    lab->fake = (char *)&lab->bpf->bss->cpus[FAKE_ROW];
    if (find_fake(lab))
        return -1;
    uint64_t vmcb = lab->address + lab->bytes;
    memcpy(lab->fake + lab->vmcb_at, &vmcb, sizeof vmcb);
    memcpy(lab->fake + lab->vmcb01_at, &vmcb, sizeof vmcb);
    return 0;
}

static uint64_t monotonic_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// The guest is left now, by this one of `exits`, and entered again.
static int leave_and_enter(struct lab *lab, int fd, size_t which) {
    uint64_t ticks = arch_ticks();
    uint64_t arguments[2] = {lab->address, 0};
    uint64_t rcx = RCX;
    lab->vcpu->clock =
        (struct kvm_clock){.ticks = ticks, .ns = monotonic_ns(), .mult = 1ULL << 31, .until = UINT64_MAX};
    memcpy(lab->fake + lab->tsc_at, &ticks, sizeof ticks);
    memcpy(lab->fake + lab->rcx_at, &rcx, sizeof rcx);
    memcpy(lab->fake + lab->bytes + lab->code_at, &exits[which].reason, sizeof exits[which].reason);
    memcpy(lab->fake + lab->bytes + lab->info_at, &exits[which].info, sizeof exits[which].info);
    return run(fd, arguments, sizeof arguments);
}

// All exits but the first entry's, each with a time and with its place.
static bool all_told(const struct kvm_vcpu_state *v, long count) {
    uint64_t timed = 0;
    for (size_t i = 0; i < KVM_ROWS; i++)
        timed += v->rows[i].count - v->rows[i].untimed;
    if (timed != (uint64_t)count - 1)
        return false;
    for (size_t which = 0; which < ARRAY_LEN(exits); which++) {
        uint64_t accesses =
            exits[which].place ? ((uint64_t)count - which + ARRAY_LEN(exits) - 1) / ARRAY_LEN(exits) : 0;
        for (size_t i = 0; i < KVM_PLACES; i++)
            if (v->places[i].key && v->places[i].key == exits[which].place)
                accesses -= v->places[i].count;
        if (accesses)
            return false;
    }
    return true;
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 20000;
    char types[] = "/tmp/kvm_entry_cost.XXXXXX";
    struct lab lab = {0};
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((unsigned)sched_getcpu(), &cpus);
    bool known = write_types(&lab, types);
    int failed = !known || sched_setaffinity(0, sizeof cpus, &cpus) || load(&lab, types);
    if (known)
        unlink(types);
    if (failed) {
        fprintf(stderr, "kvm_entry_cost: the program of kvm_entry cannot be loaded here\n");
        kvm_host_bpf__destroy(lab.bpf);
        return EXIT_SKIPPED;
    }
    int fd = bpf_program__fd(lab.bpf->progs.on_kvm_entry_loads);
    int stats = probe_stats_on();
    failed = stats < 0;
    for (long i = 0; i < count && !failed; i++)
        failed = leave_and_enter(&lab, fd, (size_t)i % ARRAY_LEN(exits)) < 0;
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.run_cnt)
        printf("  %-26s %9lu runs %7.0f ns each\n", "on_kvm_entry_loads", (unsigned long)info.run_cnt,
               (double)info.run_time_ns / (double)info.run_cnt);
    if (!failed && !all_told(lab.vcpu, count)) {
        fprintf(stderr, "kvm_entry_cost: not all of the exits were timed, or not by their places\n");
        failed = 1;
    }
    if (stats >= 0)
        close(stats);
    kvm_host_bpf__destroy(lab.bpf);
    return failed;
}
