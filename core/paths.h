// SPDX-License-Identifier: Apache-2.0
// Where the program's own files are, found from where the program itself is, so that a build tree, an installed tree
// and a copied tree all work without configuration.
#pragma once

#include "core/error.h"

struct paths {
    char *suites;      // folder of the suite files
    char *mpi;         // folder of our own MPI programs
    char *pmu_metrics; // folder of the PMU metric files
};

// Looks beside the running program: PREFIX/bin with PREFIX/share/metalgap/ and PREFIX/libexec/metalgap/mpi, or a build
// folder inside the source tree. The environment variables METALGAP_SUITES, METALGAP_MPI and METALGAP_PMU_METRICS go
// first.
// 0, or -1 with `err` (code 4) if the suites are nowhere. paths_free() releases *out in both cases.
int paths_find(struct paths *out, struct error *err);
void paths_free(struct paths *paths);
