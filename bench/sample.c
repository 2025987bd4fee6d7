// SPDX-License-Identifier: Apache-2.0
// One sample: a process that works while collectors watch, and its line in the journal. See run.h.
#include "bench/run.h"
#include "bench/worker.h"
#include "collectors/untold.h"

#include "core/clock.h"
#include "core/knock.h"
#include "core/memory.h"
#include "core/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_result(const struct bench_result *result, struct journal_sample *s, cJSON **steps) {
    s->wall_s = result->wall_s;
    s->roi_s = result->roi_s > 0 ? result->roi_s : result->wall_s;
    s->fom = result->fom;
    if (result->step_count == 0)
        return;
    *steps = cJSON_CreateDoubleArray(result->steps_s, (int)result->step_count);
    s->steps_s = *steps;
}

static const char *pass_name(const struct run *run, const struct planned_case *c, enum sample_mode mode) {
    return mode == MODE_ATTRIBUTION ? collector_set_pass_name(run->session->collectors, plan_next_pass(&run->plan, c))
                                    : NULL;
}

// What came of a sample.
struct found {
    struct planned_case *cases[BENCH_MAX_FIGURES]; // that it is a sample of
    size_t case_count;
    const char *pass;
    struct worker *worker; // keeps the outcome's result; NULL if it could not be started
    struct worker_outcome outcome;
    struct collector_output here;   // by the collectors of this machine
    const struct nodes_rank *ranks; // what the agents on the nodes found
    size_t rank_count;
    struct mpi_wait wait; // how long ranks waited for each other, in attribution samples
};

// The sample of one of the cases. Of several that share the run each has its own figure.
static struct journal_sample line_of(const struct run *run, const struct found *f, size_t i, enum sample_mode mode,
                                     cJSON **steps) {
    const struct worker_outcome *outcome = &f->outcome;
    const struct bench_result *result = outcome->done ? outcome->result : NULL;
    const struct planned_case *c = f->cases[i];
    struct journal_sample s = {
        .case_name = c->suite_case->name,
        .seq = c->done[mode],
        .block = run->paired ? (int64_t)c->done[mode] : -1,
        .rank = -1,
        .mode = mode,
        .pass = f->pass,
        .start_ns = outcome->start_ns,
        .start_tsc = outcome->start_tsc,
        .end_tsc = outcome->end_tsc,
        .fom = NAN,
        .wall_s = (double)(outcome->end_ns - outcome->start_ns) * 1e-9,
        .valid = result && result->valid,
        .why = outcome->why[0] ? outcome->why : "the result was not verified",
        .circumstances = f->here.circumstances,
        .obs = *f->here.obs,
    };
    s.roi_s = s.wall_s;
    if (result)
        add_result(result, &s, steps);
    if (result && f->case_count > 1) {
        s.fom = result->figures[i].value;
        s.why = s.valid ? result->figures[i].why : s.why;
        s.valid &= !isnan(s.fom);
    }
    s.why = s.valid ? NULL : s.why;
    return s;
}

static int record_line(struct run *run, const struct found *f, size_t i, enum sample_mode mode, struct error *err) {
    cJSON *steps = NULL;
    struct planned_case *c = f->cases[i];
    struct journal_sample s = line_of(run, f, i, mode, &steps);
    int failed = f->rank_count ? record_ranks(run, &s, f->ranks, f->rank_count, &f->wait, err)
                               : journal_write_sample(run->journal, &s, err);
    if (!s.valid && s.why != f->outcome.why) // what holds for all is told once
        progress_line(run->session->progress, "%s: sample %u is not valid: %s", s.case_name, plan_total(c->done),
                      s.why);
    cJSON_Delete(steps);
    plan_count(c, mode, s.valid, s.fom, s.wall_s);
    run->summary->samples++;
    run->summary->invalid += !s.valid;
    return failed;
}

