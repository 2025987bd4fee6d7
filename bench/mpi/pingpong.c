// SPDX-License-Identifier: Apache-2.0
// Two ranks send a message to and fro. fom: microseconds for one way, half a round trip, averaged over the whole timed
// part. Bandwidth is bytes / fom. Exactly two ranks. Each rank sends from one buffer and receives into another, as the
// OSU, IMB and HPCC ping-pongs do: with one buffer each message would be lines that the peer has just dirtied. After
// the timed part the echo is checked byte by byte.
#include "bench/mpi/common.h"

struct messages {
    int rank;
    int bytes;
    char *sent;
    char *received;
};

static void round_trips(void *closure, uint64_t count) {
    const struct messages *t = closure;
    for (uint64_t i = 0; i < count; i++) {
        if (t->rank == 0) {
            MPI_Send(t->sent, t->bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD);
            MPI_Recv(t->received, t->bytes, MPI_BYTE, 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        } else {
            MPI_Recv(t->received, t->bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            MPI_Send(t->sent, t->bytes, MPI_BYTE, 0, 1, MPI_COMM_WORLD);
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
    struct messages messages = {rank, (int)options->bytes, mpi_buffer(options->bytes), mpi_buffer(options->bytes)};
    uint64_t count = mpi_operations_per_step(options->seconds, round_trips, &messages);
    MPI_Barrier(MPI_COMM_WORLD);
    out->wall_s = mpi_time_steps(round_trips, &messages, count, out);
    out->fom = out->wall_s / (double)(count * MPI_STEPS) / 2 * 1e6;
    out->valid = echo_is_right(rank, messages.received, messages.bytes);
    out->why = out->valid ? "" : "the echoed message is not what was sent";
    free(messages.sent);
    free(messages.received);
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
