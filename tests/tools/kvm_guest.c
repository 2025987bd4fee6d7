// SPDX-License-Identifier: Apache-2.0
// A virtual machine of a few instructions that leaves its guest N times in a chosen way, for tests of what a KVM host
// is told. It has no devices and no interrupts, so every exit beyond those of the host's own interrupts and of first
// touches of its memory is one of the N.
//
//   kvm_guest KIND N [SPIN]      KIND: a name of the table `kinds`; SPIN: turns of an empty loop between two exits
//
// Prints {"pid","kind","n","cpu_s","wall_s"}: CPU time of the vCPU thread and wall time of all of it. Exit code 4 where
// KVM does not run it.
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MEMORY   (4UL << 20)
#define CODE     0x8000UL
#define PORT     0x3f8  // each exit of kind out
#define END_PORT 0x3f9  // the program is through
#define NOWHERE  MEMORY // mapped by the guest, backed by nothing: MMIO

// The instructions of one turn. rcx counts turns, rdi holds SPIN, rsi NOWHERE; rax, rbx, rdx, r8, r9 are free.
static const struct kind {
    const char *name;
    uint8_t code[24];
    size_t length;
} kinds[] = {
    {"cpuid", {0x49, 0x89, 0xc8, 0x31, 0xc0, 0x0f, 0xa2, 0x4c, 0x89, 0xc1}, 10}, // mov r8,rcx; xor eax,eax; cpuid; back
    // Its host hears a knock (core/knock.h) with the last of the three: mov r8,rcx; mov r9,rdi; mov eax,KNOCK_LEAF+2;
    // mov edi,eax; cpuid; back, back
    {"knock",
     {0x49, 0x89, 0xc8, 0x49, 0x89, 0xf9, 0xb8, 0x02, 0x41, 0x47, 0x4d,
      0x89, 0xc7, 0x0f, 0xa2, 0x4c, 0x89, 0xcf, 0x4c, 0x89, 0xc1},
     21},
    {"out", {0xba, 0xf8, 0x03, 0, 0, 0xee}, 6}, // mov edx,3f8h; out dx,al
    {"hlt", {0xf4}, 1},
    {"msr", {0x49, 0x89, 0xc8, 0xb9, 0xfe, 0, 0, 0, 0x0f, 0x32, 0x4c, 0x89, 0xc1}, 13}, // rdmsr of MTRRcap
    {"mmio", {0x88, 0x06}, 2},                                                          // mov [rsi],al
    // Writes the microcode update's address, which KVM ignores: mov r8,rcx; mov ecx,79h; wrmsr; back
    {"wrmsr", {0x49, 0x89, 0xc8, 0xb9, 0x79, 0, 0, 0, 0x0f, 0x30, 0x4c, 0x89, 0xc1}, 13},
    {"vmcall", {0x0f, 0x01, 0xc1}, 3}, // Intel's alone
    // The next page from 2 MB on, which the host has to map first; there are 512: mov [200000h+r9],al; add r9,1000h
    {"touch", {0x41, 0x88, 0x81, 0, 0, 0x20, 0, 0x49, 0x81, 0xc1, 0, 0x10, 0, 0}, 14},
};

static int lacks(const char *what) {
    perror(what);
    return 4;
}

static uint8_t *emit(uint8_t *p, const void *bytes, size_t count) {
    memcpy(p, bytes, count);
    return p + count;
}

// loop: KIND; mov rbx,rdi; spin: dec rbx; jns spin; dec rcx; jnz loop; out END_PORT; hlt
static void write_program(uint8_t *memory, const struct kind *kind) {
    static const uint8_t spin[] = {0x48, 0x89, 0xfb, 0x48, 0xff, 0xcb, 0x79, 0xfb, 0x48, 0xff, 0xc9, 0x0f, 0x85};
    static const uint8_t end[] = {0xba, 0xf9, 0x03, 0, 0, 0xee, 0xf4};
    uint8_t *p = emit(memory + CODE, kind->code, kind->length);
    p = emit(p, spin, sizeof spin);
    int32_t back = (int32_t)(memory + CODE - (p + 4));
    p = emit(p, &back, sizeof back);
    emit(p, end, sizeof end);
}

