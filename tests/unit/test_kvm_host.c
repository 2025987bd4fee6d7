// SPDX-License-Identifier: Apache-2.0
// The host's tables, names of virtual machines, KVM's files in debugfs.
#include "collectors/exit_reasons.h"
#include "collectors/kvm_debugfs.h"
#include "collectors/vm_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_reason(enum exit_isa isa, unsigned code, const char *name, enum cause cause) {
    char text[64];
    exit_reason_name(isa, code, text, sizeof text);
    assert_string_equal(text, name);
    assert_int_equal(exit_reason_cause(isa, code, KVM_KIND_PLAIN), cause);
}

static void test_reasons_by_instruction_set(void **state) {
    (void)state;
    assert_reason(EXIT_ISA_VMX, 0, "exception_nmi", CAUSE_EXIT_OTHER);
    assert_reason(EXIT_ISA_VMX, 10, "cpuid", CAUSE_EXIT_CPUID);
    assert_reason(EXIT_ISA_VMX, 48, "ept_violation", CAUSE_EXIT_STAGE2);
    assert_reason(EXIT_ISA_VMX, 49, "ept_misconfig", CAUSE_EXIT_MMIO);
    assert_reason(EXIT_ISA_VMX, 85, "msr_write_imm", CAUSE_EXIT_MSR);
    assert_reason(EXIT_ISA_SVM, 0x72, "cpuid", CAUSE_EXIT_CPUID);
    assert_reason(EXIT_ISA_SVM, 0x400, "npf", CAUSE_EXIT_STAGE2);
    assert_reason(EXIT_ISA_SVM, 0x403, "vmgexit", CAUSE_EXIT_HYPERCALL);
    assert_reason(EXIT_ISA_SVM, 0xffffffff, "invalid_guest_state", CAUSE_EXIT_OTHER);
    assert_reason(EXIT_ISA_SVM, 0x10, "write_cr0", CAUSE_EXIT_OTHER);
}

static void test_unknown_reasons_are_named_by_number(void **state) {
    (void)state;
    assert_reason(EXIT_ISA_VMX, 999, "vmx 999", CAUSE_EXIT_OTHER);
    assert_reason(EXIT_ISA_SVM, 0x3ff, "svm 0x3ff", CAUSE_EXIT_OTHER);
    // SEV-ES guests, Linux 6.18
    assert_reason(EXIT_ISA_SVM, 0x80000018, "vmgexit_snp_run_vmpl", CAUSE_EXIT_HYPERCALL);
    assert_reason(EXIT_ISA_SVM, 0x8000001a, "vmgexit_savic", CAUSE_EXIT_HYPERCALL);
    assert_reason(EXIT_ISA_UNKNOWN, 10, "code 0xa", CAUSE_EXIT_OTHER);
    assert_reason((enum exit_isa)77, 10, "code 0xa", CAUSE_EXIT_OTHER);
}

static void test_vmx_flags_are_no_part_of_the_reason(void **state) {
    (void)state;
    assert_reason(EXIT_ISA_VMX, 0x80000021, "invalid_state+failed_entry", CAUSE_EXIT_OTHER);
    assert_reason(EXIT_ISA_VMX, 0x04000000 | 10, "cpuid", CAUSE_EXIT_CPUID); // bus lock beside it
}

// Every code of both tables must be found again by binary search: the tables are sorted.
static void test_tables_are_sorted(void **state) {
    (void)state;
    unsigned named[3] = {0};
    for (int isa = EXIT_ISA_VMX; isa <= EXIT_ISA_SVM; isa++)
        for (unsigned code = 0; code < 0x500; code++) {
            char text[64];
            exit_reason_name((enum exit_isa)isa, code, text, sizeof text);
            named[isa] += strncmp(text, "vmx ", 4) != 0 && strncmp(text, "svm ", 4) != 0;
        }
    assert_true(named[EXIT_ISA_VMX] >= 75);
    assert_true(named[EXIT_ISA_SVM] >= 110);
}

static void test_what_an_exit_turned_out_to_be_decides_its_cause(void **state) {
    (void)state;
    assert_int_equal(exit_reason_cause(EXIT_ISA_SVM, 0x400, KVM_KIND_MMIO), CAUSE_EXIT_MMIO);
    assert_int_equal(exit_reason_cause(EXIT_ISA_SVM, 0x7c, KVM_KIND_TIMER), CAUSE_EXIT_TIMER);
    assert_int_equal(exit_reason_cause(EXIT_ISA_VMX, 32, KVM_KIND_IPI), CAUSE_EXIT_IPI);
    assert_int_equal(exit_reason_cause(EXIT_ISA_VMX, 44, KVM_KIND_EOI), CAUSE_EXIT_EOI);
    assert_int_equal(exit_reason_cause(EXIT_ISA_VMX, 49, KVM_KIND_KICK), CAUSE_EXIT_KICK);
}

