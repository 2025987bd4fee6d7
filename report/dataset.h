// SPDX-License-Identifier: Apache-2.0
// Journals in memory, as far as statistics need them: per case the observations (not lines) with cost, figure of merit
// and losses per cause. Memory is proportional to the samples, not to the file. May include: core.
#pragma once

#include "core/journal.h"
#include "core/names.h"
#include "report/devices.h"
#include "report/io_samples.h"
#include "report/io_split.h"
#include "report/places.h"
#include "report/sites.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One observation: one (case, seq, mode), however many ranks wrote a line.
struct point {
    uint64_t seq;
    int64_t block;               // pair of an interleaved run, -1 if absent
    uint64_t start_ns;           // of the first line; 0 if absent
    uint64_t start_tsc, end_tsc; // from the first line's beginning to the last one's end; 0 if absent
    double cost;                 // what is compared: see CONTRACT; the slowest rank's. NaN or <= 0 can't be compared
    double fom;                  // the slowest rank's figure of merit; wall_s where the case has none
    double wall_s;               // longest of the lines
    double roi_s;                // longest of the lines
    double cpu_s;                // CPU time of the job summed over the lines; NaN if not told
    double foreign;              // share of the CPUs that others used, worst of the lines; NaN if not told
    double steal_s;              // host.steal told in this observation, for marking outliers
    uint16_t pass;               // of an attribution sample: index into the case's passes
    bool valid;                  // false if any line says so
};

// What one source says of one cause in one observation.
struct loss {
    uint64_t seq;
    uint64_t count;
    double seconds;
    double se;
    uint8_t cause; // enum cause
    uint8_t scope; // enum obs_scope
    uint8_t basis; // enum obs_basis
    uint8_t trap;  // enum trap: whose unit cost the count was multiplied with; TRAP_COUNT: not told
    bool at_most;  // the seconds are an upper bound: the source says that its unit cost contains more than the cause
    bool by_host;  // the host said it, not the guest (report/join.h)
};

// What a source that normally tells it could not tell in one observation.
struct gap {
    uint64_t seq;
    uint32_t why;  // index into the data set's reasons
    uint8_t cause; // enum cause
    uint8_t scope; // enum obs_scope
    uint8_t basis; // enum obs_basis; BASIS_COUNT: in whatever way it is known
};

// Points, losses and gaps of one mode, all ascending by seq.
struct series {
    struct point *point;
    size_t count;
    size_t capacity;
    struct loss *loss;
    size_t loss_count;
    size_t loss_capacity;
    struct gap *gap;
    size_t gap_count;
    size_t gap_capacity;
    struct hist *hist[CAUSE_COUNT]; // merged over the samples; NULL where no source has one
};

// The per-step series of one line of a journal.
struct step_line {
    uint64_t seq;
    size_t end;
};

struct dataset_case {
    char *name;
    char *bench;    // may be NULL
    char *fom_name; // NULL: wall time is compared
    char *unit;     // "s" for wall time; NULL if the journal does not tell
    enum fom_better better;
    double cpus;    // 0 if not told
    char *cpu_list; // which CPUs it was bound to ("0-3,8"); NULL if not told
    cJSON *params;
    char **passes; // of attribution samples, by name, "" where a line tells none; empty without any
    size_t pass_count;
    size_t pass_capacity;
    struct places places;    // who lost the time, of the timing samples
    struct sites sites;      // where in the program the exits were, of the attribution samples
    struct devices devices;  // what disks and network interfaces did, of the attribution samples
    struct io_samples io;    // the guest's requests that cross Dom0
    struct io_splits splits; // the same, split by Dom0's record (report/join_io.h)
    struct series mode[MODE_COUNT];
    double *step; // per-step seconds of the timing samples, in order
    size_t step_count;
    size_t step_capacity;
    struct step_line *step_line; // where each line's steps end in `step`
    size_t step_line_count;
    size_t step_line_capacity;
    size_t invalid;    // observations that are not valid
    char *invalid_why; // the first reason
};

struct dataset_note {
    bool warn;
    char *text;
};

// One journal.
struct dataset {
    char *path;
    const char *label; // points into `header`, or `path` where it has none
    char *name;        // the label, cut to what fits a sentence
    const char *role;  // "metal", "guest", "host", or "" if not told
    const char *host;  // "" if not told
    cJSON *header;
    struct calibration *calibrations; // the header's, then those later in the run
    size_t calibration_count;
    size_t calibration_capacity;
    struct dataset_case *cases;
    size_t case_count;
    size_t case_capacity;
    struct names names;   // of the cases, numbered alike
    struct names reasons; // why something could not be told
    struct dataset_note *notes;
    size_t note_count;
    size_t note_capacity;
    bool truncated;    // its last line was cut off
    bool complete;     // has an end line with status complete
    size_t windows;    // host windows in it
    size_t unknown;    // lines and causes this version does not know
    double end_wall_s; // of the whole run; NaN if not told
    char *joined;      // one sentence: with which host, how the clocks fit; NULL if it was not joined
};

// Reads a whole journal ("-": standard input). 0, or -1 with `err` (code 3, place named). dataset_free() in any case.
int dataset_load(struct dataset *set, const char *path, struct error *err);

void dataset_free(struct dataset *set);

// The case of this name, or NULL.
const struct dataset_case *dataset_find(const struct dataset *set, const char *name);

// Adds a note of ours, as if the run had made it; texts longer than 1023 bytes are cut.
void dataset_add_note(struct dataset *set, bool warn, const char *format, ...) __attribute__((format(printf, 3, 4)));

// What must agree for two journals' cases of one name to be the same measurement: unit and direction.
bool dataset_same_measure(const struct dataset_case *a, const struct dataset_case *b);

// True if the point may enter a statistic: valid, and a positive finite cost.
bool point_counts(const struct point *point);