static int record_sample(struct run *run, const struct planned_case *c, enum sample_mode mode, const struct found *f,
                         struct error *err) {
    const struct worker_outcome *outcome = &f->outcome;
    if (outcome->result && outcome->result->info[0])
        json_add_string(f->here.circumstances, "info", outcome->result->info);
    if (record_notes(run, c, f->here.notes, err) || record_rank_notes(run, c, f->ranks, f->rank_count, err))
        return -1;
    for (size_t i = 0; i < f->case_count; i++)
        if (record_line(run, f, i, mode, err))
            return -1;
    return 0;
}

static void observe(struct run *run, struct planned_case *c, enum sample_mode mode, struct worker *worker,
                    struct worker_outcome *outcome, struct collector_output *found) {
    struct sample_window window = {.job = worker_pid(worker), .cpus = &c->cpus, .mode = mode};
    window.pass = mode == MODE_ATTRIBUTION ? plan_next_pass(&run->plan, c) : 0;
    knock(); // a host that is being recorded knows this guest and its clock by it
    window.start_ns = clock_now_ns();
    collector_set_begin(run->session->collectors, &window);
    worker_go(worker, c->suite_case->timeout_s, &session_stop, outcome);
    window.end_ns = clock_now_ns();
    window.cpu_s = outcome->cpu_s;
    window.live = outcome->live;
    window.roi_s = outcome->done && outcome->result->roi_s > 0 ? outcome->result->roi_s
                                                               : (double)(window.end_ns - window.start_ns) * 1e-9;
    collector_set_end(run->session->collectors, &window, found);
    worker_finish(worker, &session_stop, outcome);
}

// Puts what failed first before what the launcher says of it.
static void add_reason(struct worker_outcome *outcome, const char *reason) {
    if (!reason || strstr(reason, outcome->why) == reason)
        return;
    char *said = mem_strdup(outcome->why);
    struct str both = {0};
    str_printf(&both, "%s%s%s", reason, *said ? "; " : "", said);
    snprintf(outcome->why, sizeof outcome->why, "%.*s", (int)sizeof outcome->why - 1, str_text(&both));
    str_free(&both);
    free(said);
}

// The collectors are the agents'.
static void observe_nodes(struct run *run, struct planned_case *c, enum sample_mode mode, struct worker *worker,
                          struct found *f) {
    static const char nobody[] = "no rank was started through the launcher: nothing was observed";
    struct nodes *nodes = run->session->nodes;
    worker_go(worker, c->suite_case->timeout_s, &session_stop, &f->outcome);
    worker_finish(worker, &session_stop, &f->outcome);
    bool failed = !f->outcome.done || !f->outcome.result->valid;
    if (failed)
        worker_kill(worker);
    uint64_t begin = clock_now_ns();
    f->rank_count = nodes_gather(nodes, failed, &session_stop, &f->ranks);
    run->summary->recording_s += (double)(clock_now_ns() - begin) * 1e-9;
    if (failed)
        add_reason(&f->outcome, nodes_reason(nodes));
    if (failed || f->rank_count)
        return;
    cJSON_AddItemToArray(f->here.notes, cJSON_CreateString(nobody));
    untold_by_all(mode, nobody, f->here.obs);
}

// Before the ranks start, and when they have ended.
static void ask_for_waiting(const struct planned_case *c, enum sample_mode mode, struct bench_context *context,
                            struct found *f) {
    if (mode == MODE_ATTRIBUTION && c->suite_case->ops->launches && mpi_wait_begin(&f->wait, context->exec_dir))
        context->wait_file = f->wait.file;
}

static void read_waiting(struct found *f, const cJSON *gathered) {
    struct error err;
    struct observation sum;
    char text[512];
    if ((gathered ? mpi_wait_take(gathered, &f->wait, &err) : mpi_wait_read(&f->wait, &err)) < 0) {
        error_line(&err, text, sizeof text);
        cJSON_AddItemToArray(f->here.notes, cJSON_CreateString(text));
        observations_untold(f->here.obs, (struct untold){CAUSE_MPI_WAIT, SCOPE_LATENCY, BASIS_TIMED, text});
    }
    if (mpi_wait_sum(&f->wait, &sum))
        observations_add(f->here.obs, sum);
}

