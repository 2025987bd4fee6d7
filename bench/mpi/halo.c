// SPDX-License-Identifier: Apache-2.0
// Each rank of a periodic three-dimensional grid exchanges faces of `bytes` with its six neighbours, all at once with
// MPI_Isend, MPI_Irecv and MPI_Waitall: what a stencil code does between two steps. fom: microseconds for one exchange,
// averaged over the timed part, of the slowest rank. The faces are checked after it.
#include "bench/mpi/collective.h"

enum { FACES = 6 }; // down and up in each dimension; a neighbour's opposite face is face ^ 1

struct halo {
    MPI_Comm grid;
    int neighbour[FACES];
    char *out[FACES];
    char *in[FACES];
    int bytes;
};

static void exchange(void *closure) {
    struct halo *h = closure;
    MPI_Request requests[2 * FACES];
    for (int face = 0; face < FACES; face++) // what comes in here left the neighbour through the opposite face
        MPI_Irecv(h->in[face], h->bytes, MPI_BYTE, h->neighbour[face], face ^ 1, h->grid, &requests[face]);
    for (int face = 0; face < FACES; face++)
        MPI_Isend(h->out[face], h->bytes, MPI_BYTE, h->neighbour[face], face, h->grid, &requests[FACES + face]);
    MPI_Waitall(2 * FACES, requests, MPI_STATUSES_IGNORE);
}

static char mark(int rank, int face) {
    return (char)(rank * 6 + face + 1);
}

static void open_grid(struct halo *h, int ranks, size_t bytes) {
    int sizes[3] = {0, 0, 0};
    int periodic[3] = {1, 1, 1};
    int rank;
    h->bytes = (int)bytes;
    MPI_Dims_create(ranks, 3, sizes);
    MPI_Cart_create(MPI_COMM_WORLD, 3, sizes, periodic, 0, &h->grid);
    MPI_Comm_rank(h->grid, &rank);
    for (int face = 0; face < FACES; face += 2)
        MPI_Cart_shift(h->grid, face / 2, 1, &h->neighbour[face], &h->neighbour[face + 1]);
    for (int face = 0; face < FACES; face++) {
        h->in[face] = mpi_buffer(bytes);
        h->out[face] = mpi_buffer(bytes);
        memset(h->out[face], mark(rank, face), bytes);
    }
}

static bool faces_are_right(const struct halo *h) {
    for (int face = 0; face < FACES; face++)
        for (int i = 0; i < h->bytes; i++)
            if (h->in[face][i] != mark(h->neighbour[face], face ^ 1))
                return false;
    return true;
}

static void close_grid(struct halo *h) {
    for (int face = 0; face < FACES; face++) {
        free(h->in[face]);
        free(h->out[face]);
    }
    MPI_Comm_free(&h->grid);
}

static void measure(int rank, int ranks, const struct mpi_options *options, struct mpi_outcome *out) {
    struct halo halo;
    (void)rank; // the grid may number them anew
    open_grid(&halo, ranks, options->bytes);
    mpi_time_operation(exchange, &halo, options, out);
    mpi_judge(faces_are_right(&halo), "a rank received a wrong face", out);
    close_grid(&halo);
}

int main(int argc, char **argv) {
    return mpi_collective(argc, argv, "halo", measure);
}
