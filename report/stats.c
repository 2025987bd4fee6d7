// SPDX-License-Identifier: Apache-2.0
// Shifts, intervals and verdicts; the header has the rules and their sources. May include: core, report.
#include "report/stats.h"

#include "core/memory.h"
#include "report/distribution.h"
#include "report/ranks.h"
#include "report/sort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double ALPHA = 1 - STATS_CONFIDENCE;

// --- sorted arrays --------------------------------------------------------------------------------------------------

void stats_sort(double *value, size_t count) {
    sort_doubles(value, count);
}

static double *sorted_copy(const double *value, size_t count) {
    double *copy = mem_alloc((count ? count : 1) * sizeof *copy);
    if (count)
        memcpy(copy, value, count * sizeof *copy);
    stats_sort(copy, count);
    return copy;
}

double stats_quantile_sorted(const double *sorted, size_t count, double p) {
    if (count == 0)
        return NAN;
    double place = p * (double)(count - 1);
    size_t below = (size_t)place;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

// --- what autocorrelation and drift cost ----------------------------------------------------------------------------

// Where there are many pairs of neighbours, independent samples may be called autocorrelated in this share of cases.
static const double CORRELATION_ALPHA = 0.25;
// Where there are fewer, what the series shows is paid with this many standard errors more: chosen so that five samples
// a side, of a first-order autoregression of 0.9, give a false "slower" in at most 3 % of cases (docs/method.md).
enum { CORRELATION_MIN_PAIRS = 30 };
static const double CORRELATION_DOUBT = 0.6;
// Autocorrelation that is certain (this many standard errors from none) is paid at its upper end, since too long a
// correlation time costs power and too short a one costs truth.
static const double CORRELATION_CERTAIN = 3;

// The integrated autocorrelation time to pay for. Pairs of interleaved samples need no doubt: what is slower than a
// block is in both halves and gone.
static double time_to_pay(double rho, size_t pairs, double doubt) {
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

static double effective_size(size_t count, double time) {
    return fmin((double)count, fmax(FEWEST_EFFECTIVE, (double)count / time));
}

// A drift is called certain below this p-value; more samples of the same kind would drift too.
static const double DRIFT_CERTAIN = 0.01;

// Below this p-value a trend is taken for real. A short series can hide a large drift, so the gate is wide open there
// (whatever trend it shows is allowed for) and closes as the trend test gains power.
static double drift_gate(size_t count) {
    double ratio = 9 / (double)count;
    return fmax(1e-6, fmin(1, ratio * ratio * ratio));
}

static double drift_allowance(const struct series_check *check, double joint_p) {
    if (check->count < STATS_MIN_SAMPLES)
        return 0;
    double gate = drift_gate(check->count);
    if (joint_p > gate && check->drift_p > gate / 4)
        return 0;
    return fabs(check->drift);
}

// One trend test for both sides: two machines that warm up alike, or one after the other on one machine.
static double joint_drift_p(const struct series_check *a, const struct series_check *b) {
    double z_a = copysign(-dist_normal_quantile(fmax(a->drift_p, 1e-300) / 2), a->drift);
    double z_b = copysign(-dist_normal_quantile(fmax(b->drift_p, 1e-300) / 2), b->drift);
    return dist_t_two_sided((z_a + z_b) / sqrt(2), INFINITY);
}

// --- intervals ------------------------------------------------------------------------------------------------------

static void finish(struct stats_shift *shift, double df) {
    double quantile = dist_t_quantile(1 - ALPHA / 2, df);
    shift->se = 0.5 * (shift->ci.high - shift->ci.low) / quantile;
    shift->planning_se = shift->se;
    shift->p = shift->se > 0 ? dist_t_two_sided(shift->estimate / shift->se, df) : (shift->estimate != 0 ? 0 : 1);
    shift->mde = (quantile + dist_t_quantile(STATS_POWER, df)) * shift->se + shift->drift_allowance;
    shift->ci.low -= shift->drift_allowance;
    shift->ci.high += shift->drift_allowance;
}

static struct stats_shift refuse(struct stats_shift shift, enum stats_refusal refusal) {
    shift.refusal = refusal;
    shift.method = STATS_NONE;
    shift.ci = (struct stats_interval){NAN, NAN};
    shift.se = shift.p = shift.mde = NAN;
    shift.drift_allowance = 0;
    return shift;
}

static void widen(struct stats_shift *shift, double factor) {
    shift->ci.low = shift->estimate - factor * (shift->estimate - shift->ci.low);
    shift->ci.high = shift->estimate + factor * (shift->ci.high - shift->estimate);
}

static struct stats_interval interval_from_cut(const struct ranks_pairs *set, uint64_t cut) {
    return (struct stats_interval){ranks_order(set, cut), ranks_order(set, ranks_size(set) + 1 - cut)};
}

static struct stats_shift empty_shift(void) {
    struct stats_shift shift = {.estimate = NAN, .planning_se = NAN};
    return refuse(shift, STATS_TOO_FEW);
}

// Samples of both sides together from which their skewness can be seen (Hogg, Fisher & Randles ask for 20).
enum { SKEWNESS_MIN = 40 };

// Bursts and a sharp lower edge are a guest's usual noise; there the lower half of the ranks tells a shift far better.
static void narrow_if_skewed(struct stats_shift *shift, const struct ranks_pairs *set) {
    struct ranks_shift all = {shift->estimate, shift->ci.low, shift->ci.high};
    struct ranks_shift lower;
    if (shift->method != STATS_RANKS || set->m + set->n < SKEWNESS_MIN || !ranks_skewed(set, shift->estimate) ||
        !ranks_lower_half(set, dist_normal_quantile(1 - ALPHA / 2), &all, &lower))
        return;
    shift->method = STATS_LOWER_RANKS;
    shift->estimate = lower.estimate;
    shift->ci = (struct stats_interval){lower.low, lower.high};
}

// One run a side: ranks.
static struct stats_shift compare_runs(const struct stats_run *subject, const struct stats_run *baseline) {
    struct stats_shift shift = empty_shift();
    size_t m = subject->count;
    size_t n = baseline->count;
    shift.subject_count = m;
    shift.baseline_count = n;
    shift.subject_units = shift.baseline_units = 1;
    shift.subject = series_check(subject->value, m);
    shift.baseline = series_check(baseline->value, n);
    if (m == 0 || n == 0)
        return shift;

    double *x = sorted_copy(subject->value, m);
    double *y = sorted_copy(baseline->value, n);
    struct ranks_pairs set = {x, m, y, n};
    shift.estimate = ranks_median(&set);
    uint64_t cut = dist_mann_whitney_cut(m, n, ALPHA, NULL);
    if (cut > 0) {
        shift.method = STATS_RANKS;
        shift.refusal = STATS_IDENTIFIED;
        shift.ci = interval_from_cut(&set, cut);
    }
    narrow_if_skewed(&shift, &set);
    free(x);
    free(y);

    size_t pairs = 0;
    shift.autocorrelation =
        series_pooled_autocorrelation((const double *[]){subject->value, baseline->value}, (size_t[]){m, n}, 2, &pairs);
    double pooled = time_to_pay(shift.autocorrelation, pairs, CORRELATION_DOUBT);
    double size_m = effective_size(m, fmax(pooled, shift.subject.time));
    double size_n = effective_size(n, fmax(pooled, shift.baseline.time));
    shift.effective = fmin(size_m, size_n);
    struct stats_mean mean_s = stats_mean(subject->value, m, 1);
    struct stats_mean mean_b = stats_mean(baseline->value, n, 1);
    shift.planning_se = stats_mean_difference(&mean_s, &mean_b).se;
    if (cut == 0 || m < STATS_MIN_SAMPLES || n < STATS_MIN_SAMPLES)
        return refuse(shift, STATS_TOO_FEW);

    // The correlation time is a guess of both series together: the smaller side's degrees of freedom stand for it.
    double df = size_m + size_n - 2;
    double few = shift.effective - 1;
    double many = fmin((double)m, (double)n) - 1;
    double factor = sqrt((1 / size_m + 1 / size_n) / (1 / (double)m + 1 / (double)n)) *
                    dist_t_quantile(1 - ALPHA / 2, few) / dist_t_quantile(1 - ALPHA / 2, many);
    widen(&shift, fmax(1, factor));
    double joint = joint_drift_p(&shift.subject, &shift.baseline);
    shift.drift_allowance = drift_allowance(&shift.subject, joint) + drift_allowance(&shift.baseline, joint);
    shift.drifts = fmin(joint, fmin(shift.subject.drift_p, shift.baseline.drift_p)) < DRIFT_CERTAIN;
    finish(&shift, df);
    return shift;
}

struct stats_shift stats_compare_paired(const double *difference, size_t count) {
    struct stats_shift shift = empty_shift();
    shift.subject_count = shift.baseline_count = count;
    shift.subject_units = shift.baseline_units = 1;
    shift.subject = shift.baseline = series_check(difference, count);
    if (count == 0)
        return shift;

    double *x = sorted_copy(difference, count);
    struct ranks_pairs set = {x, count, NULL, 0};
    shift.estimate = ranks_median(&set);
    uint64_t cut = dist_signed_rank_cut(count, ALPHA, NULL);
    if (cut > 0) {
        shift.method = STATS_PAIRS;
        shift.refusal = STATS_IDENTIFIED;
        shift.ci = interval_from_cut(&set, cut);
    }
    free(x);

    shift.autocorrelation = shift.subject.autocorrelation;
    double time = time_to_pay(shift.autocorrelation, count - 1, 0);
    shift.effective = effective_size(count, fmax(time, shift.subject.time));
    shift.planning_se = stats_mean(difference, count, 1).se;
    if (cut == 0)
        return refuse(shift, STATS_TOO_FEW);

    double df = shift.effective - 1;
    double factor = sqrt((double)count / shift.effective) * dist_t_quantile(1 - ALPHA / 2, df) /
                    dist_t_quantile(1 - ALPHA / 2, (double)count - 1);
    widen(&shift, fmax(1, factor));
    // Slow drift is in both halves of a pair; what is left of it in the differences is allowed for if it is certain.
    if (count >= 8)
        shift.drift_allowance = drift_allowance(&shift.subject, 1);
    shift.drifts = shift.subject.drift_p < DRIFT_CERTAIN;
    finish(&shift, df);
    return shift;
}

// --- several runs or machines a side ---------------------------------------------------------------------------------

// What is resampled as a whole: a machine's runs joined, or one run.
struct unit {
    double *sorted;
    size_t count;
};

struct units {
    struct unit *unit;
    size_t count;
    bool machines;
};

static size_t distinct_machines(const struct stats_side *side) {
    size_t distinct = 0;
    for (size_t i = 0; i < side->count; i++) {
        size_t j = 0;
        while (j < i && side->run[j].machine != side->run[i].machine)
            j++;
        distinct += j == i;
    }
    return distinct;
}

static void unit_add(struct unit *unit, const struct stats_run *run) {
    unit->sorted = mem_resize(unit->sorted, (unit->count + run->count) * sizeof *unit->sorted);
    memcpy(unit->sorted + unit->count, run->value, run->count * sizeof *unit->sorted);
    unit->count += run->count;
}

static struct units make_units(const struct stats_side *side) {
    struct units units = {.unit = mem_alloc(side->count * sizeof *units.unit), .machines = distinct_machines(side) > 1};
    unsigned *machine = mem_alloc(side->count * sizeof *machine);
    for (size_t i = 0; i < side->count; i++) {
        size_t u = units.count;
        for (size_t j = 0; units.machines && j < units.count; j++)
            if (machine[j] == side->run[i].machine)
                u = j;
        if (u == units.count)
            machine[units.count++] = side->run[i].machine;
        unit_add(&units.unit[u], &side->run[i]);
    }
    for (size_t u = 0; u < units.count; u++)
        stats_sort(units.unit[u].sorted, units.unit[u].count);
    free(machine);
    return units;
}

static void free_units(struct units *units) {
    for (size_t u = 0; u < units->count; u++)
        free(units->unit[u].sorted);
    free(units->unit);
}

static double median_of(double *value, size_t count) {
    stats_sort(value, count);
    return stats_quantile_sorted(value, count, 0.5);
}

enum { RESAMPLES = 2000, RESAMPLE_WORK = 20000000 };

// Variance of the median of all unit-by-unit shifts when the units of one side are resampled, scaled for their number.
static double resampled_variance(const double *table, size_t rows, size_t columns, bool over_rows,
                                 struct dist_rng *rng) {
    size_t units = over_rows ? rows : columns;
    if (units < 2)
        return 0;
    size_t rounds = RESAMPLE_WORK / (rows * columns);
    rounds = rounds > RESAMPLES ? RESAMPLES : rounds < 100 ? 100 : rounds;
    double *pick = mem_alloc(rows * columns * sizeof *pick);
    double *result = mem_alloc(rounds * sizeof *result);
    for (size_t r = 0; r < rounds; r++) {
        for (size_t u = 0; u < units; u++) {
            size_t chosen = dist_rng_below(rng, units);
            size_t others = over_rows ? columns : rows;
            for (size_t o = 0; o < others; o++)
                pick[u * others + o] = over_rows ? table[chosen * columns + o] : table[o * columns + chosen];
        }
        result[r] = median_of(pick, rows * columns);
    }
    struct stats_mean spread = stats_mean(result, rounds, 1);
    double variance = spread.se * spread.se * (double)rounds * (double)units / (double)(units - 1);
    free(pick);
    free(result);
    return variance;
}

static struct series_check longest_check(const struct stats_side *side) {
    size_t longest = 0;
    for (size_t i = 1; i < side->count; i++)
        if (side->run[i].count > side->run[longest].count)
            longest = i;
    return series_check(side->run[longest].value, side->run[longest].count);
}

// Variance of a single unit's level, from its interval against itself.
static double single_unit_variance(const struct stats_side *side) {
    double floor = stats_noise_floor(side, longest_check(side).time) / dist_normal_quantile(1 - ALPHA / 2);
    return 0.5 * floor * floor;
}

static double satterthwaite(double variance_a, double df_a, double variance_b, double df_b) {
    double sum = variance_a + variance_b;
    double parts = 0;
    if (variance_a > 0)
        parts += variance_a * variance_a / df_a;
    if (variance_b > 0)
        parts += variance_b * variance_b / df_b;
    return parts > 0 ? sum * sum / parts : INFINITY;
}

static size_t side_samples(const struct stats_side *side) {
    size_t total = 0;
    for (size_t i = 0; i < side->count; i++)
        total += side->run[i].count;
    return total;
}

static struct stats_shift compare_units(const struct stats_side *subject, const struct stats_side *baseline,
                                        uint64_t seed) {
    struct stats_shift shift = empty_shift();
    struct units rows = make_units(subject);
    struct units columns = make_units(baseline);
    double *table = mem_alloc(rows.count * columns.count * sizeof *table);
    for (size_t i = 0; i < rows.count; i++)
        for (size_t j = 0; j < columns.count; j++)
            table[i * columns.count + j] = ranks_median(&(struct ranks_pairs){
                rows.unit[i].sorted, rows.unit[i].count, columns.unit[j].sorted, columns.unit[j].count});

    struct dist_rng rng;
    dist_rng_seed(&rng, seed);
    double variance_subject = rows.count > 1 ? resampled_variance(table, rows.count, columns.count, true, &rng)
                                             : single_unit_variance(subject);
    double variance_baseline = columns.count > 1 ? resampled_variance(table, rows.count, columns.count, false, &rng)
                                                 : single_unit_variance(baseline);
    double df_subject = (double)(rows.count > 1 ? rows.count : side_samples(subject)) - 1;
    double df_baseline = (double)(columns.count > 1 ? columns.count : side_samples(baseline)) - 1;

    shift.estimate = median_of(table, rows.count * columns.count);
    shift.method = STATS_UNITS;
    shift.refusal = STATS_IDENTIFIED;
    shift.subject_count = side_samples(subject);
    shift.baseline_count = side_samples(baseline);
    shift.subject_units = rows.count;
    shift.baseline_units = columns.count;
    shift.units_are_machines = rows.machines || columns.machines;
    shift.effective = fmin(df_subject, df_baseline) + 1;
    shift.subject = longest_check(subject);
    shift.baseline = longest_check(baseline);
    free(table);
    free_units(&rows);
    free_units(&columns);

    double se = sqrt(variance_subject + variance_baseline);
    if (!isfinite(se))
        return refuse(shift, STATS_TOO_FEW);
    double df = satterthwaite(variance_subject, df_subject, variance_baseline, df_baseline);
    double half = dist_t_quantile(1 - ALPHA / 2, df) * se;
    shift.ci = (struct stats_interval){shift.estimate - half, shift.estimate + half};
    finish(&shift, df);
    return shift;
}

// Runs without samples say nothing; they are left out before anything is computed.
static struct stats_side without_empty_runs(const struct stats_side *side, struct stats_run *store) {
    struct stats_side kept = {.run = store};
    for (size_t i = 0; i < side->count; i++)
        if (side->run[i].count > 0)
            store[kept.count++] = side->run[i];
    return kept;
}

struct stats_shift stats_compare(const struct stats_side *subject, const struct stats_side *baseline, uint64_t seed) {
    struct stats_run *store = mem_alloc((subject->count + baseline->count + 1) * sizeof *store);
    struct stats_side a = without_empty_runs(subject, store);
    struct stats_side b = without_empty_runs(baseline, store + subject->count);
    struct stats_shift shift = empty_shift();
    shift.subject_count = side_samples(&a);
    shift.baseline_count = side_samples(&b);
    if (a.count == 1 && b.count == 1)
        shift = compare_runs(&a.run[0], &b.run[0]);
    else if (a.count > 0 && b.count > 0)
        shift = compare_units(&a, &b, seed);
    free(store);
    return shift;
}

// --- verdicts -------------------------------------------------------------------------------------------------------

enum stats_verdict stats_verdict(const struct stats_shift *shift, double limit) {
    if (shift->refusal != STATS_IDENTIFIED)
        return STATS_CANNOT_TELL;
    if (shift->ci.low > 0)
        return STATS_SLOWER;
    return shift->ci.high < limit ? STATS_NOT_SLOWER : STATS_CANNOT_TELL;
}

const char *stats_verdict_name(enum stats_verdict verdict) {
    static const char *const NAMES[] = {
        [STATS_CANNOT_TELL] = "cannot-tell", [STATS_SLOWER] = "slower", [STATS_NOT_SLOWER] = "not-slower"};
    return NAMES[verdict];
}

const char *stats_method_name(enum stats_method method) {
    static const char *const NAMES[] = {
        [STATS_NONE] = "none",   [STATS_RANKS] = "ranks", [STATS_LOWER_RANKS] = "lower-ranks",
        [STATS_PAIRS] = "pairs", [STATS_STEPS] = "steps", [STATS_UNITS] = "units"};
    return NAMES[method];
}

enum { MIN_PAIRS = 6, DRIFT_TESTABLE = 30 };

// What one more observation is of, and how many there are of it on the side that has fewer.
static double fewest(const struct stats_shift *shift) {
    bool units = shift->method == STATS_UNITS;
    size_t subject = units ? shift->subject_units : shift->subject_count;
    size_t baseline = units ? shift->baseline_units : shift->baseline_count;
    return (double)(subject < baseline ? subject : baseline);
}

// How many times the present squared error one observation a side has.
static double single_error_factor(const struct stats_shift *shift) {
    bool units = shift->method == STATS_UNITS;
    double subject = (double)(units ? shift->subject_units : shift->subject_count);
    double baseline = (double)(units ? shift->baseline_units : shift->baseline_count);
    return 2 / (1 / subject + 1 / baseline);
}

double stats_samples_needed(const struct stats_shift *shift, double limit) {
    if (stats_verdict(shift, limit) != STATS_CANNOT_TELL)
        return 0;
    if (!(shift->planning_se > 0) || (shift->drift_allowance > 0 && shift->drifts))
        return NAN;
    double distance = fmax(shift->estimate, limit - shift->estimate); // to the nearer way of deciding
    double quantiles = dist_normal_quantile(1 - ALPHA / 2) + dist_normal_quantile(STATS_POWER);
    double ratio = quantiles * shift->planning_se / distance;
    double needed = ceil(ratio * ratio * single_error_factor(shift));
    // Enough for an interval, and where a drift could not be excluded, enough to test for one.
    needed = fmax(needed, shift->drift_allowance > 0 ? DRIFT_TESTABLE : MIN_PAIRS);
    return fmax(1, needed - fewest(shift));
}

double stats_noise_floor(const struct stats_side *side, double time) {
    if (side->count == 0)
        return NAN;
    if (side->count == 1) {
        const struct stats_run *run = &side->run[0];
        uint64_t cut = run->count < STATS_MIN_SAMPLES ? 0 : dist_mann_whitney_cut(run->count, run->count, ALPHA, NULL);
        if (cut == 0)
            return NAN;
        double *x = sorted_copy(run->value, run->count);
        struct ranks_pairs set = {x, run->count, x, run->count}; // symmetric around 0
        double floor = ranks_order(&set, ranks_size(&set) + 1 - cut);
        free(x);
        return floor * sqrt(fmax(1, time));
    }
    struct units units = make_units(side);
    double *level = mem_alloc(units.count * sizeof *level);
    for (size_t u = 0; u < units.count; u++)
        level[u] = stats_quantile_sorted(units.unit[u].sorted, units.unit[u].count, 0.5);
    struct stats_mean mean = stats_mean(level, units.count, 1);
    double floor = sqrt(2) * mean.se * dist_t_quantile(1 - ALPHA / 2, 2 * mean.df);
    free(level);
    free_units(&units);
    return floor;
}

// --- summaries and means
// ----------------------------------------------------------------------------------------------

// The largest c with P(Binomial(n, 1/2) <= c-1) <= alpha/2: the median lies between the c-th smallest and largest.
static size_t median_cut(size_t n) {
    if (n > 1000) {
        double c = floor((double)n / 2 + 0.5 + dist_normal_quantile(ALPHA / 2) * sqrt((double)n) / 2);
        return c < 0 ? 0 : (size_t)c;
    }
    double below = 0;
    for (size_t c = 0; c <= n; c++) {
        double size = (double)n;
        double k = (double)c;
        below += exp(lgamma(size + 1) - lgamma(k + 1) - lgamma(size - k + 1) - size * log(2));
        if (below > ALPHA / 2)
            return c;
    }
    return n;
}

struct stats_summary stats_summarise(const double *value, size_t count) {
    return stats_summarise_known(value, count, series_check(value, count).time);
}

struct stats_summary stats_summarise_known(const double *value, size_t count, double time) {
    struct stats_summary summary = {
        .count = count, .median = NAN, .median_ci = {NAN, NAN}, .mean = NAN, .cv_pct = NAN, .min = NAN, .max = NAN};
    if (count == 0)
        return summary;
    double *sorted = sorted_copy(value, count);
    summary.median = stats_quantile_sorted(sorted, count, 0.5);
    summary.min = sorted[0];
    summary.max = sorted[count - 1];
    struct stats_mean mean = stats_mean(value, count, 1);
    summary.mean = mean.mean;
    if (count > 1 && mean.mean != 0)
        summary.cv_pct = 100 * mean.se * sqrt((double)count) / fabs(mean.mean);

    size_t cut = median_cut(count);
    double half = ((double)count / 2 - (double)cut) * sqrt(fmax(1, time));
    double from = floor((double)count / 2 - half);
    if (cut > 0 && from >= 1)
        summary.median_ci = (struct stats_interval){sorted[(size_t)from - 1], sorted[count - (size_t)from]};
    free(sorted);
    return summary;
}

struct stats_mean stats_mean(const double *value, size_t count, double time) {
    struct stats_mean mean = {.count = count, .mean = NAN, .se = NAN, .df = NAN};
    if (count == 0)
        return mean;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += value[i];
    mean.mean = sum / (double)count;
    if (count < 2)
        return mean;
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += (value[i] - mean.mean) * (value[i] - mean.mean);
    double effective = fmax((double)count / fmax(time, 1), 1.5);
    mean.se = sqrt(squares / (double)(count - 1) / effective);
    mean.df = effective - 1;
    return mean;
}

struct stats_interval stats_mean_interval(const struct stats_mean *mean) {
    if (!isfinite(mean->se) || mean->df <= 0)
        return (struct stats_interval){NAN, NAN};
    double half = mean->se > 0 ? dist_t_quantile(1 - ALPHA / 2, mean->df) * mean->se : 0;
    return (struct stats_interval){mean->mean - half, mean->mean + half};
}

struct stats_mean stats_mean_difference(const struct stats_mean *subject, const struct stats_mean *baseline) {
    double variance_s = subject->se * subject->se;
    double variance_b = baseline->se * baseline->se;
    return (struct stats_mean){.count = subject->count < baseline->count ? subject->count : baseline->count,
                               .mean = subject->mean - baseline->mean,
                               .se = sqrt(variance_s + variance_b),
                               .df = satterthwaite(variance_s, subject->df, variance_b, baseline->df)};
}

struct stats_mean stats_mean_ratio_pct(const struct stats_mean *subject, const struct stats_mean *baseline) {
    double ratio = subject->mean / baseline->mean;
    double variance_s = subject->se / baseline->mean;
    double variance_b = ratio * baseline->se / baseline->mean;
    variance_s *= variance_s;
    variance_b *= variance_b;
    return (struct stats_mean){.count = subject->count < baseline->count ? subject->count : baseline->count,
                               .mean = 100 * (ratio - 1),
                               .se = 100 * sqrt(variance_s + variance_b),
                               .df = satterthwaite(variance_s, subject->df, variance_b, baseline->df)};
}

// --- many cases at once
// -----------------------------------------------------------------------------------------------

struct placed_p {
    double p;
    size_t place;
};

static int compare_placed(const void *a, const void *b) {
    double x = ((const struct placed_p *)a)->p;
    double y = ((const struct placed_p *)b)->p;
    return (x > y) - (x < y);
}

void stats_false_discovery(const double *p, size_t count, double *q) {
    struct placed_p *sorted = mem_alloc((count ? count : 1) * sizeof *sorted);
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        q[i] = NAN;
        if (isfinite(p[i]))
            sorted[known++] = (struct placed_p){p[i], i};
    }
    qsort(sorted, known, sizeof *sorted, compare_placed);
    double smallest = 1;
    for (size_t i = known; i-- > 0;) {
        smallest = fmin(smallest, sorted[i].p * (double)known / (double)(i + 1));
        q[sorted[i].place] = smallest;
    }
    free(sorted);
}
