// SPDX-License-Identifier: Apache-2.0
// How a shift begins and how its interval completes it. May include: core, report.
#include "report/stats_shift.h"

#include "report/distribution.h"

#include <math.h>

const char *stats_method_name(enum stats_method method) {
    static const char *const NAMES[] = {[STATS_NONE] = "none",
                                        [STATS_RANKS] = "ranks",
                                        [STATS_LOWER_RANKS] = "lower-ranks",
                                        [STATS_PAIRS] = "pairs",
                                        [STATS_LOWER_PAIRS] = "lower-pairs",
                                        [STATS_STEPS] = "steps",
                                        [STATS_UNITS] = "units"};
    return NAMES[method];
}

void stats_shift_finish(struct stats_shift *shift, double df) {
    double quantile = dist_t_quantile(1 - STATS_ALPHA / 2, df);
    shift->se = 0.5 * (shift->ci.high - shift->ci.low) / quantile;
    shift->planning_se = shift->se;
    shift->p = shift->se > 0 ? dist_t_two_sided(shift->estimate / shift->se, df) : (shift->estimate != 0 ? 0 : 1);
    shift->mde = (quantile + dist_t_quantile(STATS_POWER, df)) * shift->se + shift->drift_allowance;
    shift->ci.low -= shift->drift_allowance;
    shift->ci.high += shift->drift_allowance;
}

struct stats_shift stats_shift_refuse(struct stats_shift shift, enum stats_refusal refusal) {
    shift.refusal = refusal;
    shift.method = STATS_NONE;
    shift.ci = (struct stats_interval){NAN, NAN};
    shift.se = shift.p = shift.mde = NAN;
    shift.drift_allowance = 0;
    return shift;
}

struct stats_shift stats_shift_empty(void) {
    struct stats_shift shift = {.estimate = NAN, .planning_se = NAN};
    return stats_shift_refuse(shift, STATS_TOO_FEW);
}