static void test_returns_to_the_monitor(void **state) {
    (void)state;
    static const struct {
        unsigned reason;
        const char *name;
    } cases[] = {{2, "io"},
                 {5, "hlt"},
                 {6, "mmio"},
                 {24, "system_event"},
                 {KVM_USER_INTERRUPTED, "interrupted"},
                 {KVM_USER_ERROR, "error"},
                 {50, "kvm_exit 50"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        exit_user_reason_name(cases[i].reason, text, sizeof text);
        assert_string_equal(text, cases[i].name);
    }
}

static void test_names_of_virtual_machines(void **state) {
    (void)state;
#define ARGUMENTS(text) text, sizeof(text)
    static const struct {
        const char *arguments;
        size_t length;
        const char *name;
    } cases[] = {
        {ARGUMENTS("/usr/bin/qemu-system-x86_64\0-name\0guest=web1,debug-threads=on\0-S"), "web1"},
        {ARGUMENTS("qemu-system-x86_64\0-m\0512\0-name\0web2"), "web2"},
        {ARGUMENTS("qemu-system-x86_64\0-name\0debug-threads=on,guest=a,,b"), "a,b"},
        {ARGUMENTS("qemu-system-x86_64\0-m\0512"), "qemu-system-x86_64"},
        {ARGUMENTS("qemu-system-x86_64\0-name"), "qemu-system-x86_64"},
        {ARGUMENTS("/firecracker\0--id\0vm-7\0--seccomp-level\0"
                   "2"),
         "vm-7"},
        {ARGUMENTS("firecracker-v1.7\0--id=vm-8"), "vm-8"},
        {ARGUMENTS("cloud-hypervisor\0--api-socket\0path=/run/ch/db.sock"), "db.sock"},
        {ARGUMENTS("crosvm\0run\0--name\0box"), "box"},
        {ARGUMENTS("lkvm\0run\0-n\0small"), "small"},
        {ARGUMENTS("/bin/bash\0-name\0x"), ""},
        {"", 0, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[VM_NAME_MAX];
        vm_name_from_arguments(cases[i].arguments, cases[i].length, name, sizeof name);
        assert_string_equal(name, cases[i].name);
    }
}

static void test_a_long_name_is_cut(void **state) {
    (void)state;
    char name[8];
    vm_name_from_arguments(ARGUMENTS("firecracker\0--id\0abcdefghijkl"), name, sizeof name);
    assert_string_equal(name, "abcdefg");
}

static void test_a_process_that_is_not_there(void **state) {
    (void)state;
    assert_int_equal(vm_find("999999999"), 0);
    assert_int_equal(vm_find("no virtual machine has this name"), 0);
    char own[16];
    snprintf(own, sizeof own, "%d", (int)getpid());
    assert_int_equal(vm_find(own), getpid());
}

static void put(const char *folder, const char *file, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_tsc_offset_from_debugfs(void **state) {
    (void)state;
    char top[] = "/tmp/metalgap-test-XXXXXX";
    char folder[128];
    struct kvm_offset offset;
    assert_non_null(mkdtemp(top));
    kvm_offset_read_in(top, 77, 1, &offset);
    assert_false(offset.known);
    snprintf(folder, sizeof folder, "%s/77-11", top);
    mkdir(folder, 0700);
    snprintf(folder, sizeof folder, "%s/77-11/vcpu1", top);
    mkdir(folder, 0700);
    put(folder, "tsc-offset", "-123456789012345\n");
    kvm_offset_read_in(top, 77, 1, &offset);
    assert_true(offset.known);
    assert_true(offset.offset == -123456789012345LL);
    assert_true(offset.ratio == 1);
    put(folder, "tsc-scaling-ratio", "3221225472\n"); // 0.75 with 32 fractional bits
    put(folder, "tsc-scaling-ratio-frac-bits", "32\n");
    kvm_offset_read_in(top, 77, 1, &offset);
    assert_true(offset.ratio == 0.75);
    kvm_offset_read_in(top, 7, 1, &offset);
    assert_false(offset.known);
    static const char *const made[] = {"vcpu1/tsc-offset", "vcpu1/tsc-scaling-ratio",
                                       "vcpu1/tsc-scaling-ratio-frac-bits", "vcpu1", ""};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        snprintf(folder, sizeof folder, "%s/77-11/%s", top, made[i]);
        assert_int_equal(remove(folder), 0);
    }
    assert_int_equal(remove(top), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons_by_instruction_set),
        cmocka_unit_test(test_unknown_reasons_are_named_by_number),
        cmocka_unit_test(test_vmx_flags_are_no_part_of_the_reason),
        cmocka_unit_test(test_tables_are_sorted),
        cmocka_unit_test(test_what_an_exit_turned_out_to_be_decides_its_cause),
        cmocka_unit_test(test_returns_to_the_monitor),
        cmocka_unit_test(test_names_of_virtual_machines),
        cmocka_unit_test(test_a_long_name_is_cut),
        cmocka_unit_test(test_a_process_that_is_not_there),
        cmocka_unit_test(test_tsc_offset_from_debugfs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
