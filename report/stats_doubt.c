// SPDX-License-Identifier: Apache-2.0
// What dependence and drift cost; see the header. May include: core, report.
#include "report/stats_doubt.h"

#include "report/distribution.h"
#include "report/stats_shift.h"

#include <math.h>

// Where there are many pairs of neighbours, independent samples may be called autocorrelated in this share of cases.
static const double CORRELATION_ALPHA = 0.25;
// Where there are fewer, it is paid with doubt (0.6 standard errors): chosen so that five samples a side, of a
// first-order autoregression of 0.9, give a false "slower" in at most 3 % of cases (docs/method.md).
enum { CORRELATION_MIN_PAIRS = 30 };
// Autocorrelation that is certain (this many standard errors from none) is paid at its upper end, since too long a
// correlation time costs power and too short a one costs truth.
static const double CORRELATION_CERTAIN = 3;

double doubt_time(double rho, size_t pairs, double doubt) {
    if (pairs == 0)
        return 1;
    double error = 1 / sqrt((double)pairs);
    if (rho > CORRELATION_CERTAIN * error)
        return series_time_from_autocorrelation(rho + error);
    if (pairs < CORRELATION_MIN_PAIRS)
        return series_time_from_autocorrelation(rho + doubt * error);
    if (rho < dist_normal_quantile(1 - CORRELATION_ALPHA) * error)
        return 1;
    return series_time_from_autocorrelation(rho);
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
// (whatever trend it shows is allowed for) and closes as the trend test gains power.
static double drift_gate(size_t count) {
    double ratio = 9 / (double)count;
    return fmax(1e-6, fmin(1, ratio * ratio * ratio));
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
