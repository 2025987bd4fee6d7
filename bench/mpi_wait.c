// SPDX-License-Identifier: Apache-2.0
// Reading what the preloaded library wrote. See mpi_wait.h.
#include "bench/mpi_wait.h"

#include "core/memory.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (64U << 20) // some 100 bytes a rank

static char *library(const char *exec_dir) {
    char *path = mem_printf("%s/libmetalgap-wait.so", exec_dir);
    char *absolute = realpath(path, NULL);
    free(path);
    return absolute;
}

bool mpi_wait_begin(struct mpi_wait *wait, const char *exec_dir) {
    const char *base = getenv("TMPDIR");
    char *path = library(exec_dir);
    bool built = path != NULL;
    free(path);
    if (!built)
        return false;
    char *folder = mem_printf("%s/metalgap-wait-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder)) {
        free(folder);
        return false;
    }
    wait->folder = folder;
    wait->file = mem_printf("%s/wait.json", folder);
    return true;
}

void mpi_wait_words(const char *exec_dir, const char *file, char *words[MPI_WAIT_WORDS]) {
    char *path = library(exec_dir);
    words[0] = mem_strdup("env");
    words[1] = mem_printf("LD_PRELOAD=%s", path ? path : "");
    words[2] = mem_printf("METALGAP_MPI_WAIT=%s", file);
    free(path);
}

// A description, not a part of the sum: ranks spin while they wait, and what the host does to a spinning rank is told
// by its own causes already; the late rank's loss is, too.
static int read_rank(const cJSON *line, double calls, struct mpi_wait *wait, struct error *err) {
    struct mpi_wait_rank *r = &wait->ranks[wait->count];
    double number = 0;
    double late = 0;
    double seconds = 0;
    if (json_get_double(line, "rank", JSON_REQUIRED, &number, err) < 0 ||
        json_get_double(line, "late", JSON_REQUIRED, &late, err) < 0 ||
        json_get_double(line, "wait_s", JSON_REQUIRED, &seconds, err) < 0)
        return -1;
    r->rank = (int64_t)number;
    r->observation = (struct observation){
        .cause = CAUSE_MPI_WAIT,
        .scope = SCOPE_LATENCY,
        .basis = BASIS_TIMED,
        .count = calls > late ? (uint64_t)(calls - late) : 0,
        .seconds = fmax(seconds, 0),
        .detail = cJSON_Duplicate(line, true),
    };
    wait->count++;
    return 0;
}

int mpi_wait_take(const cJSON *doc, struct mpi_wait *wait, struct error *err) {
    const cJSON *ranks = NULL;
    const cJSON *line;
    double compared = 0;
    if (json_get_double(doc, "compared", JSON_REQUIRED, &compared, err) < 0 ||
        json_get_array(doc, "ranks", JSON_REQUIRED, &ranks, err) < 0)
        return -1;
    wait->ranks = mem_alloc(((size_t)cJSON_GetArraySize(ranks) + 1) * sizeof *wait->ranks);
    cJSON_ArrayForEach(line, ranks) {
        if (read_rank(line, compared, wait, err) < 0)
            return -1;
    }
    return 0;
}

static cJSON *read_doc(const char *path, struct error *err) {
    size_t length;
    char *text = json_read_file(path, FILE_MAX, &length, err);
    cJSON *doc = text ? json_parse(text, length, (struct json_origin){path, 1}, err) : NULL;
    free(text);
    return doc;
}

int mpi_wait_read(struct mpi_wait *wait, struct error *err) {
    if (!wait->file || access(wait->file, R_OK) != 0)
        return 0;
    cJSON *doc = read_doc(wait->file, err);
    int result = doc ? mpi_wait_take(doc, wait, err) : -1;
    cJSON_Delete(doc);
    return result;
}

bool mpi_wait_sum(const struct mpi_wait *wait, struct observation *out) {
    if (wait->count == 0)
        return false;
    *out = wait->ranks[0].observation;
    out->seconds = 0;
    out->count = 0;
    out->detail = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(out->detail, "ranks");
    for (size_t i = 0; i < wait->count; i++) {
        out->seconds += wait->ranks[i].observation.seconds;
        out->count += wait->ranks[i].observation.count;
        cJSON_AddItemToArray(list, cJSON_Duplicate(wait->ranks[i].observation.detail, true));
    }
    return true;
}

void mpi_wait_end(struct mpi_wait *wait) {
    for (size_t i = 0; i < wait->count; i++)
        cJSON_Delete(wait->ranks[i].observation.detail);
    free(wait->ranks);
    if (wait->folder) {
        unlink(wait->file);
        rmdir(wait->folder);
    }
    free(wait->file);
    free(wait->folder);
    *wait = (struct mpi_wait){0};
}

int mpi_wait_open(void) {
    return memfd_create("metalgap-wait", MFD_CLOEXEC);
}

cJSON *mpi_wait_from(int fd, struct error *err) {
    struct stat now;
    if (fstat(fd, &now) || !now.st_size)
        return NULL;
    char *path = mem_printf("/proc/self/fd/%d", fd);
    cJSON *doc = read_doc(path, err);
    free(path);
    return doc;
}

// By way of the guard and not of a descriptor of its own: programs between the two close what they don't know.
void mpi_wait_preload(const char *exec_dir, pid_t guard, int fd) {
    char *path = library(exec_dir);
    const char *others = getenv("LD_PRELOAD");
    if (!path)
        return;
    char *all = mem_printf("%s%s%s", path, others ? ":" : "", others ? others : "");
    char *file = mem_printf("/proc/%d/fd/%d", (int)guard, fd);
    setenv("LD_PRELOAD", all, 1);
    setenv("METALGAP_MPI_WAIT", file, 1);
    free(path);
    free(all);
    free(file);
}
