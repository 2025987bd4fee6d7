// SPDX-License-Identifier: Apache-2.0
// The MPI calls in which a rank may wait for others, as tables of macros. A row: name in C, name in Fortran, number of
// Fortran's arguments (the error code is the last), place of the communicator among them (0: none), parameters and
// arguments in C. Signatures: MPI: A Message-Passing Interface Standard, version 3.1. May include: nothing.
#pragma once

#define REDUCE_PARAMS const void *s, void *r, int n, MPI_Datatype t, MPI_Op o, MPI_Comm comm
#define EACH_PARAMS   const void *s, int n, MPI_Datatype t, void *r, int m, MPI_Datatype u, MPI_Comm comm
#define ROOT_PARAMS   const void *s, int n, MPI_Datatype t, void *r, int m, MPI_Datatype u, int root, MPI_Comm comm
#define COUNTS        const int *counts, const int *places

// Every rank of the communicator makes these calls in the same order, so that they can be compared call by call.
// clang-format off
#define COLLECTIVE_CALLS(ROW) \
    ROW(Barrier, barrier, 2, 1, (MPI_Comm comm), (comm)) \
    ROW(Bcast, bcast, 6, 5, (void *b, int n, MPI_Datatype t, int root, MPI_Comm comm), (b, n, t, root, comm)) \
    ROW(Reduce, reduce, 8, 7, (const void *s, void *r, int n, MPI_Datatype t, MPI_Op o, int root, MPI_Comm comm), (s, r, n, t, o, root, comm)) \
    ROW(Allreduce, allreduce, 7, 6, (REDUCE_PARAMS), (s, r, n, t, o, comm)) \
    ROW(Reduce_scatter_block, reduce_scatter_block, 7, 6, (REDUCE_PARAMS), (s, r, n, t, o, comm)) \
    ROW(Reduce_scatter, reduce_scatter, 7, 6, (const void *s, void *r, const int *n, MPI_Datatype t, MPI_Op o, MPI_Comm comm), (s, r, n, t, o, comm)) \
    ROW(Scan, scan, 7, 6, (REDUCE_PARAMS), (s, r, n, t, o, comm)) \
    ROW(Exscan, exscan, 7, 6, (REDUCE_PARAMS), (s, r, n, t, o, comm)) \
    ROW(Gather, gather, 9, 8, (ROOT_PARAMS), (s, n, t, r, m, u, root, comm)) \
    ROW(Scatter, scatter, 9, 8, (ROOT_PARAMS), (s, n, t, r, m, u, root, comm)) \
    ROW(Gatherv, gatherv, 10, 9, (const void *s, int n, MPI_Datatype t, void *r, COUNTS, MPI_Datatype u, int root, MPI_Comm comm), (s, n, t, r, counts, places, u, root, comm)) \
    ROW(Scatterv, scatterv, 10, 9, (const void *s, COUNTS, MPI_Datatype t, void *r, int m, MPI_Datatype u, int root, MPI_Comm comm), (s, counts, places, t, r, m, u, root, comm)) \
    ROW(Allgather, allgather, 8, 7, (EACH_PARAMS), (s, n, t, r, m, u, comm)) \
    ROW(Alltoall, alltoall, 8, 7, (EACH_PARAMS), (s, n, t, r, m, u, comm)) \
    ROW(Allgatherv, allgatherv, 9, 8, (const void *s, int n, MPI_Datatype t, void *r, COUNTS, MPI_Datatype u, MPI_Comm comm), (s, n, t, r, counts, places, u, comm)) \
    ROW(Alltoallv, alltoallv, 10, 9, (const void *s, COUNTS, MPI_Datatype t, void *r, const int *m, const int *q, MPI_Datatype u, MPI_Comm comm), (s, counts, places, t, r, m, q, u, comm)) \
    ROW(Alltoallw, alltoallw, 10, 9, (const void *s, COUNTS, const MPI_Datatype *t, void *r, const int *m, const int *q, const MPI_Datatype *u, MPI_Comm comm), (s, counts, places, t, r, m, q, u, comm))

// Between two ranks: only the time inside is known, and a part of it is the transfer.
#define POINT_TO_POINT_CALLS(ROW) \
    ROW(Recv, recv, 8, 0, (void *r, int n, MPI_Datatype t, int from, int tag, MPI_Comm comm, MPI_Status *status), (r, n, t, from, tag, comm, status)) \
    ROW(Sendrecv, sendrecv, 13, 0, (const void *s, int n, MPI_Datatype t, int to, int tag, void *r, int m, MPI_Datatype u, int from, int tag2, MPI_Comm comm, MPI_Status *status), (s, n, t, to, tag, r, m, u, from, tag2, comm, status)) \
    ROW(Sendrecv_replace, sendrecv_replace, 10, 0, (void *b, int n, MPI_Datatype t, int to, int tag, int from, int tag2, MPI_Comm comm, MPI_Status *status), (b, n, t, to, tag, from, tag2, comm, status)) \
    ROW(Probe, probe, 5, 0, (int from, int tag, MPI_Comm comm, MPI_Status *status), (from, tag, comm, status)) \
    ROW(Wait, wait, 3, 0, (MPI_Request *request, MPI_Status *status), (request, status)) \
    ROW(Waitall, waitall, 4, 0, (int n, MPI_Request *requests, MPI_Status *statuses), (n, requests, statuses)) \
    ROW(Waitany, waitany, 5, 0, (int n, MPI_Request *requests, int *which, MPI_Status *status), (n, requests, which, status)) \
    ROW(Waitsome, waitsome, 6, 0, (int n, MPI_Request *requests, int *m, int *which, MPI_Status *statuses), (n, requests, m, which, statuses))
// clang-format on
