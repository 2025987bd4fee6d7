// SPDX-License-Identifier: Apache-2.0
// Our programs in which all ranks do the same operation again and again: their main(), and the timed part: warm up,
// find out how many operations make a step, time MPI_STEPS steps. May include: bench/mpi/common.h.
#pragma once

#include "bench/mpi/common.h"

// One operation of all ranks; `closure` is what the program keeps.
typedef void mpi_operation(void *closure);

// The late rank computes before each operation, as an injected cause of known size.
static inline void mpi_be_late(int rank, const struct mpi_options *o) {
    if (rank != o->late_rank)
        return;
    double until = mpi_now_s() + o->late_us * 1e-6;
    while (mpi_now_s() < until)
        ;
}

struct mpi_timed {
    mpi_operation *operation;
    void *closure;
    const struct mpi_options *options;
    int rank;
};

static inline void mpi_repeat_operation(void *closure, uint64_t times) {
    const struct mpi_timed *timed = closure;
    for (uint64_t i = 0; i < times; i++) {
        mpi_be_late(timed->rank, timed->options);
        timed->operation(timed->closure);
    }
}

// Fills steps_s, wall_s (the slowest rank's) and fom: microseconds for one operation. Collective.
static inline void mpi_time_operation(mpi_operation *operation, void *closure, const struct mpi_options *options,
                                      struct mpi_outcome *out) {
    struct mpi_timed timed = {operation, closure, options, 0};
    MPI_Comm_rank(MPI_COMM_WORLD, &timed.rank);
    uint64_t times = mpi_operations_per_step(options->seconds, mpi_repeat_operation, &timed, MPI_COMM_WORLD);
    MPI_Barrier(MPI_COMM_WORLD);
    double wall_s = mpi_time_steps(mpi_repeat_operation, &timed, times, out);
    MPI_Reduce(&wall_s, &out->wall_s, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    out->fom = out->wall_s / (double)(times * MPI_STEPS) * 1e6;
}

// `right` on every rank makes the outcome valid. Collective.
static inline void mpi_judge(bool right, const char *why, struct mpi_outcome *out) {
    int here = right;
    int everywhere = 0;
    MPI_Reduce(&here, &everywhere, 1, MPI_INT, MPI_MIN, 0, MPI_COMM_WORLD);
    out->valid = everywhere;
    out->why = everywhere ? "" : why;
}

// What such a program measures; collective.
typedef void mpi_measure(int rank, int ranks, const struct mpi_options *options, struct mpi_outcome *out);

// Its main().
static inline int mpi_collective(int argc, char **argv, const char *program, mpi_measure *measure) {
    MPI_Init(&argc, &argv);
    struct mpi_options options = mpi_options(argc, argv);
    struct mpi_outcome outcome = {.program = program};
    int rank;
    int ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    measure(rank, ranks, &options, &outcome);
    mpi_report(&outcome);
    MPI_Finalize();
    return 0;
}
