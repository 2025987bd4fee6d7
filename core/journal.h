// SPDX-License-Identifier: Apache-2.0
// The journal: one run as JSON Lines (schema metalgap.run/1), append-only. Writing and streaming reading.
// Keys and meanings: docs/journal.md. Everything between a run and a report goes through here.
#pragma once

#include "core/calibration.h"
#include "core/observation.h"

#include <stdio.h>

#define JOURNAL_SCHEMA "metalgap.run/1"

enum journal_type {
    JOURNAL_HEADER,
    JOURNAL_CASE,
    JOURNAL_SAMPLE,
    JOURNAL_NODE,
    JOURNAL_WINDOW,
    JOURNAL_NOTE,
    JOURNAL_CALIBRATION, // unit costs measured again later in the run
    JOURNAL_END,
    JOURNAL_TYPE_COUNT
};

enum fom_better { FOM_LOWER, FOM_HIGHER };

// Timing samples have only the cheap counters on and make the headline; attribution samples have the rest on.
enum sample_mode { MODE_TIMING, MODE_ATTRIBUTION, MODE_COUNT };
extern const char *const sample_mode_names[MODE_COUNT]; // "timing", "attribution"

struct journal_case {
    const char *name;       // "stream.triad"
    const char *bench;      // "stream"; may be NULL
    const cJSON *params;    // may be NULL
    const char *fom_name;   // figure of merit; NULL: the case has none, wall_s is compared
    const char *fom_unit;   // NULL if there is no figure of merit
    enum fom_better better; // FOM_LOWER where there is no figure of merit
    double cpus;            // number of CPUs that the case may run on; 0 if not told
    const char *cpu_list;   // which ones it was bound to, by their numbers ("0-3,8"); NULL if not told
};

struct journal_sample {
    const char *case_name;
    uint64_t seq;
    int64_t block; // pair of an interleaved run, -1 if absent
    enum sample_mode mode;
    const char *pass;   // attribution: the sources that were on beside the cheap ones; NULL if absent
    const char *node;   // NULL if absent
    int64_t rank;       // -1 if absent
    uint64_t start_ns;  // CLOCK_MONOTONIC, 0 if absent
    uint64_t start_tsc; // 0 if absent
    uint64_t end_tsc;   // 0 if absent
    double wall_s;
    double fom;   // NaN if absent
    double roi_s; // the window that the figure of merit covers; wall_s if absent
    bool valid;
    const char *why;            // why not valid; NULL if absent
    const cJSON *steps_s;       // array of seconds per step, or NULL
    const cJSON *circumstances; // object, or NULL
    struct observations obs;
};

// --- writing ------------------------------------------------------------------------------------------------------

struct journal_writer;

// Opens `path` ("-" is standard output) for appending. `resume` false: the file must not exist or be empty (code 3,
// nothing is lost); true: it must be a journal, and an unfinished last line is cut off; if that is
// the header, the file is empty again. NULL on failure.
struct journal_writer *journal_open(const char *path, bool resume, struct error *err);

// A header's first keys: t, schema, a random id, and the time as `started`. The caller adds the rest, and owns it.
cJSON *journal_header_begin(void);

// Appends one object as one line, in one write, synced to disk before it returns: a kill at any moment loses at most
// the line in flight. After a failure (a full disk) the file ends with the last whole line. 0 or -1.
int journal_write(struct journal_writer *writer, const cJSON *line, struct error *err);

// The same for all elements of an array in one write and one sync, for lines that come by the dozen. 0 or -1.
int journal_write_all(struct journal_writer *writer, const cJSON *lines, struct error *err);

// The same for typed records; strings and trees stay the caller's.
int journal_write_case(struct journal_writer *writer, const struct journal_case *c, struct error *err);
int journal_write_sample(struct journal_writer *writer, const struct journal_sample *s, struct error *err);
// The lines of one observation, one for each rank: one write, one sync, so that a thousand ranks cost little more than
// one.
int journal_write_samples(struct journal_writer *writer, const struct journal_sample *samples, size_t count,
                          struct error *err);
int journal_write_note(struct journal_writer *writer, bool warn, const char *text, struct error *err);
int journal_write_calibration(struct journal_writer *writer, uint64_t at_ns, const struct calibration *calibration,
                              struct error *err);
int journal_write_end(struct journal_writer *writer, bool complete, uint64_t samples, double wall_s, struct error *err);

// Closes it; a file that this writer made and into which nothing was written is removed again. NULL is fine.
void journal_close(struct journal_writer *writer);

// --- reading ------------------------------------------------------------------------------------------------------

struct journal_reader;

// One line. What it points to is valid until the next journal_next() or journal_end_reading().
struct journal_record {
    enum journal_type type;
    size_t line;                    // line number in the file, from 1
    const cJSON *json;              // the whole line
    struct journal_case c;          // JOURNAL_CASE
    struct journal_sample sample;   // JOURNAL_SAMPLE
    struct observations window_obs; // JOURNAL_WINDOW: its `obs`
    size_t unknown_causes;          // observations left out because this version does not know their cause
};

// A longer line is not a journal's: the reader refuses it rather than fill the memory.
#define JOURNAL_LINE_MAX ((size_t)64 << 20)

// Opens a journal ("-" is standard input). NULL on failure (code 3).
struct journal_reader *journal_read(const char *path, struct error *err);

// The same from an open stream, which the reader closes at its end (but never stdin); `name` is for messages.
struct journal_reader *journal_read_stream(FILE *file, const char *name);

// Reads the next line. 1: `*out` is filled. 0: the end. -1: malformed, `err` has file, line and column (code 3).
// The first line must be a header of a schema this version knows. Lines of an unknown type are passed over (a later
// minor version may add some). A last line without its newline that is not JSON was cut off by a kill: it is dropped,
// and journal_was_truncated() tells.
int journal_next(struct journal_reader *reader, struct journal_record *out, struct error *err);

bool journal_was_truncated(const struct journal_reader *reader);
size_t journal_unknown_lines(const struct journal_reader *reader); // lines of an unknown type so far
void journal_end_reading(struct journal_reader *reader);           // NULL is fine
