// SPDX-License-Identifier: Apache-2.0
// The benches there are. A new one is a file with a `const struct bench_ops` and one row here. See bench.h.
#include "bench/command.h"
#include "bench/kernels/kernels.h"

const struct bench_ops *const bench_registry[] = {
    &bench_null,  &bench_fwq, &bench_stream,  &bench_gups,        &bench_chase,
    &bench_traps, &bench_mpi, &bench_command, &bench_application, NULL,
};
