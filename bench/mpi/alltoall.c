// SPDX-License-Identifier: Apache-2.0
// Every rank sends a block of `bytes` to every rank with MPI_Alltoall, again and again: the transpose in the middle of
// a parallel Fourier transform. fom: microseconds for one call, averaged over the timed part, of the slowest rank. The
// blocks are checked after it.
#include "bench/mpi/collective.h"

struct blocks {
    char *from;
    char *to;
    int bytes; // of one block
};

static void exchange(void *closure) {
    struct blocks *b = closure;
    MPI_Alltoall(b->from, b->bytes, MPI_BYTE, b->to, b->bytes, MPI_BYTE, MPI_COMM_WORLD);
}

static char mark(int from, int to) {
    return (char)(from * 31 + to * 7 + 1);
}

static bool blocks_are_right(const struct blocks *b, int rank, int ranks) {
    for (int other = 0; other < ranks; other++)
        for (int i = 0; i < b->bytes; i++)
            if (b->to[(size_t)other * (size_t)b->bytes + (size_t)i] != mark(other, rank))
                return false;
    return true;
}

static void measure(int rank, int ranks, const struct mpi_options *options, struct mpi_outcome *out) {
    struct blocks b = {.bytes = (int)options->bytes};
    b.from = mpi_buffer(options->bytes * (size_t)ranks);
    b.to = mpi_buffer(options->bytes * (size_t)ranks);
    for (int other = 0; other < ranks; other++)
        memset(b.from + (size_t)other * options->bytes, mark(rank, other), options->bytes);
    mpi_time_operation(exchange, &b, options, out);
    mpi_judge(blocks_are_right(&b, rank, ranks), "a rank received a wrong block", out);
    free(b.from);
    free(b.to);
}

int main(int argc, char **argv) {
    return mpi_collective(argc, argv, "alltoall", measure);
}