// 64-bit mode with three pages of 2 MB mapped to themselves; the last one is NOWHERE.
static int set_registers(int vcpu, uint8_t *memory, uint64_t count, uint64_t spin) {
    uint64_t *top = (uint64_t *)(memory + 0x2000);
    uint64_t *middle = (uint64_t *)(memory + 0x3000);
    uint64_t *pages = (uint64_t *)(memory + 0x4000);
    top[0] = 0x3000 | 3;
    middle[0] = 0x4000 | 3;
    for (uint64_t i = 0; i < 3; i++)
        pages[i] = i << 21 | 0x83;
    struct kvm_sregs s;
    if (ioctl(vcpu, KVM_GET_SREGS, &s))
        return -1;
    s.cr3 = 0x2000;
    s.cr4 = 0x20;       // PAE
    s.cr0 = 0x80000033; // PG, NE, ET, MP, PE
    s.efer = 0x500;     // LMA, LME
    struct kvm_segment code = {.limit = 0xffffffff, .selector = 0x10, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data = {.limit = 0xffffffff, .selector = 0x18, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    s.cs = code;
    s.ds = s.es = s.fs = s.gs = s.ss = data;
    struct kvm_regs r = {
        .rip = CODE, .rflags = 2, .rcx = count, .rdi = spin, .rsi = NOWHERE, .rsp = 0x100000, .rax = 0};
    return ioctl(vcpu, KVM_SET_SREGS, &s) || ioctl(vcpu, KVM_SET_REGS, &r) ? -1 : 0;
}

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// Until the program says that it is through. 0, or -1 if KVM cannot go on.
static int drive(int vcpu, const struct kvm_run *run) {
    for (;;) {
        if (ioctl(vcpu, KVM_RUN, 0))
            return -1;
        if (run->exit_reason == KVM_EXIT_IO && run->io.port == END_PORT)
            return 0;
        if (run->exit_reason != KVM_EXIT_IO && run->exit_reason != KVM_EXIT_HLT && run->exit_reason != KVM_EXIT_MMIO) {
            fprintf(stderr, "kvm_guest: exit reason %u\n", run->exit_reason);
            return -1;
        }
    }
}

static int make_vm(uint8_t **memory, const struct kvm_run **run) {
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int vm = kvm >= 0 ? ioctl(kvm, KVM_CREATE_VM, 0) : -1;
    *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (vm < 0 || *memory == MAP_FAILED)
        return -1;
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY, .userspace_addr = (uintptr_t)*memory};
    ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000); // Intel needs it, others do not mind
    int vcpu = ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + 256 * sizeof cpuid->entries[0]);
    if (!cpuid || vcpu < 0)
        return -1;
    cpuid->nent = 256;
    int failed = ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) || ioctl(vcpu, KVM_SET_CPUID2, cpuid);
    free(cpuid);
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    *run = failed || size <= 0 ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    ioctl(vcpu, KVM_GET_STATS_FD, NULL); // for whoever watches us; left open, and not there before Linux 5.14
    return *run == MAP_FAILED ? -1 : vcpu;
}

static const struct kind *find_kind(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

int main(int argc, char **argv) {
    const struct kind *kind = argc >= 3 ? find_kind(argv[1]) : NULL;
    uint64_t count = kind ? strtoull(argv[2], NULL, 10) : 0;
    if (!count) {
        fprintf(stderr, "usage: kvm_guest cpuid|knock|out|hlt|msr|mmio|wrmsr|vmcall|touch N [SPIN]\n");
        return 2;
    }
    uint8_t *memory;
    const struct kvm_run *run;
    int vcpu = make_vm(&memory, &run);
    if (vcpu < 0)
        return lacks("kvm_guest: making a virtual machine");
    write_program(memory, kind);
    if (set_registers(vcpu, memory, count, argc > 3 ? strtoull(argv[3], NULL, 10) : 0))
        return lacks("kvm_guest: setting its registers");
    double wall = seconds(CLOCK_MONOTONIC);
    double cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    if (drive(vcpu, run))
        return lacks("kvm_guest: running it");
    printf("{\"pid\":%d,\"kind\":\"%s\",\"n\":%llu,\"cpu_s\":%.6f,\"wall_s\":%.6f}\n", (int)getpid(), kind->name,
           (unsigned long long)count, seconds(CLOCK_THREAD_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall);
    return 0;
}
