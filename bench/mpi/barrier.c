// SPDX-License-Identifier: Apache-2.0
// All ranks wait for each other in MPI_Barrier, again and again. fom: microseconds for one barrier, averaged over the
// timed part, of the slowest rank.
#include "bench/mpi/collective.h"

static void barrier(void *closure) {
    (void)closure;
    MPI_Barrier(MPI_COMM_WORLD);
}

// Nobody leaves a barrier before the last has come: rank 0 enters late, and by then all others must still be inside.
static bool it_holds_back(int rank) {
    const double late_s = 0.002;
    MPI_Barrier(MPI_COMM_WORLD);
    double begin = mpi_now_s();
    if (rank == 0)
        while (mpi_now_s() - begin < late_s)
            ;
    MPI_Barrier(MPI_COMM_WORLD);
    return mpi_now_s() - begin > late_s / 2;
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    struct mpi_options options = mpi_options(argc, argv);
    struct mpi_outcome outcome = {.program = "barrier"};
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    mpi_time_operation(barrier, NULL, &options, &outcome);
    mpi_judge(it_holds_back(rank), "a rank left the barrier before the last had come", &outcome);
    mpi_report(&outcome);
    MPI_Finalize();
    return 0;
}
