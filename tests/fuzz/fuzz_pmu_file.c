// SPDX-License-Identifier: Apache-2.0
// Fuzzes the reader of PMU metric files and their formulas: no file may crash it, a refusal has a place, what is taken
// can be evaluated.
#include "collectors/pmu_file.h"
#include "core/memory.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pmu_file file;
    struct error err = {0};
    int failed = pmu_file_parse("fuzz.json", (const char *)data, size, &file, &err);
    FUZZ_CHECK(failed ? err.code == EXIT_CODE_INPUT && err.where[0] && err.what[0] : file.event_count > 0);
    double *values = mem_alloc((file.event_count + PMU_VALUE_COUNT) * sizeof *values);
    for (size_t i = 0; i < file.event_count + PMU_VALUE_COUNT; i++)
        values[i] = (double)i;
    for (size_t i = 0; !failed && i < file.metric_count; i++)
        formula_value(&file.metrics[i].formula, values);
    if (!failed)
        pmu_file_fits(&file, "GenuineIntel-6-8F");
    free(values);
    pmu_file_free(&file);
    return 0;
}
