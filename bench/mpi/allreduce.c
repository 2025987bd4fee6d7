// SPDX-License-Identifier: Apache-2.0
// All ranks sum a vector of doubles with MPI_Allreduce, again and again: the pattern through which one late rank holds
// up all others. fom: microseconds for one call, averaged over the timed part, of the slowest rank. The sums are
// checked after it.
#include "bench/mpi/common.h"

static void reduce(const double *from, double *to, int count, uint64_t times) {
    for (uint64_t i = 0; i < times; i++)
        MPI_Allreduce(from, to, count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
}

// Rank r holds (r + 1) * (i + 1) at i, so that the sum is n (n + 1) / 2 * (i + 1): whole numbers, exact in a double.
static bool sums_are_right(const double *sums, int count, int ranks) {
    double factor = (double)ranks * (ranks + 1) / 2;
    for (int i = 0; i < count; i++)
        if (sums[i] != factor * (i + 1))
            return false;
    return true;
}

static void measure(int rank, int ranks, const struct mpi_options *options, struct mpi_outcome *out) {
    enum { WARM_UP = 50 };
    int count = (int)((options->bytes + sizeof(double) - 1) / sizeof(double));
    double *from = mpi_buffer((size_t)count * sizeof *from);
    double *to = mpi_buffer((size_t)count * sizeof *to);
    for (int i = 0; i < count; i++)
        from[i] = (double)(rank + 1) * (i + 1);
    reduce(from, to, count, WARM_UP);
    double begin = mpi_now_s();
    reduce(from, to, count, WARM_UP);
    uint64_t times = mpi_operations_per_step(options->seconds, (mpi_now_s() - begin) / WARM_UP);
    MPI_Barrier(MPI_COMM_WORLD);
    begin = mpi_now_s();
    double last = begin;
    for (int i = 0; i < MPI_STEPS; i++) {
        reduce(from, to, count, times);
        double now = mpi_now_s();
        out->steps_s[i] = now - last;
        last = now;
    }
    double wall_s = last - begin;
    int right = sums_are_right(to, count, ranks);
    int all_right = 0;
    MPI_Reduce(&wall_s, &out->wall_s, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    MPI_Reduce(&right, &all_right, 1, MPI_INT, MPI_MIN, 0, MPI_COMM_WORLD);
    out->fom = out->wall_s / (double)(times * MPI_STEPS) * 1e6;
    out->valid = all_right;
    out->why = all_right ? "" : "a rank received a wrong sum";
    free(from);
    free(to);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    struct mpi_options options = mpi_options(argc, argv);
    struct mpi_outcome outcome = {.program = "allreduce"};
    int rank;
    int ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    measure(rank, ranks, &options, &outcome);
    mpi_report(&outcome);
    MPI_Finalize();
    return 0;
}
