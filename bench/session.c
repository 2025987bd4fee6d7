// SPDX-License-Identifier: Apache-2.0
// What all journals of a run share, and the beginning and the end of each. See run.h.
#include "bench/run.h"

#include "bench/calibrate.h"
#include "bench/quiet.h"
#include "core/clock.h"
#include "core/memory.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALIBRATION_S 2.0  // enough for a standard error of a few percent for each trap
#define AGAIN_S       0.15 // for what prices did meanwhile, a few percent of
#define AGAIN_EVERY_S 20   // and at the end
#define QUIET_LIMIT   0.05 // busy share

// --- stopping -----------------------------------------------------------------------------------------------------

// The one thing a signal handler can reach. A second signal is not needed: samples are ended at once.
volatile int session_stop;

static void on_signal(int number) {
    session_stop = number;
}

static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    session_stop = 0;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); // a closed output is an error of write(), with a message
}

void session_begin(struct session *session, double budget_s) {
    *session = (struct session){.progress = progress_new(), .started_ns = clock_now_ns(), .budget_s = budget_s};
    catch_signals();
}

// Unit costs are for collectors; without any there is nothing to calibrate for.
static int calibrate_subject(struct session *session, const struct run *run, struct error *err) {
    if (strcmp(run->options->collectors, "none") == 0)
        return 0;
    progress_say(session->progress, "measuring what VM exits cost here");
    session->calibrated_ns = clock_now_ns();
    return calibrate(&run->plan.all_cpus, CALIBRATION_S, &session->calibration, err);
}

int session_calibrate_again(struct session *session, struct run *runs, size_t count, bool last, struct error *err) {
    uint64_t now = clock_now_ns();
    bool due = last || (double)(now - session->calibrated_ns) * 1e-9 >= AGAIN_EVERY_S;
    if (!due || session_stop || strcmp(runs[0].options->collectors, "none") == 0)
        return 0;
    struct calibration again;
    struct error why;
    session->calibrated_ns = now;
    if (calibrate_again(&runs[0].plan.all_cpus, AGAIN_S, &session->calibration, &again, &why)) {
        char line[512];
        error_line(&why, line, sizeof line);
        progress_line(session->progress, "note: %s", line);
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        if (journal_write_calibration(runs[i].journal, now, &again, err))
            return -1;
    return 0;
}

static bool anything_to_run(const struct plan *plan) {
    for (size_t i = 0; i < plan->count; i++)
        if (!plan->cases[i].skipped)
            return true;
    return false;
}

static int wait_for_quiet(struct run *run, struct error *err) {
    if (run->options->quiet_wait_s <= 0 || !anything_to_run(&run->plan))
        return 0;
    progress_say(run->session->progress, "waiting for a quiet machine");
    double busy = quiet_wait(&run->plan.all_cpus, QUIET_LIMIT, run->options->quiet_wait_s, &session_stop);
    if (busy <= QUIET_LIMIT)
        return 0;
    char *text = mem_printf("the machine was not quiet after %.0f s of waiting: its CPUs were %.0f %% busy before",
                            run->options->quiet_wait_s, busy * 100);
    progress_line(run->session->progress, "note: %s", text);
    return record_note(run, true, text, err);
}

// What cannot be seen of other nodes degrades the run, as a collector does that is not there.
static void start_nodes(struct session *session, const struct run_options *o) {
    const struct nodes_options nodes = {o->launch, o->collectors, o->tick_budget_pct, o->label, o->role};
    struct error err;
    char line[1600];
    if (!o->launch)
        return;
    progress_say(session->progress, "starting an agent on each node");
    if (nodes_start(&nodes, &session_stop, &session->nodes, &err) == 0)
        return;
    error_line(&err, line, sizeof line);
    session->nodes_note = mem_printf("collectors see this machine only, no other nodes: %s", line);
}

int session_open(struct session *session, struct run *runs, size_t count, struct error *err) {
    bool resumed = false;
    for (size_t i = 0; i < count; i++)
        resumed |= runs[i].resumed;
    if (!resumed && calibrate_subject(session, &runs[0], err))
        return -1;
    const struct collect_options collect = {
        .calibration = &session->calibration,
        .platform = cJSON_GetObjectItemCaseSensitive(runs[0].options->header, "platform"),
        .tick_budget = runs[0].options->tick_budget_pct / 100,
    };
    start_nodes(session, runs[0].options);
    session->collectors = collector_set_open(runs[0].options->collectors, &collect, err);
    if (!session->collectors)
        return -1;
    for (size_t i = 0; i < count; i++) {
        plan_attribution(&runs[i].plan, collector_set_passes(session->collectors));
        if (run_begin(&runs[i], err))
            return -1;
    }
    return resumed ? 0 : wait_for_quiet(&runs[0], err);
}

void session_close(struct session *session) {
    nodes_stop(session->nodes);
    free(session->nodes_note);
    collector_set_close(session->collectors);
    progress_free(session->progress);
}

int session_over(struct session *session, struct run *run, bool *over, struct error *err) {
    double spent_s = (double)(clock_now_ns() - session->started_ns) * 1e-9;
    *over = session_stop || spent_s >= session->budget_s;
    if (session_stop || !*over)
        return 0;
    run->summary->stopped = true;
    progress_line(session->progress, "the time budget is used up");
    return journal_write_note(run->journal, true, "the time budget was used up before all samples were there", err);
}

// The case's name is only the last part of a path.
static const char *as_typed(const struct run_options *options, const struct planned_case *c) {
    const cJSON *argv = cJSON_GetObjectItemCaseSensitive(c->suite_case->params, "argv");
    const char *program = options->launch ? options->launch[0] : cJSON_GetStringValue(cJSON_GetArrayItem(argv, 0));
    return program ? program : c->suite_case->name;
}

// A command that the user typed and that is not there: nothing else is left to run.
static int check_by_name(const struct run *run, struct error *err) {
    const struct planned_case *c = &run->plan.cases[0];
    if (!run->options->by_name || !c->skipped)
        return 0;
    error_set(err, EXIT_CODE_LACKS, "running %s", as_typed(run->options, c));
    return error_why(err, "%s", c->why);
}

int run_open(struct run *run, struct error *err) {
    const struct run_options *o = run->options;
    *run->summary = (struct run_summary){0};
    if (plan_make(o, &run->plan, err) || check_by_name(run, err))
        return -1;
    int there = o->resume ? resume_read(run, err) : 0;
    run->resumed = there > 0;
    if (there >= 0)
        run->journal = journal_open(o->journal, o->resume, err);
    return run->journal ? 0 : -1;
}

int run_begin(struct run *run, struct error *err) {
    if (!run->resumed)
        return record_header(run, err) || record_nodes(run, err) || record_cases(run, err) ? -1 : 0;
    size_t there = plan_done(&run->plan);
    progress_line(run->session->progress, "resuming: %zu samples are there already", there);
    return record_note(run, false, mem_printf("the run was resumed with %zu samples", there), err) ||
                   record_nodes(run, err)
               ? -1
               : 0;
}

int run_end(struct run *run, int result, struct error *err) {
    struct run_summary *summary = run->summary;
    summary->signal = session_stop;
    summary->stopped |= session_stop != 0;
    summary->wall_s = (double)(clock_now_ns() - run->session->started_ns) * 1e-9;
    return result ? result : journal_write_end(run->journal, !summary->stopped, summary->samples, summary->wall_s, err);
}

void run_close(struct run *run) {
    journal_close(run->journal);
    plan_free(&run->plan);
}
