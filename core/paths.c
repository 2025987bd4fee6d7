// SPDX-License-Identifier: Apache-2.0
// Finds the program's own files. See paths.h.
#include "core/paths.h"

#include "core/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *suites; // all relative to the folder of the program
    const char *mpi;
    const char *pmu_metrics;
} layouts[] = {
    {"../share/metalgap/suites", "../libexec/metalgap/mpi", "../share/metalgap/pmu_metrics"}, // installed
    {"../suites", "mpi", "../collectors/pmu_metrics"},                                        // build/metalgap
    {"../../suites", "mpi", "../../collectors/pmu_metrics"},                                  // build/asan/metalgap
};

static char *folder_of_program(struct error *err) {
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) {
        error_set(err, EXIT_CODE_LACKS, "finding the program's own files through /proc/self/exe");
        error_why(err, "%s", strerror(errno));
        error_remedy(err, "mount /proc, or set METALGAP_SUITES and METALGAP_MPI");
        return NULL;
    }
    path[length] = '\0';
    *strrchr(path, '/') = '\0';
    return mem_strdup(path);
}

// Stores FOLDER/RELATIVE unless the environment gave a path already.
static void fill(char **path, const char *folder, const char *relative) {
    if (!*path)
        *path = mem_printf("%s/%s", folder, relative);
}

int paths_find(struct paths *out, struct error *err) {
    *out = (struct paths){
        .suites = mem_strdup(getenv("METALGAP_SUITES")),
        .mpi = mem_strdup(getenv("METALGAP_MPI")),
        .pmu_metrics = mem_strdup(getenv("METALGAP_PMU_METRICS")),
    };
    if (out->suites && out->mpi && out->pmu_metrics)
        return 0;
    char *folder = folder_of_program(err);
    if (!folder)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
        char *suites = mem_printf("%s/%s", folder, layouts[i].suites);
        bool here = access(suites, R_OK) == 0;
        free(suites);
        if (!here)
            continue;
        fill(&out->suites, folder, layouts[i].suites);
        fill(&out->mpi, folder, layouts[i].mpi);
        fill(&out->pmu_metrics, folder, layouts[i].pmu_metrics);
        break;
    }
    // The suites came from the environment and there is no layout: the rest may lie beside the program.
    if (out->suites) {
        fill(&out->mpi, folder, "mpi");
        fill(&out->pmu_metrics, folder, "pmu_metrics");
        free(folder);
        return 0;
    }
    error_set(err, EXIT_CODE_LACKS, "finding the suite files beside %s", folder);
    error_why(err, "there is neither ../share/metalgap/suites nor ../suites");
    error_remedy(err, "install with `make install`, or set METALGAP_SUITES");
    free(folder);
    return -1;
}

void paths_free(struct paths *paths) {
    free(paths->suites);
    free(paths->mpi);
    free(paths->pmu_metrics);
    *paths = (struct paths){0};
}
