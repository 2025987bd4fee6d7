// SPDX-License-Identifier: Apache-2.0
// The ledger of one case: its overhead split by cause. Kept in arithmetic means, since only means add:
//
//     pct(cause) = 100 * [ s_g C_g / (k_g roi_g) - s_m C_m / (k_m roi_m) ] / C_m      (no baseline: 100 s_g / (k_g
//     roi_g)) mean_pct   = sum of the lines + unexplained            tail = mean_pct - robust shift
//
// s: seconds of the cause in one observation; C: its cost; roi: the window that the figure of merit covers; k: active
// CPUs = (the job's CPU time + lost time that this does not hold) / roi, at most the case's `cpus`, which it is where
// the CPU time is not known. s C / (k roi) is averaged over observations. Guests count time spent in exits as CPU time
// of whoever exited, so "lost time that it does not hold" is what clocks tell apart: steal, other threads, interrupts
// and softirqs, and idle waiting (scope `blocked`).
//
// Sources: per cause and scope, the best basis that a side has (timed, sampled, calibrated; `counted` has no seconds);
// over the samples in which that source told it (report/ledger_told.h); what stands for the others in the residual of
// the timing samples is the mean. From timing samples where they have that basis, else from the attribution samples of
// the pass that has it, whose share of time s / (k roi) is then multiplied with the timing samples' mean cost, since
// only that one is free of the probes. Counts come from timing samples where these have any. May include: core,
// report/compare.h.
#pragma once

#include "report/compare.h"
#include "report/ledger_told.h"

struct ledger_line {
    enum cause cause;
    enum obs_scope scope;
    enum obs_basis basis;  // of the subject's seconds (of the baseline's, where only that has any)
    enum sample_mode mode; // the samples that the subject's seconds come from
    const char *pass;      // of attribution samples: their pass; "" where the journal tells none. Borrowed
    bool summed;           // enters the sum: scope cpu or blocked, seconds known
    bool at_most;          // an upper bound: its source's unit cost contains more than the cause
    bool by_host;          // the subject's seconds are the host's word
    bool on_subject;       // the subject has observations of it
    bool on_baseline;      // so has the baseline; without, the hypervisor's families are taken as 0 there,
    bool one_sided;        // and the others, which metal has as well, are not summed: a difference is not known
    double pct;            // NaN unless summed
    double se;
    double df;
    struct stats_interval ci; // 95 %
    double seconds;           // the subject's mean per observation; NaN if not known
    double count;             // the subject's mean per observation
    double baseline_seconds;  // NaN without
    double baseline_count;
    struct ledger_told
        told; // the subject's samples that tell it, of those of its source. told_never(): no seconds, and
    struct ledger_told baseline_told; // the line is in no sum; the same for the baseline's
};

// What a pass costs: its attribution samples against the timing samples beside them, on the subject.
struct ledger_observer {
    const char *pass; // "" where the journal tells none. Borrowed
    size_t count;     // attribution samples
    double pct;       // NaN where there is no timing sample to compare with
    struct stats_interval ci;
};

struct ledger {
    struct ledger_line *lines; // summed ones first, largest first; then counted; latency last
    size_t count;
    struct stats_mean explained; // sum of the summed lines, percent
    struct stats_interval explained_ci;
    struct stats_mean direct; // of these the hypervisor's doing: families exit, host, hop
    struct stats_interval direct_ci;
    double tail_pct;               // NaN without a baseline
    struct stats_mean unexplained; // the residual; NaN without a baseline
    struct stats_interval unexplained_ci;
    struct ledger_observer *observers; // one for each pass
    size_t observer_count;
    bool active_cpus_unknown; // neither CPU time nor `cpus`: k was taken as 1
    bool exceeds;             // the parts exceed the whole by more than their interval
};

// `baseline` may be empty. ledger_free() releases it; it borrows from the sides.
struct ledger ledger_make(const struct side *subject, const struct side *baseline, const struct comparison *c);
void ledger_free(struct ledger *ledger);

// The dearest pass, or NULL: there are no attribution samples, or nothing to compare them with.
const struct ledger_observer *ledger_dearest(const struct ledger *ledger);

// True for a line that says no more than that its cause was not measured on the subject.
bool ledger_not_measured(const struct ledger_line *line);

// True for a line that tells of time without entering the sum: latencies of requests in flight, and what the probes
// cost in attribution samples.
bool ledger_describes(const struct ledger_line *line);

// How the line is known, for readers: "timed", "calibrated", ..., or "timed (host)".
const char *ledger_basis_text(const struct ledger_line *line);
