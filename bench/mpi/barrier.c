// SPDX-License-Identifier: Apache-2.0
// All ranks wait for each other in MPI_Barrier, again and again. fom: microseconds for one barrier, averaged over the
// timed part, of the slowest rank.
#include "bench/mpi/collective.h"

static void barrier(void *closure) {
    (void)closure;
    MPI_Barrier(MPI_COMM_WORLD);
}

// Nobody leaves a barrier before the last has come: rank 0 enters late, and by then all others must still be inside. A
// rank that lost its CPU between the two barriers waits for less, which proves nothing: then once more. A barrier that
// does not hold back never lets a rank wait for so long. Collective.
static bool it_holds_back(int rank) {
    enum { TRIES = 4 };
    const double late_s = 0.05;
    int all_held = 0;
    for (int i = 0; i < TRIES && !all_held; i++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double begin = mpi_now_s();
        while (rank == 0 && mpi_now_s() - begin < late_s)
            ;
        MPI_Barrier(MPI_COMM_WORLD);
        int held = mpi_now_s() - begin > late_s / 2;
        MPI_Allreduce(&held, &all_held, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    }
    return all_held;
}

static void measure(int rank, int ranks, const struct mpi_options *options, struct mpi_outcome *out) {
    (void)ranks;
    mpi_time_operation(barrier, NULL, options, out);
    mpi_judge(it_holds_back(rank), "a rank left the barrier before the last had come", out);
}

int main(int argc, char **argv) {
    return mpi_collective(argc, argv, "barrier", measure);
}
