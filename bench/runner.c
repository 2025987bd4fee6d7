// SPDX-License-Identifier: Apache-2.0
// Runs a suite. See runner.h. One sample is one process (worker.c); which one is next is decided from what the journal
// holds already (plan.c), so that a resumed run needs no state of its own.
#include "bench/runner.h"

#include "bench/run.h"

#include <math.h>
#include <stdio.h>

static void say_complete(struct run *run, const struct planned_case *c) {
    if (plan_total(c->done) < plan_total(c->planned))
        return;
    char invalid[48] = "";
    if (c->invalid)
        snprintf(invalid, sizeof invalid, ", %u of them not valid", c->invalid);
    progress_line(run->session->progress, "%s: %u timing and %u attribution samples%s", c->suite_case->name,
                  c->done[MODE_TIMING], c->done[MODE_ATTRIBUTION], invalid);
}

static int run_samples(struct run *run, struct error *err) {
    struct planned_case *c;
    while ((c = plan_next(&run->plan)) != NULL) {
        bool over = false;
        if (session_over(run->session, run, &over, err))
            return -1;
        if (over)
            return 0;
        enum sample_mode mode = plan_next_mode(c);
        progress_sample(run->session->progress, c->suite_case->name, sample_mode_names[mode], plan_done(&run->plan),
                        plan_planned(&run->plan), plan_left_s(&run->plan));
        struct planned_case *shared[BENCH_MAX_FIGURES];
        size_t count = plan_sharing(&run->plan, c, mode, shared);
        if (run_sample(run, c, mode, err) || session_calibrate_again(run->session, run, 1, false, err))
            return -1;
        for (size_t i = 0; i < count; i++) {
            plan_more(&run->plan, shared[i]);
            say_complete(run, shared[i]);
        }
    }
    return 0;
}

int run_suite(const struct run_options *options, struct run_summary *out, struct error *err) {
    struct session session;
    struct run run = {.session = &session, .options = options, .summary = out};
    session_begin(&session, isfinite(options->budget_s) ? options->budget_s : options->suite->budget_s);
    int result = run_open(&run, err);
    if (!result)
        result = session_open(&session, &run, 1, err);
    if (!result)
        result = run_samples(&run, err);
    if (!result && run.summary->samples)
        result = session_calibrate_again(&session, &run, 1, true, err);
    if (run.journal)
        result = run_end(&run, result, err);
    run_close(&run);
    session_close(&session);
    return result;
}
