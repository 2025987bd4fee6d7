// SPDX-License-Identifier: Apache-2.0
// All ranks sum a vector of doubles with MPI_Allreduce, again and again: the pattern through which one late rank holds
// up all others. fom: microseconds for one call, averaged over the timed part, of the slowest rank. The sums are
// checked after it.
#include "bench/mpi/collective.h"

struct vectors {
    double *from;
    double *to;
    int count;
};

static void reduce(void *closure) {
    struct vectors *v = closure;
    MPI_Allreduce(v->from, v->to, v->count, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
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
    struct vectors v = {.count = (int)((options->bytes + sizeof(double) - 1) / sizeof(double))};
    v.from = mpi_buffer((size_t)v.count * sizeof *v.from);
    v.to = mpi_buffer((size_t)v.count * sizeof *v.to);
    for (int i = 0; i < v.count; i++)
        v.from[i] = (double)(rank + 1) * (i + 1);
    mpi_time_operation(reduce, &v, options, out);
    mpi_judge(sums_are_right(v.to, v.count, ranks), "a rank received a wrong sum", out);
    free(v.from);
    free(v.to);
}

int main(int argc, char **argv) {
    return mpi_collective(argc, argv, "allreduce", measure);
}
