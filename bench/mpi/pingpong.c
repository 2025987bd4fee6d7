// SPDX-License-Identifier: Apache-2.0
// Two ranks send a message to and fro. fom: microseconds for one way, half a round trip, averaged over the whole timed
// part. Bandwidth is bytes / fom. Exactly two ranks. Each rank sends from one buffer and receives into another, as the
// OSU, IMB and HPCC ping-pongs do: with one buffer each message would be lines that the peer has just dirtied. After
// the timed part the echo is checked byte by byte.
#include "bench/mpi/common.h"

static void round_trips(int rank, const char *out, char *in, int bytes, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        if (rank == 0) {
            MPI_Send(out, bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD);
            MPI_Recv(in, bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        } else {
            MPI_Recv(in, bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            MPI_Send(out, bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD);
        }
    }
}

// Rank 0 sends a pattern, rank 1 adds one to each byte before it sends it back.
static bool echo_is_right(int rank, char *buffer, int bytes) {
    bool right = true;
    if (rank == 0) {
        for (int i = 0; i < bytes; i++)
            buffer[i] = (char)(i * 7);
        MPI_Send(buffer, bytes, MPI_BYTE, 1, 2, MPI_COMM_WORLD);
        MPI_Recv(buffer, bytes, MPI_BYTE, 1, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        for (int i = 0; i < bytes; i++)
            right = right && buffer[i] == (char)(i * 7 + 1);
    } else {
        MPI_Recv(buffer, bytes, MPI_BYTE, 0, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        for (int i = 0; i < bytes; i++)
            buffer[i] = (char)(buffer[i] + 1);
        MPI_Send(buffer, bytes, MPI_BYTE, 0, 2, MPI_COMM_WORLD);
    }
    return right;
}

static void measure(int rank, const struct mpi_options *options, struct mpi_outcome *out) {
    enum { WARM_UP = 50 };
    int bytes = (int)options->bytes;
    char *sent = mpi_buffer(options->bytes);
    char *received = mpi_buffer(options->bytes);
    round_trips(rank, sent, received, bytes, WARM_UP);
    double begin = mpi_now_s();
    round_trips(rank, sent, received, bytes, WARM_UP);
    uint64_t count = mpi_operations_per_step(options->seconds, (mpi_now_s() - begin) / WARM_UP);
    MPI_Barrier(MPI_COMM_WORLD);
    begin = mpi_now_s();
    double last = begin;
    for (int i = 0; i < MPI_STEPS; i++) {
        round_trips(rank, sent, received, bytes, count);
        double now = mpi_now_s();
        out->steps_s[i] = now - last;
        last = now;
    }
    out->wall_s = last - begin;
    out->fom = out->wall_s / (double)(count * MPI_STEPS) / 2 * 1e6;
    out->valid = echo_is_right(rank, received, bytes);
    out->why = out->valid ? "" : "the echoed message is not what was sent";
    free(sent);
    free(received);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    struct mpi_options options = mpi_options(argc, argv);
    struct mpi_outcome outcome = {.program = "pingpong"};
    int rank;
    int ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (ranks != 2) {
        if (rank == 0)
            fprintf(stderr, "pingpong needs two ranks, not %d\n", ranks);
        MPI_Finalize();
        return 2;
    }
    measure(rank, &options, &outcome);
    mpi_report(&outcome);
    MPI_Finalize();
    return 0;
}
