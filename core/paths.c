// SPDX-License-Identifier: Apache-2.0
// Finds the program's own files. See paths.h.
#include "core/paths.h"

#include "core/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *suites; // both relative to the folder of the program
    const char *mpi;
} layouts[] = {
    {"../share/metalgap/suites", "../libexec/metalgap/mpi"}, // installed
    {"../suites", "mpi"},                                    // build/metalgap
    {"../../suites", "mpi"},                                 // build/asan/metalgap
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

int paths_find(struct paths *out, struct error *err) {
    *out = (struct paths){mem_strdup(getenv("METALGAP_SUITES")), mem_strdup(getenv("METALGAP_MPI"))};
    if (out->suites && out->mpi)
        return 0;
    char *folder = folder_of_program(err);
    if (!folder)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
        char *suites = mem_printf("%s/%s", folder, layouts[i].suites);
        if (access(suites, R_OK) == 0) {
            if (!out->mpi)
                out->mpi = mem_printf("%s/%s", folder, layouts[i].mpi);
            if (!out->suites)
                out->suites = mem_strdup(suites);
        }
        free(suites);
        if (out->suites && out->mpi)
            break;
    }
    if (out->suites && out->mpi) {
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
    *paths = (struct paths){0};
}
