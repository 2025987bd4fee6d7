// SPDX-License-Identifier: Apache-2.0
// OpenMP threads bound one to a CPU. See kernels.h.
#include "bench/kernels/kernels.h"

#include <omp.h>

int kernel_cpu(const cpu_set_t *cpus, unsigned n) {
    int count = CPU_COUNT(cpus);
    if (count == 0)
        return -1;
    int skip = (int)(n % (unsigned)count);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, cpus) && skip-- == 0)
            return cpu;
    return -1;
}

void kernel_bind(const cpu_set_t *cpus, unsigned n) {
    int cpu = kernel_cpu(cpus, n);
    if (cpu < 0)
        return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one); // fails only for a CPU that went away: the thread then runs where it may
}

int kernel_threads_start(const struct bench_context *context, struct error *err) {
    int got = 0;
    omp_set_dynamic(0);
    omp_set_num_threads((int)context->threads);
#pragma omp parallel
    {
#pragma omp single
        got = omp_get_num_threads();
        kernel_bind(context->cpus, (unsigned)omp_get_thread_num());
    }
    if (got == (int)context->threads)
        return 0;
    error_set(err, EXIT_CODE_LACKS, "starting %u OpenMP threads", context->threads);
    error_why(err, "the system gives %d", got);
    return error_remedy(err, "raise OMP_THREAD_LIMIT and `ulimit -u`, or use fewer threads");
}
