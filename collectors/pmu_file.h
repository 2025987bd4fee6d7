// SPDX-License-Identifier: Apache-2.0
// PMU metric files (pmu_metrics/NAME.json): the events of a microarchitecture by their libpfm4 names, and what is
// calculated from their counts. docs/pmu.md has the format. Adding a microarchitecture = adding a file.
#pragma once

#include "collectors/formula.h"
#include "core/cause.h"
#include "core/json.h"

// An event: its name in formulas, its name for libpfm4 (full, with the PMU), and with which others it is counted.
struct pmu_file_event {
    const char *name;
    char *full;   // "skx::EPT:WALK_PENDING:c=1"
    size_t group; // events of one group are counted at the same time
};

// What becomes of a metric.
enum pmu_metric_use {
    PMU_METRIC_DESCRIPTION, // stored with the sample's circumstances
    PMU_METRIC_SECONDS,     // an observation of its cause: CPU-seconds
    PMU_METRIC_COUNT,       // an observation of its cause: how often
    PMU_METRIC_USE_COUNT
};
extern const char *const pmu_metric_use_names[PMU_METRIC_USE_COUNT];

struct pmu_metric {
    const char *name;
    const char *unit; // "1" for a plain number
    const char *text; // one line: what it is
    const char *formula_text;
    struct formula formula; // of pmu_file_values()
    enum cause cause;       // what it helps to explain; CAUSE_COUNT: none
    enum pmu_metric_use use;
};

// Values that formulas may use beside the events. NaN where they are not known.
enum pmu_value {
    PMU_VALUE_BUSY_S,   // "busy_s": CPU-seconds in which what was counted was not idle, by the guest's clock
    PMU_VALUE_CLOCK_HZ, // "clock_hz": rate of the TSC or of arm64's generic timer, at which reference cycles are
                        // counted
    PMU_VALUE_COUNT
};

struct pmu_file {
    char *name; // of the file, without .json
    const char *title;
    const char *source; // where events and formulas are from
    const char *pmu;    // libpfm4's name
    const cJSON *cpus;  // patterns (fnmatch) of pmu_cpu_id()
    struct pmu_file_event *events;
    size_t event_count;
    size_t event_capacity;
    struct pmu_metric *metrics;
    size_t metric_count;
    size_t metric_capacity;
    cJSON *json; // owns the strings
};

// Reads a file's text; `path` is for messages, and its last part gives the name. 0, or -1 with `err` (code 3: file,
// line and column). pmu_file_free() releases *out in both cases.
int pmu_file_parse(const char *path, const char *text, size_t length, struct pmu_file *out, struct error *err);
int pmu_file_load(const char *path, struct pmu_file *out, struct error *err);
void pmu_file_free(struct pmu_file *file); // also makes it empty again

// Calls `each` for each NAME.json of a folder, in the order of their names: with the file, or with NULL and why it
// cannot be read. `file` is the callee's only during the call. 0, or -1 with `err` if the folder cannot be read.
int pmu_files_each(const char *folder, void (*each)(const char *name, struct pmu_file *file, const char *why, void *to),
                   void *to, struct error *err);

// How well a file fits a CPU: the length of the longest pattern that matches its id, 0 if none does.
size_t pmu_file_fits(const struct pmu_file *file, const char *cpu_id);

// Loads the file that fits this CPU best, from a folder. Files that cannot be read are passed over.
// 0, or -1 with `err` if there is none.
int pmu_file_find(const char *folder, const char *cpu_id, struct pmu_file *out, struct error *err);

// This machine's CPU: "GenuineIntel-6-8F" (vendor, family in decimal, model in hexadecimal), on arm64 "41-D0C"
// (implementer and part of MIDR_EL1, hexadecimal); "" if it cannot be told. Truncated to `size`.
void pmu_cpu_id(char *out, size_t size);
