// SPDX-License-Identifier: Apache-2.0
// What dependence and drift cost; see the header. May include: core, report.
#include "report/stats_doubt.h"

#include "report/distribution.h"
#include "report/stats_shift.h"

#include <math.h>

// Chosen with some seeds of tests/sim/verdicts.c and checked with others (docs/method.md).
static const struct {
    double errors;   // standard errors that are added
    double negative; // so many below 0, neighbours alternate for certain, and nothing is paid
} DOUBTS[] = {[DOUBT_APART] = {0.55, INFINITY}, [DOUBT_PAIRED] = {0.3, 1.5}};

// The time grows as 1 / (1 - rho): the nearer to 1, the more an error costs.
static const double DEARER = 3;

// Bias is corrected in series of more than four (report/series.h), by a factor that multiplies the error as well. Paid
// in full, it would leave the shortest series nothing to tell at all, not even a factor of ten.
static const double MOST_CORRECTION = 1.5;

static double correction(double length) {
    return length > 4 ? fmin(MOST_CORRECTION, 1 / (1 - 3 / length)) : 1;
}

double doubt_time(double rho, size_t pairs, double length, enum doubt doubt) {
    if (pairs == 0)
        return 1;
    double error = 1 / sqrt((double)pairs);
    if (rho < -DOUBTS[doubt].negative * error)
        return 1;
    double shown = fmax(0, rho); // a negative one is chance more often than not
    return series_time_from_autocorrelation(shown +
                                            DOUBTS[doubt].errors * (1 + DEARER * shown) * error * correction(length));
}

// A few samples can look wholly dependent by chance, and then count for less than one. They are taken for two, which
// has one degree of freedom (t = 12.7): between two independent sides, an interval that wide holds the truth in 95 of
// 100 cases for any first-order autoregression up to 0.9 (tests/sim), and still tells a difference far beyond the
// noise. Few pairs whose own differences depend so strongly are not seen through: six of 0.9 are right in 82 of 100.
static const double FEWEST_EFFECTIVE = 2;

double doubt_effective_size(size_t count, double time) {
    return fmin((double)count, fmax(FEWEST_EFFECTIVE, (double)count / time));
}

// Below this p-value a trend is taken for real. A short series can hide a large drift, so the gate is wide open there
// (nearly whatever trend it shows is allowed for) and closes as the trend test gains power: at any size, a drift of two
// of the noise's standard deviations gets past it in about 2 % of cases (tests/sim/verdicts.c).
static double drift_gate(size_t count) {
    return fmax(0.003, fmin(0.7, pow(13.5 / (double)count, 5)));
}

double doubt_drift(const struct series_check *check, double joint_p) {
    if (check->count < STATS_MIN_SAMPLES)
        return 0;
    double gate = drift_gate(check->count);
    if (joint_p > gate && check->drift_p > gate / 4)
        return 0;
    return fabs(check->drift);
}

double doubt_joint_drift_p(const struct series_check *a, const struct series_check *b) {
    double z_a = copysign(-dist_normal_quantile(fmax(a->drift_p, 1e-300) / 2), a->drift);
    double z_b = copysign(-dist_normal_quantile(fmax(b->drift_p, 1e-300) / 2), b->drift);
    return dist_t_two_sided((z_a + z_b) / sqrt(2), INFINITY);
}

bool doubt_drift_is_certain(double p) {
    return p < 0.01;
}
