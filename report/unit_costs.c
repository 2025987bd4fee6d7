// SPDX-License-Identifier: Apache-2.0
// Doubts about unit costs; see the header. May include: core, report/dataset.h.
#include "report/unit_costs.h"

#include "core/memory.h"

static const double TOLD_DRIFT = 0.1; // share of the unit cost

char *unit_cost_doubt(const struct dataset *set, enum trap trap) {
    if (set->calibration_count == 0)
        return NULL;
    const struct trap_cost *cost = &set->calibrations[0].traps[trap];
    if (!cost->measured || !cost->exits)
        return NULL;
    double drift_s = calibration_drift(set->calibrations, set->calibration_count, trap);
    if (!calibration_agrees(cost, drift_s))
        return mem_printf(
            "what %s costs is not certain: timed one by one %.3g us (standard error %.2g), by regression of "
            "blocks %.3g us (%.2g); lines that rest on it may be wrong by as much",
            trap_name(trap), cost->mean_s * 1e6, cost->se_s * 1e6, cost->slope_s * 1e6, cost->slope_se_s * 1e6);
    if (drift_s > TOLD_DRIFT * cost->mean_s)
        return mem_printf(
            "what %s costs moved by %.0f %% in the course of the run (%.3g us at its begin): the intervals of "
            "lines that rest on it hold that",
            trap_name(trap), 100 * drift_s / cost->mean_s, cost->mean_s * 1e6);
    return NULL;
}
