// SPDX-License-Identifier: Apache-2.0
// A run in progress, as the files of the runner share it: one session (the machine: collectors, calibration, progress)
// and, in it, one run for each journal that is written: one for a suite (runner.c), two for a pair (pair.c).
#pragma once

#include "bench/mpi_wait.h"
#include "bench/nodes.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "collectors/collector.h"

struct session {
    struct collector_set *collectors;
    struct calibration calibration;
    struct nodes *nodes;    // with --launch over several nodes; NULL: everything is seen from here
    char *nodes_note;       // why there are no agents although --launch asks for them; NULL: all is well
    uint64_t calibrated_ns; // when prices were last measured
    struct progress *progress;
    uint64_t started_ns;
    double budget_s;
};

struct run {
    struct session *session;
    const struct run_options *options;
    struct run_summary *summary;
    struct plan plan;
    struct journal_writer *journal;
    bool paired;  // samples are numbered as blocks
    bool resumed; // the journal has a header already
};

// The signal that asked to stop, or 0; set by the handlers that session_open() installs.
extern volatile int session_stop;

// Opens what runs share: signals, progress, and, once the journals have been read back, calibration and collectors.
void session_begin(struct session *session, double budget_s);
int session_open(struct session *session, struct run *runs, size_t count, struct error *err);
void session_close(struct session *session);

// Between samples, and after the last one: measures again what exits cost, if it was long ago, and writes it down.
int session_calibrate_again(struct session *session, struct run *runs, size_t count, bool last, struct error *err);

// True when the user or the budget asks to stop. The budget leaves a note in the journal.
int session_over(struct session *session, struct run *run, bool *over, struct error *err);

int run_open(struct run *run, struct error *err);  // plan, read back what is there, open the journal
int run_begin(struct run *run, struct error *err); // header and cases, or the note that it was resumed
int run_sample(struct run *run, struct planned_case *c, enum sample_mode mode, struct error *err); // sample.c
int run_end(struct run *run, int result, struct error *err); // `result` so far; closes the journal's text
void run_close(struct run *run);

// Lines of the journal (record.c, record_notes.c). 0 or -1.
int record_header(struct run *run, struct error *err);
cJSON *record_header_member(const struct run *run, const char *key, const cJSON *own); // of the first node, or `own`
int record_nodes(struct run *run, struct error *err); // record_nodes.c: further nodes, and what differs
int record_cases(struct run *run, struct error *err);
int record_notes(struct run *run, const struct planned_case *c, const cJSON *notes, struct error *err);
int record_rank_notes(struct run *run, const struct planned_case *c, const struct nodes_rank *ranks, size_t count,
                      struct error *err); // record_nodes.c
int record_ranks(struct run *run, const struct journal_sample *whole, const struct nodes_rank *ranks, size_t count,
                 const struct mpi_wait *wait, struct error *err);           // record_nodes.c: a line for each
int record_note(struct run *run, bool warn, char *text, struct error *err); // frees `text`

// What the journal has already is counted in the plan (resume.c). 1: it has a header; 0: there is nothing yet; -1: it
// cannot be continued (code 3).
int resume_read(struct run *run, struct error *err);
