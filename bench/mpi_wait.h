// SPDX-License-Identifier: Apache-2.0
// How long the ranks of a job waited for each other, told by the library that is preloaded into them
// (bench/mpi/wait.c) in attribution samples. Rank 0 writes it into a file of the runner; where ranks have guards
// (bench/agent.h), into one without a name that rank 0's guard holds, which works on any machine. May include: core.
#pragma once

#include "core/observation.h"

#include <stdbool.h>
#include <sys/types.h>

struct mpi_wait_rank {
    int64_t rank;
    struct observation observation; // mpi.wait of this rank; its detail is the caller's
};

// What the library found in one sample; start with {0}.
struct mpi_wait {
    char *folder; // private; NULL: nobody asked
    char *file;   // in it, written by rank 0
    struct mpi_wait_rank *ranks;
    size_t count;
};

// Makes the place for the library's file. False if the library was not built or there is no place: then nothing is
// told.
bool mpi_wait_begin(struct mpi_wait *wait, const char *exec_dir);

// Reads the file and takes it away. Where rank 0 ran on another machine, or the program did not end through
// MPI_Finalize, there is none, and count stays 0. 0, or -1 with `err` (code 3): the file is not what it should be.
int mpi_wait_read(struct mpi_wait *wait, struct error *err);

// The observation of the whole job: seconds summed over the ranks, with a list of them as its detail. False: none.
bool mpi_wait_sum(const struct mpi_wait *wait, struct observation *out);

// The same from what the file of a guard holds, parsed.
int mpi_wait_take(const cJSON *doc, struct mpi_wait *wait, struct error *err);

void mpi_wait_end(struct mpi_wait *wait);

// Words for in front of a rank's program: "env", "LD_PRELOAD=...", "METALGAP_MPI_WAIT=file". Each is the caller's.
#define MPI_WAIT_WORDS 3
void mpi_wait_words(const char *exec_dir, const char *file, char *words[MPI_WAIT_WORDS]);

// --- for the guard of a rank ----------------------------------------------------------------------------------------

// The file without a name; -1: there is none. What it holds in the end, parsed; NULL without an error: nothing.
int mpi_wait_open(void);
cJSON *mpi_wait_from(int fd, struct error *err);

// In the process that becomes the rank: has the library, if it was built, write into the file that `guard` holds as fd.
void mpi_wait_preload(const char *exec_dir, pid_t guard, int fd);
