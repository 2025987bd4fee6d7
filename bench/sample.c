// SPDX-License-Identifier: Apache-2.0
// One sample: a process that works while collectors watch, and its line in the journal. See run.h.
#include "bench/run.h"
#include "bench/worker.h"

#include "core/clock.h"

#include <math.h>

static void add_result(const struct bench_result *result, struct journal_sample *s, cJSON **steps) {
    s->wall_s = result->wall_s;
    s->roi_s = result->roi_s > 0 ? result->roi_s : result->wall_s;
    s->fom = result->fom;
    if (result->step_count == 0)
        return;
    *steps = cJSON_CreateDoubleArray(result->steps_s, (int)result->step_count);
    s->steps_s = *steps;
}

static int record_sample(struct run *run, struct planned_case *c, enum sample_mode mode,
                         const struct worker_outcome *outcome, struct collector_output *found, struct error *err) {
    cJSON *steps = NULL;
    struct journal_sample s = {
        .case_name = c->suite_case->name,
        .seq = c->done[mode],
        .block = run->paired ? (int64_t)c->done[mode] : -1,
        .rank = -1,
        .mode = mode,
        .pass = mode == MODE_ATTRIBUTION
                    ? collector_set_pass_name(run->session->collectors, plan_next_pass(&run->plan, c))
                    : NULL,
        .start_ns = outcome->start_ns,
        .start_tsc = outcome->start_tsc,
        .end_tsc = outcome->end_tsc,
        .fom = NAN,
        .wall_s = (double)(outcome->end_ns - outcome->start_ns) * 1e-9,
        .valid = outcome->done && outcome->result->valid,
        .circumstances = found->circumstances,
        .obs = *found->obs,
    };
    s.roi_s = s.wall_s;
    if (outcome->done)
        add_result(outcome->result, &s, &steps);
    if (outcome->result && outcome->result->info[0])
        json_add_string(found->circumstances, "info", outcome->result->info);
    if (!s.valid)
        s.why = outcome->why[0] ? outcome->why : "the result was not verified";
    int failed = record_notes(run, c, found->notes, err) || journal_write_sample(run->journal, &s, err);
    cJSON_Delete(steps);
    plan_count(c, mode, s.valid, s.fom, s.wall_s);
    run->summary->samples++;
    run->summary->invalid += !s.valid;
    return failed ? -1 : 0;
}

static void observe(struct run *run, struct planned_case *c, enum sample_mode mode, struct worker *worker,
                    struct worker_outcome *outcome, struct collector_output *found) {
    struct sample_window window = {.job = worker_pid(worker), .cpus = &c->cpus, .mode = mode};
    window.pass = mode == MODE_ATTRIBUTION ? plan_next_pass(&run->plan, c) : 0;
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

int run_sample(struct run *run, struct planned_case *c, enum sample_mode mode, struct error *err) {
    struct observations obs = {0};
    struct collector_output found = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
    struct worker_outcome outcome = {.start_ns = clock_now_ns()};
    struct error why;
    uint64_t begin = outcome.start_ns;
    struct worker *worker =
        worker_start(c->suite_case->ops, &c->context, c->suite_case->timeout_s, &session_stop, &why);
    if (worker) {
        observe(run, c, mode, worker, &outcome, &found);
    } else {
        outcome.end_ns = clock_now_ns();
        error_line(&why, outcome.why, sizeof outcome.why);
    }
    // A sample that the user stopped is not a result: a resumed run makes it again.
    int result = session_stop ? 0 : record_sample(run, c, mode, &outcome, &found, err);
    if (outcome.why[0] && !session_stop)
        progress_line(run->session->progress, "%s: sample %u is not valid: %s", c->suite_case->name,
                      plan_total(c->done) - 1, outcome.why);
    worker_end(worker);
    c->spent_s += (double)(clock_now_ns() - begin) * 1e-9;
    c->spent_samples++;
    observations_free(&obs);
    cJSON_Delete(found.circumstances);
    cJSON_Delete(found.notes);
    return result;
}
