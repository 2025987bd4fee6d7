// SPDX-License-Identifier: Apache-2.0
// Two ranks send a message to and fro. fom: microseconds for one way, half a round trip, averaged over the whole timed
// part. Bandwidth is bytes / fom. The two are the first and the last rank, which are on different nodes where there are
// several; those between sleep meanwhile. Each rank sends from one buffer and receives into another, as the
// OSU, IMB and HPCC ping-pongs do: with one buffer each message would be lines that the peer has just dirtied. After
// the timed part the echo is checked byte by byte.
#include "bench/mpi/common.h"

#include <unistd.h>

struct messages {
    MPI_Comm pair;
    int rank; // of the two
    int bytes;
    char *sent;
    char *received;
};

static void round_trips(void *closure, uint64_t count) {
    const struct messages *t = closure;
    for (uint64_t i = 0; i < count; i++) {
        if (t->rank == 0) {
            MPI_Send(t->sent, t->bytes, MPI_BYTE, 1, 1, t->pair);
            MPI_Recv(t->received, t->bytes, MPI_BYTE, 1, 1, t->pair, MPI_STATUS_IGNORE);
        } else {
            MPI_Recv(t->received, t->bytes, MPI_BYTE, 0, 1, t->pair, MPI_STATUS_IGNORE);
            MPI_Send(t->sent, t->bytes, MPI_BYTE, 0, 1, t->pair);
        }
    }
}

// Rank 0 sends a pattern, rank 1 adds one to each byte before it sends it back.
static bool echo_is_right(const struct messages *t) {
    char *buffer = t->received;
    bool right = true;
    if (t->rank == 0) {
        for (int i = 0; i < t->bytes; i++)
            buffer[i] = (char)(i * 7);
        MPI_Send(buffer, t->bytes, MPI_BYTE, 1, 2, t->pair);
        MPI_Recv(buffer, t->bytes, MPI_BYTE, 1, 2, t->pair, MPI_STATUS_IGNORE);
        for (int i = 0; i < t->bytes; i++)
            right = right && buffer[i] == (char)(i * 7 + 1);
    } else {
        MPI_Recv(buffer, t->bytes, MPI_BYTE, 0, 2, t->pair, MPI_STATUS_IGNORE);
        for (int i = 0; i < t->bytes; i++)
            buffer[i] = (char)(buffer[i] + 1);
        MPI_Send(buffer, t->bytes, MPI_BYTE, 0, 2, t->pair);
    }
    return right;
}

static void measure(int rank, MPI_Comm pair, const struct mpi_options *options, struct mpi_outcome *out) {
    struct messages messages = {pair, rank > 0, (int)options->bytes, mpi_buffer(options->bytes),
                                mpi_buffer(options->bytes)};
    uint64_t count = mpi_operations_per_step(options->seconds, round_trips, &messages, pair);
    MPI_Barrier(pair);
    out->wall_s = mpi_time_steps(round_trips, &messages, count, out);
    out->fom = out->wall_s / (double)(count * MPI_STEPS) / 2 * 1e6;
    out->valid = echo_is_right(&messages);
    out->why = out->valid ? "" : "the echoed message is not what was sent";
    free(messages.sent);
    free(messages.received);
}

// A barrier in which those who wait don't spin: they would heat the nodes of the two who measure.
static void meet_asleep(void) {
    MPI_Request request;
    int met = 0;
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    for (MPI_Test(&request, &met, MPI_STATUS_IGNORE); !met; MPI_Test(&request, &met, MPI_STATUS_IGNORE))
        usleep(1000);
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    struct mpi_options options = mpi_options(argc, argv);
    struct mpi_outcome outcome = {.program = "pingpong"};
    MPI_Comm pair;
    int rank;
    int ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (ranks < 2) {
        fprintf(stderr, "pingpong needs two ranks\n");
        MPI_Finalize();
        return 2;
    }
    bool measures = rank == 0 || rank == ranks - 1;
    MPI_Comm_split(MPI_COMM_WORLD, measures ? 0 : MPI_UNDEFINED, rank, &pair);
    if (measures)
        measure(rank, pair, &options, &outcome);
    meet_asleep();
    mpi_report(&outcome);
    MPI_Finalize();
    return 0;
}
