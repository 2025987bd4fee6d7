// SPDX-License-Identifier: Apache-2.0
// Runs two cases in turn, in blocks of one sample each: a change of the machine's speed that is slower than a block
// meets both alike and is gone from their ratio. See runner.h.
#include "bench/runner.h"

#include "bench/run.h"
#include "core/memory.h"

#include <math.h>
#include <stdlib.h>

// The side that is behind goes next. Within a block the order is A B, then B A, then A B again ... so that neither is
// always first (a cold cache, a boost that is used up).
static struct run *next_side(struct run sides[2]) {
    unsigned a = plan_total(sides[0].plan.cases[0].done);
    unsigned b = plan_total(sides[1].plan.cases[0].done);
    if (a != b)
        return a < b ? &sides[0] : &sides[1];
    return &sides[a % 2];
}

static bool complete(const struct run *side) {
    const struct planned_case *c = &side->plan.cases[0];
    return plan_total(c->done) >= plan_total(c->planned);
}

// The costs of valid timing samples stand in the order of blocks; a block with an invalid sample shifts them, which
// makes the interval wider, never narrower than it is.
static bool narrow_enough(const struct run sides[2]) {
    const struct planned_case *a = &sides[0].plan.cases[0];
    const struct planned_case *b = &sides[1].plan.cases[0];
    const struct run_options *o = sides[0].options;
    size_t count = a->cost_count < b->cost_count ? a->cost_count : b->cost_count;
    return o->pairs_narrow_enough(b->costs, a->costs, count, o->until_pct);
}

// After a whole block: with --until, one more block if the interval is still too wide.
static void plan_block(struct run sides[2]) {
    bool whole = complete(&sides[0]) && complete(&sides[1]);
    if (!whole || isnan(sides[0].options->until_pct) || narrow_enough(sides))
        return;
    for (int i = 0; i < 2; i++)
        sides[i].plan.cases[0].planned[MODE_TIMING]++;
}

static void show(struct session *session, const struct run sides[2], const struct run *side, enum sample_mode mode) {
    const cJSON *label = cJSON_GetObjectItemCaseSensitive(side->options->header, "label");
    progress_sample(session->progress, cJSON_IsString(label) ? label->valuestring : "", sample_mode_names[mode],
                    plan_done(&sides[0].plan) + plan_done(&sides[1].plan),
                    plan_planned(&sides[0].plan) + plan_planned(&sides[1].plan),
                    plan_left_s(&sides[0].plan) + plan_left_s(&sides[1].plan));
}

static int run_blocks(struct session *session, struct run sides[2], struct error *err) {
    while (!complete(&sides[0]) || !complete(&sides[1])) {
        struct run *side = next_side(sides);
        struct planned_case *c = &side->plan.cases[0];
        bool over = false;
        if (session_over(session, side, &over, err))
            return -1;
        if (over)
            return 0;
        enum sample_mode mode = plan_next_mode(c);
        show(session, sides, side, mode);
        if (run_sample(side, c, mode, err) || session_calibrate_again(session, sides, 2, false, err))
            return -1;
        plan_block(sides);
    }
    return 0;
}

int run_pair(const struct run_options options[2], struct run_summary out[2], struct error *err) {
    struct session session;
    struct run sides[2];
    session_begin(&session, options[0].budget_s);
    for (int i = 0; i < 2; i++)
        sides[i] = (struct run){.session = &session, .options = &options[i], .summary = &out[i], .paired = true};
    int result = run_open(&sides[0], err) || run_open(&sides[1], err) ? -1 : 0;
    if (!result)
        result = session_open(&session, sides, 2, err);
    if (!result)
        result = run_blocks(&session, sides, err);
    if (!result && out[0].samples + out[1].samples)
        result = session_calibrate_again(&session, sides, 2, true, err);
    for (int i = 0; i < 2; i++) {
        if (sides[i].journal)
            result = run_end(&sides[i], result, err);
        run_close(&sides[i]);
    }
    session_close(&session);
    return result;
}
