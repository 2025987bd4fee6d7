// SPDX-License-Identifier: Apache-2.0
// What our MPI programs share. Each prints one line of JSON from rank 0 when it is done:
//
//   {"metalgap_mpi":1,"program":"pingpong","fom":0.31,"wall_s":0.5,"valid":true,"why":"","steps_s":[...],
//    "ranks":[{"rank":0,"node":"n0","cpu":0},...]}
//
// fom is in the unit that the program's own head states, wall_s covers the timed part alone, steps_s are seconds per
// group of operations on rank 0, `cpu` is where the rank ran when the timed part was over.
// May include: the C library and MPI.
#pragma once

#include <mpi.h>

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MPI_STEPS 200 // groups of operations that are timed one by one

struct mpi_options {
    size_t bytes;   // message size
    double seconds; // how long to measure
    int late_rank;  // -1, or a rank that comes late to every operation
    double late_us; // by so much
};

struct mpi_outcome {
    const char *program;
    double fom;
    double wall_s;
    bool valid;
    const char *why;
    double steps_s[MPI_STEPS];
};

static inline double mpi_now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

__attribute__((noreturn)) static inline void mpi_usage(const char *program) {
    fprintf(stderr, "usage: mpirun -np N %s --bytes N --seconds N [--late-rank N --late-us N]\n", program);
    MPI_Abort(MPI_COMM_WORLD, 2);
    exit(2);
}

static inline struct mpi_options mpi_options(int argc, char **argv) {
    struct mpi_options o = {.bytes = 8, .seconds = 0.5, .late_rank = -1};
    for (int i = 1; i < argc; i += 2) {
        char *end = NULL;
        if (i + 1 < argc && strcmp(argv[i], "--bytes") == 0)
            o.bytes = strtoull(argv[i + 1], &end, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0)
            o.seconds = strtod(argv[i + 1], &end);
        else if (i + 1 < argc && strcmp(argv[i], "--late-rank") == 0)
            o.late_rank = (int)strtol(argv[i + 1], &end, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--late-us") == 0)
            o.late_us = strtod(argv[i + 1], &end);
        if (!end || end == argv[i + 1] || *end)
            mpi_usage(argv[0]);
    }
    if (o.bytes < 1 || o.bytes > (size_t)1 << 30 || !(o.seconds > 0 && o.seconds <= 3600) ||
        !(o.late_us >= 0 && o.late_us <= 1e6))
        mpi_usage(argv[0]);
    return o;
}

// Does the program's operation `times` times, on every rank.
typedef void mpi_repeat(void *closure, uint64_t times);

// The same number of operations a step on every rank of `ranks`, so that all steps together take about `seconds`. Warms
// up and finds out how long an operation takes, in ever longer trials until one has lasted a twentieth of the time: on
// a machine that others use, a few operations are no guide. Collective over `ranks`.
static inline uint64_t mpi_operations_per_step(double seconds, mpi_repeat *repeat, void *closure, MPI_Comm ranks) {
    enum { WARM_UP = 50 };
    double last = 0;
    uint64_t times = WARM_UP;
    repeat(closure, WARM_UP);
    for (;; times *= 4) {
        double begin = mpi_now_s();
        repeat(closure, times);
        last = mpi_now_s() - begin;
        MPI_Bcast(&last, 1, MPI_DOUBLE, 0, ranks);
        if (last >= seconds / 20)
            break;
    }
    double wanted = seconds / MPI_STEPS / last * (double)times;
    return wanted > 1 ? (uint64_t)wanted : 1;
}

// Times MPI_STEPS steps on this rank. Returns the seconds of all together.
static inline double mpi_time_steps(mpi_repeat *repeat, void *closure, uint64_t times, struct mpi_outcome *out) {
    double begin = mpi_now_s();
    double last = begin;
    for (int i = 0; i < MPI_STEPS; i++) {
        repeat(closure, times);
        double now = mpi_now_s();
        out->steps_s[i] = now - last;
        last = now;
    }
    return last - begin;
}

static inline void *mpi_buffer(size_t bytes) {
    void *buffer = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!buffer) {
        fprintf(stderr, "%zu bytes of memory were refused\n", bytes);
        MPI_Abort(MPI_COMM_WORLD, 4);
        exit(4);
    }
    memset(buffer, 0, bytes);
    return buffer;
}

struct mpi_place {
    int cpu;
    char node[256];
};

// Gathers where the ranks are and prints the line on rank 0. Collective. JSON has no infinities; fom is finite here.
static inline void mpi_report(const struct mpi_outcome *o) {
    int rank;
    int ranks;
    struct mpi_place here = {.cpu = sched_getcpu()};
    int length = 0;
    char name[MPI_MAX_PROCESSOR_NAME];
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Get_processor_name(name, &length);
    snprintf(here.node, sizeof here.node, "%s", name);
    for (char *c = here.node; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
            *c = '?';
    struct mpi_place *places = mpi_buffer((size_t)ranks * sizeof *places);
    MPI_Gather(&here, sizeof here, MPI_BYTE, places, sizeof here, MPI_BYTE, 0, MPI_COMM_WORLD);
    if (rank == 0) {
        printf(
            "{\"metalgap_mpi\":1,\"program\":\"%s\",\"fom\":%.9g,\"wall_s\":%.9g,\"valid\":%s,\"why\":\"%s\","
            "\"steps_s\":[",
            o->program, o->fom, o->wall_s, o->valid ? "true" : "false", o->why ? o->why : "");
        for (int i = 0; i < MPI_STEPS; i++)
            printf("%s%.9g", i ? "," : "", o->steps_s[i]);
        printf("],\"ranks\":[");
        for (int i = 0; i < ranks; i++)
            printf("%s{\"rank\":%d,\"node\":\"%s\",\"cpu\":%d}", i ? "," : "", i, places[i].node, places[i].cpu);
        printf("]}\n");
        fflush(stdout);
    }
    free(places);
}
