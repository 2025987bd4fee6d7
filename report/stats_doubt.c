// SPDX-License-Identifier: Apache-2.0
// What dependence and drift cost; see the header. May include: core, report.
#include "report/stats_doubt.h"

#include "report/distribution.h"
#include "report/stats_shift.h"

#include <math.h>

// --- dependence ------------------------------------------------------------------------------------------------------

// Falls with the number of samples: (at / count)^power, `most` at most.
static double fading(double count, double at, double power, double most) {
    return fmin(most, pow(at / count, power));
}

double doubt_time_apart(double rho, size_t pairs, double length) {
    if (pairs == 0)
        return 1;
    double known = fmax(0, 1 - 4 / length); // series of four show nothing of rho
    double shown = 1 + known * (0.6 + fading(length, 24, 3, 1.7));
    double error = known * fading(length, 17, 3, 2);
    return pow(series_time_from_autocorrelation(rho), shown) * exp(2 * error / sqrt((double)pairs));
}

// So many errors are paid.
static const double PAIRED_ERRORS = 0.3;
// The time grows as 1 / (1 - rho): the nearer to 1, the more an error costs.
static const double PAIRED_DEARER = 3;
// So many errors below 0, neighbours alternate for certain, and nothing is paid.
static const double PAIRED_NEGATIVE = 1.5;

// Bias is corrected in series of more than four (report/series.h), by a factor that multiplies the error as well. Paid
// in full, it would leave the shortest series nothing to tell at all, not even a factor of ten.
static const double MOST_CORRECTION = 1.5;

static double correction(double length) {
    return length > 4 ? fmin(MOST_CORRECTION, 1 / (1 - 3 / length)) : 1;
}

double doubt_time_paired(double rho, size_t pairs, double length) {
    if (pairs == 0)
        return 1;
    double error = 1 / sqrt((double)pairs);
    if (rho < -PAIRED_NEGATIVE * error)
        return 1;
    double shown = fmax(0, rho); // a negative one is chance more often than not
    return series_time_from_autocorrelation(shown +
                                            PAIRED_ERRORS * (1 + PAIRED_DEARER * shown) * error * correction(length));
}

// A few samples can look wholly dependent by chance, and then count for less than one. They are taken for two, which
// has one degree of freedom (t = 12.7), and still tells a difference far beyond the noise. Few pairs whose own
// differences depend so strongly are not seen through: six of 0.9 are right in 82 of 100.
static const double FEWEST_EFFECTIVE = 2;

double doubt_effective_size(size_t count, double time) {
    return fmin((double)count, fmax(FEWEST_EFFECTIVE, (double)count / time));
}

// Series of at least LONG samples that count for fewer than IDENTIFYING identify no small shift: they are taken for the
// fewest. Shorter ones show too little of their dependence to be told so; they pay for a level that wanders besides.
enum { LONG = 10 };
static const double IDENTIFYING = 5;
static const double FEWEST_OF_SHORT = 2.5;
// Half-widths that the widest interval has: more than twice what samples of 0.9 differ by (tests/sim).
static const double WIDEST = 12;

static double counted(double size, double many) {
    if (many < LONG)
        return fmax(FEWEST_OF_SHORT, size);
    return size < IDENTIFYING ? FEWEST_EFFECTIVE : size;
}

double doubt_widening(size_t m, size_t n, double size_m, double size_n) {
    // The correlation time is a guess of both series together: the smaller side's degrees of freedom stand for it.
    double many = fmin((double)m, (double)n);
    size_m = counted(size_m, many);
    size_n = counted(size_n, many);
    double few = fmin(size_m, size_n);
    double factor = sqrt((1 / size_m + 1 / size_n) / (1 / (double)m + 1 / (double)n)) *
                    dist_t_quantile(1 - STATS_ALPHA / 2, few - 1) / dist_t_quantile(1 - STATS_ALPHA / 2, many - 1);
    return fmin(WIDEST, fmax(1, factor));
}

double doubt_wander(size_t count) {
    return count < 30 ? fading((double)count, 13.5, 4, 7) : 0;
}

// --- drift -----------------------------------------------------------------------------------------------------------

// Below this p-value a trend is taken for real. A short series can hide a large drift, so the gate is wide open there
// (nearly whatever trend it shows is allowed for) and closes as the trend test gains power. The sharper test of skewed
// noise sees the same drift from fewer samples.
static double drift_gate(const struct series_check *check) {
    double n = (double)check->count;
    return check->sharp ? fmax(0.0001, fading(n, 16, 9, 0.7)) : fmax(0.003, fading(n, 17.5, 5, 0.7));
}

double doubt_drift(const struct series_check *check, double joint_p) {
    if (check->count < STATS_MIN_SAMPLES)
        return 0;
    double gate = drift_gate(check);
    if (joint_p > gate && check->drift_p > gate / 4)
        return 0;
    return fabs(check->drift);
}

double doubt_drift_paired(const struct series_check *check) {
    double gate = check->sharp ? drift_gate(check) : fmax(0.003, fading((double)check->count, 13.5, 5, 0.7));
    return check->count >= STATS_MIN_SAMPLES && check->drift_p <= gate / 4 ? 0.5 * fabs(check->drift) : 0;
}

double doubt_bridge(double change_a, double change_b, double half_width) {
    double change = 0.5 * (change_a + change_b);
    return change > 0 ? change + sqrt(3) * half_width : 0;
}

double doubt_joint_drift_p(const struct series_check *a, const struct series_check *b) {
    double z_a = copysign(-dist_normal_quantile(fmax(a->drift_p, 1e-300) / 2), a->drift);
    double z_b = copysign(-dist_normal_quantile(fmax(b->drift_p, 1e-300) / 2), b->drift);
    return dist_t_two_sided((z_a + z_b) / sqrt(2), INFINITY);
}

bool doubt_drift_is_certain(double p) {
    return p < 0.01;
}
