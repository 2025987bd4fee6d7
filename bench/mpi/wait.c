// SPDX-License-Identifier: Apache-2.0
// A library that is preloaded into an MPI program and measures how long each rank waits for the others: who was late,
// and how much that cost. The program is not recompiled.
//
//   env LD_PRELOAD=.../libmetalgap-wait.so METALGAP_MPI_WAIT=FILE program
//
// Collective calls on the whole job are compared call by call: the rank that spends the least time inside came last,
// and what the others spend more is their waiting. The comparison is made in MPI_Finalize; until then a call costs two
// looks at the clock and four bytes. Other communicators, and calls between two ranks, are only summed up per rank.
// FILE is written by rank 0, one line of JSON:
//
//   {"metalgap_mpi_wait":1,"calls":1000,"compared":1000,
//    "ranks":[{"rank":0,"node":"n0","wait_s":0.1,"late":3,"caused_s":0.2,"group_s":0.0,"point_s":0.5}, ...]}
//
// calls: collective calls on the whole job; compared: of these, the ones that were compared (the first CALLS_MAX);
// wait_s: seconds that this rank waited in them; late: in how many it was the last to come; caused_s: what the others
// together waited in those; group_s: seconds inside collective calls on other communicators; point_s: seconds inside
// calls between two ranks, transfer included.
//
// Fortran: Debian's bindings call PMPI_... directly, so their own symbols are wrapped, too: mpi_..._ (mpif.h and the
// module mpi) and ompi_..._f, which the module mpi_f08 calls.
// May include: the C library, MPI, wait_calls.h.
#include "bench/mpi/wait_calls.h"

#include <dlfcn.h>
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define CALLS_MAX (4U << 20) // 16 MiB a rank, touched only as far as they are needed
#define CHUNK     65536      // calls that are compared at a time

struct totals {
    uint64_t calls; // collective, on the whole job
    double group_s;
    double point_s;
};

// The library has no object that a caller could hand in: the state of the process that it is loaded into.
static struct totals totals;
static float *durations; // seconds inside each of the first CALLS_MAX calls

__attribute__((constructor)) static void reserve(void) {
    void *map = mmap(NULL, CALLS_MAX * sizeof *durations, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    durations = map == MAP_FAILED ? NULL : map;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static double seconds_since(uint64_t begin_ns) {
    return (double)(now_ns() - begin_ns) * 1e-9;
}

// Programs whose threads all communicate (MPI_THREAD_MULTIPLE) may lose a count; nothing else happens.
static void count_collective(MPI_Comm comm, double seconds) {
    if (comm != MPI_COMM_WORLD) {
        totals.group_s += seconds;
        return;
    }
    if (durations && totals.calls < CALLS_MAX)
        durations[totals.calls] = (float)seconds;
    totals.calls++;
}

static void count_point_to_point(double seconds) {
    totals.point_s += seconds;
}

// --- C ---------------------------------------------------------------------------------------------------------------

// The parameter list is one argument of the macro and can't be put in parentheses.
#define WRAP_COLLECTIVE(Name, name, arity, place, params, args)                                                        \
    int MPI_##Name params {                                                                                            \
        uint64_t begin = now_ns();                                                                                     \
        int result = PMPI_##Name args;                                                                                 \
        count_collective(comm, seconds_since(begin));                                                                  \
        return result;                                                                                                 \
    }
#define WRAP_POINT_TO_POINT(Name, name, arity, place, params, args)                                                    \
    int MPI_##Name params {                                                                                            \
        uint64_t begin = now_ns();                                                                                     \
        int result = PMPI_##Name args;                                                                                 \
        count_point_to_point(seconds_since(begin));                                                                    \
        return result;                                                                                                 \
    }
COLLECTIVE_CALLS(WRAP_COLLECTIVE)
POINT_TO_POINT_CALLS(WRAP_POINT_TO_POINT)

// --- Fortran: every argument is an address ---------------------------------------------------------------------------

// A rank without Fortran never has these symbols, so they are looked up when they are called first.
static void *fortran(const char *name) {
    void *call = dlsym(RTLD_NEXT, name);
    if (!call) {
        fprintf(stderr, "libmetalgap-wait: %s is not in this program's MPI library\n", name);
        abort();
    }
    return call;
}

#define PARAMS_2  void *a1, void *a2
#define PARAMS_3  PARAMS_2, void *a3
#define PARAMS_4  PARAMS_3, void *a4
#define PARAMS_5  PARAMS_4, void *a5
#define PARAMS_6  PARAMS_5, void *a6
#define PARAMS_7  PARAMS_6, void *a7
#define PARAMS_8  PARAMS_7, void *a8
#define PARAMS_9  PARAMS_8, void *a9
#define PARAMS_10 PARAMS_9, void *a10
#define PARAMS_13 PARAMS_10, void *a11, void *a12, void *a13
#define ARGS_2    a1, a2
#define ARGS_3    ARGS_2, a3
#define ARGS_4    ARGS_3, a4
#define ARGS_5    ARGS_4, a5
#define ARGS_6    ARGS_5, a6
#define ARGS_7    ARGS_6, a7
#define ARGS_8    ARGS_7, a8
#define ARGS_9    ARGS_8, a9
#define ARGS_10   ARGS_9, a10
#define ARGS_13   ARGS_10, a11, a12, a13