// Agents that were lost in an earlier sample are started anew.
static int prepare_nodes(struct run *run, struct planned_case *c, enum sample_mode mode, struct bench_context *context,
                         struct found *f, struct error *err) {
    struct nodes *nodes = run->session->nodes;
    int got = nodes_prepare(nodes, mode, pass_name(run, c, mode), &session_stop, err);
    if (got > 0)
        cJSON_AddItemToArray(f->here.notes, cJSON_CreateString("the agents on the nodes were started anew"));
    context->launch = nodes_launch(nodes);
    return got < 0 ? -1 : 0;
}

// Runs it, as far as it comes.
static void make_sample(struct run *run, struct planned_case *c, enum sample_mode mode, struct found *f) {
    const char *figures[BENCH_MAX_FIGURES + 1] = {NULL};
    struct bench_context context = c->context;
    bool over_nodes = run->session->nodes && c->suite_case->ops->launches;
    struct worker *worker = NULL;
    struct error why;
    context.better = c->fom.better;
    f->pass = pass_name(run, c, mode);
    f->case_count = plan_sharing(&run->plan, c, mode, f->cases);
    for (size_t i = 0; i < f->case_count; i++)
        figures[i] =
            c->suite_case->ops->figure ? bench_param_text(&f->cases[i]->context, c->suite_case->ops->figure) : NULL;
    context.figures = f->case_count > 1 ? figures : NULL;
    if (mode == MODE_ATTRIBUTION)
        context.least_cpu_s = collector_set_pass_cpu_s(run->session->collectors, plan_next_pass(&run->plan, c));
    if (!over_nodes) // guards do it on the nodes
        ask_for_waiting(c, mode, &context, f);
    if (!over_nodes || prepare_nodes(run, c, mode, &context, f, &why) == 0)
        worker = worker_start(c->suite_case->ops, &context, c->suite_case->timeout_s, &session_stop,
                              over_nodes ? nodes_peer(run->session->nodes) : NULL, &why);
    if (!worker) {
        f->outcome.end_ns = clock_now_ns();
        error_line(&why, f->outcome.why, sizeof f->outcome.why);
    } else if (over_nodes) {
        observe_nodes(run, c, mode, worker, f);
    } else {
        observe(run, c, mode, worker, &f->outcome, &f->here);
    }
    f->worker = worker;
    read_waiting(f, over_nodes ? nodes_waiting(run->session->nodes) : NULL);
}

int run_sample(struct run *run, struct planned_case *c, enum sample_mode mode, struct error *err) {
    struct observations obs = {0};
    struct found f = {.here = {&obs, cJSON_CreateObject(), cJSON_CreateArray()}};
    uint64_t begin = clock_now_ns();
    f.outcome.start_ns = begin;
    make_sample(run, c, mode, &f);
    // A sample that the user stopped is not a result: a resumed run makes it again.
    uint64_t record = clock_now_ns();
    int result = session_stop ? 0 : record_sample(run, c, mode, &f, err);
    run->summary->recording_s += (double)(clock_now_ns() - record) * 1e-9;
    if (f.outcome.why[0] && !session_stop)
        progress_line(run->session->progress, "%s: sample %u is not valid: %s", c->suite_case->name,
                      plan_total(c->done) - 1, f.outcome.why);
    worker_end(f.worker);
    struct planned_case *first = &run->plan.cases[c->group];
    first->spent_s += (double)(clock_now_ns() - begin) * 1e-9;
    first->spent_samples++;
    mpi_wait_end(&f.wait);
    observations_free(&obs);
    cJSON_Delete(f.here.circumstances);
    cJSON_Delete(f.here.notes);
    return result;
}
