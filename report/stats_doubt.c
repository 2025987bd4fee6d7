// SPDX-License-Identifier: Apache-2.0
// What dependence and drift cost; see the header, and report/doubt.h for the constants. May include: core, report.
#include "report/stats_doubt.h"

#include "report/distribution.h"
#include "report/doubt.h"
#include "report/stats_shift.h"

#include <math.h>

static const struct doubt_constants *const D = &doubt_constants;

static double fading(const struct doubt_curve *curve, double count) {
    return fmax(curve->least, fmin(curve->most, pow(curve->at / count, curve->power)));
}

// --- dependence ------------------------------------------------------------------------------------------------------

double doubt_time_apart(double rho, size_t pairs, double length) {
    if (pairs == 0)
        return 1;
    double known = fmax(0, 1 - 4 / length); // series of four show nothing of rho
    double shown = 1 + known * (D->shown + fading(&D->shown_few, length));
    double error = known * fading(&D->error_few, length);
    return pow(series_time_from_autocorrelation(rho), shown) * exp(2 * error / sqrt((double)pairs));
}

// Bias is corrected in series of more than four (report/series.h), by a factor that multiplies the error as well. Paid
// in full, it would leave the shortest series nothing to tell at all, not even a factor of ten.
static double correction(double length) {
    return length > 4 ? fmin(D->paired_correction, 1 / (1 - 3 / length)) : 1;
}

double doubt_time_paired(double rho, size_t pairs, double length) {
    if (pairs == 0)
        return 1;
    double error = 1 / sqrt((double)pairs);
    if (rho < -D->paired_alternate * error)
        return 1;
    double shown = fmax(0, rho); // a negative one is chance more often than not
    return series_time_from_autocorrelation(shown + D->paired_errors * (1 + D->paired_dearer * shown) * error *
                                                        correction(length));
}

// A few samples can look wholly dependent by chance, and then count for less than one. Taken for two, they still tell a
// difference far beyond the noise. Few pairs whose own differences depend so strongly are not seen through: six of 0.9
// are right in 82 of 100.
double doubt_effective_size(size_t count, double time) {
    return fmin((double)count, fmax(D->fewest, (double)count / time));
}

static double counted(double size, double many) {
    if (many < D->long_from)
        return fmax(D->fewest_of_short, size);
    return size < D->identifying ? D->fewest : size;
}

double doubt_widening(size_t m, size_t n, double size_m, double size_n) {
    // The correlation time is a guess of both series together: the smaller side's degrees of freedom stand for it.
    double many = fmin((double)m, (double)n);
    size_m = counted(size_m, many);
    size_n = counted(size_n, many);
    double few = fmin(size_m, size_n);
    double factor = sqrt((1 / size_m + 1 / size_n) / (1 / (double)m + 1 / (double)n)) *
                    dist_t_quantile(1 - STATS_ALPHA / 2, few - 1) / dist_t_quantile(1 - STATS_ALPHA / 2, many - 1);
    return fmin(D->widest, fmax(1, factor));
}

double doubt_wander(size_t count) {
    return (double)count < D->wander_until ? fading(&D->wander, (double)count) : 0;
}

// --- drift -----------------------------------------------------------------------------------------------------------

static double drift_gate(const struct series_check *check, const struct doubt_curve *by_all_ranks) {
    return fading(check->sharp ? &D->gate_sharp : by_all_ranks, (double)check->count);
}

double doubt_drift(const struct series_check *check, double joint_p) {
    if (check->count < STATS_MIN_SAMPLES)
        return 0;
    double gate = drift_gate(check, &D->gate_apart);
    if (joint_p > gate && check->drift_p > D->gate_single * gate)
        return 0;
    return fabs(check->drift);
}

double doubt_drift_paired(const struct series_check *check) {
    double gate = D->gate_single * drift_gate(check, &D->gate_paired);
    return check->count >= STATS_MIN_SAMPLES && check->drift_p <= gate ? 0.5 * fabs(check->drift) : 0;
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
    return p < D->certain;
}