#define WRAP_FORTRAN(name, arity, count)                                                                               \
    void ompi_##name##_f(PARAMS_##arity);                                                                              \
    void mpi_##name##_(PARAMS_##arity) __attribute__((alias("ompi_" #name "_f")));                                     \
    void ompi_##name##_f(PARAMS_##arity) {                                                                             \
        static void (*real)(PARAMS_##arity);                                                                           \
        if (!real)                                                                                                     \
            *(void **)&real = fortran("pmpi_" #name "_");                                                              \
        uint64_t begin = now_ns();                                                                                     \
        real(ARGS_##arity);                                                                                            \
        count;                                                                                                         \
    }
#define WRAP_FORTRAN_COLLECTIVE(Name, name, arity, place, params, args)                                                \
    WRAP_FORTRAN(name, arity, count_collective(PMPI_Comm_f2c(*(MPI_Fint *)a##place), seconds_since(begin)))
#define WRAP_FORTRAN_POINT_TO_POINT(Name, name, arity, place, params, args)                                            \
    WRAP_FORTRAN(name, arity, count_point_to_point(seconds_since(begin)))
COLLECTIVE_CALLS(WRAP_FORTRAN_COLLECTIVE)
POINT_TO_POINT_CALLS(WRAP_FORTRAN_POINT_TO_POINT)

// --- the comparison, when all is over
// ----------------------------------------------------------------------------------

struct rank_line {
    double wait_s;
    double caused_s;
    double group_s;
    double point_s;
    uint64_t late;
    char node[256];
};

// Who came last to a call, as MPI_MINLOC finds it.
struct least {
    float seconds;
    int rank;
};

// One stretch of calls. Collective. Scratch: CHUNK of each.
static void compare(const float *mine, int count, int rank, int ranks, struct least *least, float *all,
                    struct rank_line *line) {
    for (int i = 0; i < count; i++)
        least[i] = (struct least){mine[i], rank};
    PMPI_Allreduce(MPI_IN_PLACE, least, count, MPI_FLOAT_INT, MPI_MINLOC, MPI_COMM_WORLD);
    PMPI_Allreduce(mine, all, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    for (int i = 0; i < count; i++) {
        line->wait_s += (double)mine[i] - (double)least[i].seconds;
        if (least[i].rank != rank)
            continue;
        line->late++;
        line->caused_s += (double)all[i] - (double)ranks * (double)least[i].seconds;
    }
}

static uint64_t compare_all(int rank, int ranks, struct rank_line *line) {
    uint64_t compared = totals.calls < CALLS_MAX ? totals.calls : CALLS_MAX;
    compared = durations ? compared : 0;
    PMPI_Allreduce(MPI_IN_PLACE, &compared, 1, MPI_UINT64_T, MPI_MIN, MPI_COMM_WORLD);
    struct least *least = malloc(CHUNK * sizeof *least);
    float *all = malloc(CHUNK * sizeof *all);
    int memory = least && all;
    PMPI_Allreduce(MPI_IN_PLACE, &memory, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    compared = memory ? compared : 0;
    for (uint64_t from = 0; least && all && from < compared; from += CHUNK) {
        uint64_t left = compared - from;
        compare(durations + from, (int)(left < CHUNK ? left : CHUNK), rank, ranks, least, all, line);
    }
    free(least);
    free(all);
    return compared;
}

static void write_lines(FILE *f, uint64_t compared, const struct rank_line *lines, int ranks) {
    fprintf(f, "{\"metalgap_mpi_wait\":1,\"calls\":%llu,\"compared\":%llu,\"ranks\":[",
            (unsigned long long)totals.calls, (unsigned long long)compared);
    for (int r = 0; r < ranks; r++) {
        const struct rank_line *l = &lines[r];
        fprintf(f,
                "%s{\"rank\":%d,\"node\":\"%s\",\"wait_s\":%.9g,\"late\":%llu,\"caused_s\":%.9g,\"group_s\":%.9g,"
                "\"point_s\":%.9g}",
                r ? "," : "", r, l->node, l->wait_s, (unsigned long long)l->late, l->caused_s, l->group_s, l->point_s);
    }
    fprintf(f, "]}\n");
}

static void name_node(char *out) {
    int length = 0;
    PMPI_Get_processor_name(out, &length);
    for (char *c = out; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ')
            *c = '?';
}

static void write_file(const char *path, uint64_t compared, const struct rank_line *lines, int ranks) {
    FILE *f = fopen(path, "we");
    if (f)
        write_lines(f, compared, lines, ranks);
    if (!f || fclose(f) != 0)
        fprintf(stderr, "libmetalgap-wait: %s can't be written: %m\n", path);
}

// Every rank is here, or MPI_Finalize would not end either.
static void finish(void) {
    _Static_assert(sizeof(((struct rank_line *)0)->node) >= MPI_MAX_PROCESSOR_NAME, "a node's name fits");
    int rank;
    int ranks;
    PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    PMPI_Comm_size(MPI_COMM_WORLD, &ranks);
    struct rank_line mine = {.group_s = totals.group_s, .point_s = totals.point_s};
    name_node(mine.node);
    uint64_t compared = compare_all(rank, ranks, &mine);
    struct rank_line *lines = rank == 0 ? calloc((size_t)ranks, sizeof *lines) : NULL;
    int memory = rank != 0 || lines;
    PMPI_Bcast(&memory, 1, MPI_INT, 0, MPI_COMM_WORLD);
    if (memory)
        PMPI_Gather(&mine, sizeof mine, MPI_BYTE, lines, sizeof mine, MPI_BYTE, 0, MPI_COMM_WORLD);
    const char *path = getenv("METALGAP_MPI_WAIT");
    if (lines && path)
        write_file(path, compared, lines, ranks);
    free(lines);
}

int MPI_Finalize(void) {
    finish();
    return PMPI_Finalize();
}

void ompi_finalize_f(MPI_Fint *code);
void mpi_finalize_(MPI_Fint *code) __attribute__((alias("ompi_finalize_f")));
void ompi_finalize_f(MPI_Fint *code) {
    *code = MPI_Finalize();
}
