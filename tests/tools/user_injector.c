// SPDX-License-Identifier: Apache-2.0
// A fixed amount of arithmetic with a chosen number of exits in it: the two halves of a pair whose difference is known
// to be these exits. Usage: user_injector KIND COUNT TOTAL
//   cpuid, hypercall   TOTAL blocks of some 20 us of arithmetic, and COUNT of that instruction, spread evenly
//   ipi                the same with memory barriers that interrupt a process on another CPU: one that was started as
//   peer               which spins until it is killed (COUNT and TOTAL do not matter)
//   neighbour          TOTAL blocks while the process COUNT, which is stopped before and after, runs
// Exits with 77 where the kind does not exist.
#include "core/arch.h"

#include <linux/membarrier.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void compute(void) {
    uint64_t x = 88172645463325252U;
    for (int i = 0; i < 16000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    __asm__ volatile("" ::"r"(x));
}

static void none(void) {}

static void interrupt_peers(void) {
    syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
}

// Without PAUSE, which may leave the guest.
static int be_peer(void) {
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) < 0)
        return 77;
    for (;;)
        compute();
}

#if defined(__x86_64__)
// Its results are not stored: what follows an exit finds caches cold, and that is not the exit.
static void cpuid(void) {
    unsigned leaf = 0;
    unsigned subleaf = 0;
    __asm__ volatile("cpuid" : "+a"(leaf), "+c"(subleaf)::"rbx", "rdx", "memory");
}

// An unknown call: the hypervisor returns an error. Intel and AMD have an instruction each.
static void intel_hypercall(void) {
    long number = -1;
    __asm__ volatile("vmcall" : "+a"(number)::"memory");
}

static void amd_hypercall(void) {
    long number = -1;
    __asm__ volatile("vmmcall" : "+a"(number)::"memory");
}

static void (*find(const char *kind))(void) {
    struct arch_cpuid r;
    arch_cpuid(0, 0, &r);
    if (strcmp(kind, "cpuid") == 0)
        return cpuid;
    if (strcmp(kind, "hypercall") == 0)
        return r.ebx == 0x756e6547 ? intel_hypercall : amd_hypercall; // "Genu"
    return strcmp(kind, "ipi") == 0 ? interrupt_peers : NULL;
}
#else
static void (*find(const char *kind))(void) {
    return strcmp(kind, "ipi") == 0 ? interrupt_peers : NULL;
}
#endif

static void not_here(int number) {
    (void)number;
    _exit(77);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: user_injector cpuid|hypercall|ipi|peer|neighbour COUNT TOTAL\n");
        return 2;
    }
    if (strcmp(argv[1], "peer") == 0)
        return be_peer();
    const bool neighbour = strcmp(argv[1], "neighbour") == 0;
    const unsigned long count = strtoul(argv[2], NULL, 10);
    const unsigned long total = strtoul(argv[3], NULL, 10);
    signal(SIGILL, not_here);
    void (*run)(void) = neighbour ? none : find(argv[1]);
    if (!run)
        not_here(0);
    if (neighbour && count)
        kill((pid_t)count, SIGCONT);
    unsigned long done = 0;
    for (unsigned long i = 0; i < total; i++) {
        compute();
        for (; !neighbour && done * total < (i + 1) * count; done++)
            run();
    }
    if (neighbour && count)
        kill((pid_t)count, SIGSTOP);
    return 0;
}
