// SPDX-License-Identifier: Apache-2.0
// Reference distributions; see the header for sources. May include: core.
#include "report/distribution.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>

static const double SQRT2 = 1.41421356237309504880;
static const double SQRT_2PI = 2.50662827463100050242;

// Counts of arrangements stay exact in a double up to here.
static const double EXACT_COUNT_LIMIT = 9007199254740992.0; // 2^53

static double normal_lower_tail(double p) {
    static const double a[] = {-39.69683028665376, 220.9460984245205,  -275.9285104469687,
                               138.3577518672690,  -30.66479806614716, 2.506628277459239};
    static const double b[] = {-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972,
                               -13.28068155288572};
    static const double c[] = {-0.007784894002430293, -0.3223964580411365, -2.400758277161838,
                               -2.549732539343734,    4.374664141464968,   2.938163982698783};
    static const double d[] = {0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416};
    static const double central = 0.02425;

    if (p < central) {
        double q = sqrt(-2 * log(p));
        return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
               ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
    }
    double q = p - 0.5;
    double r = q * q;
    return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
           (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

double dist_normal_quantile(double p) {
    if (p > 0.5)
        return -dist_normal_quantile(1 - p);
    double x = normal_lower_tail(p);
    // One step of Halley's method on the distribution function.
    double error = 0.5 * erfc(-x / SQRT2) - p;
    double step = error * SQRT_2PI * exp(x * x / 2);
    return x - step / (1 + x * step / 2);
}

// The continued fraction of the incomplete beta function (modified Lentz; Numerical Recipes 6.4).
static double beta_fraction(double x, double a, double b) {
    const double tiny = 1e-300;
    double c = 1;
    double d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int i = 1; i <= 500; i++) {
        double even = i * (b - i) * x / ((a + 2 * i - 1) * (a + 2 * i));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        value *= d * c;
        double odd = -(a + i) * (a + b + i) * x / ((a + 2 * i) * (a + 2 * i + 1));
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        value *= d * c;
        if (fabs(d * c - 1) < 1e-15)
            break;
    }
    return value;
}

static double incomplete_beta(double x, double a, double b) {
    if (x <= 0)
        return 0;
    if (x >= 1)
        return 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(1 - x, b, a) / b;
}

double dist_t_two_sided(double t, double df) {
    if (!isfinite(df) || df > 1e7)
        return erfc(fabs(t) / SQRT2);
    return incomplete_beta(df / (df + t * t), df / 2, 0.5);
}

double dist_t_quantile(double p, double df) {
    if (p < 0.5)
        return -dist_t_quantile(1 - p, df);
    if (!isfinite(df) || df > 1e7)
        return dist_normal_quantile(p);
    double low = 0;
    double high = 1;
    while (dist_t_two_sided(high, df) > 2 * (1 - p) && high < 1e15)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-13 * high; i++) {
        double middle = 0.5 * (low + high);
        if (dist_t_two_sided(middle, df) > 2 * (1 - p))
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

// The largest c with P(statistic <= c-1) <= alpha/2, from the counts of arrangements per value.
static uint64_t cut_from_counts(const double *count, size_t values, double total, double alpha) {
    double below = 0;
    for (size_t u = 0; u < values; u++) {
        below += count[u];
        if (below > alpha / 2 * total)
            return u;
    }
    return values;
}

static uint64_t cut_from_normal(double mean, double variance, double alpha) {
    double c = floor(mean + 0.5 + dist_normal_quantile(alpha / 2) * sqrt(variance));
    return c < 0 ? 0 : (uint64_t)c;
}

uint64_t dist_mann_whitney_cut(size_t m, size_t n, double alpha, int *exact) {
    double product = (double)m * (double)n;
    double total = exp(lgamma((double)(m + n) + 1) - lgamma((double)m + 1) - lgamma((double)n + 1));
    int by_counts = total < EXACT_COUNT_LIMIT * 0.999;
    if (exact)
        *exact = by_counts;
    if (m == 0 || n == 0)
        return 0;
    if (!by_counts)
        return cut_from_normal(product / 2, product * (double)(m + n + 1) / 12, alpha);

    // The counts are the coefficients of the Gaussian binomial, prod (1 - q^(n+i)) / (1 - q^i), i = 1..m; only the
    // lower half is needed. The smaller sample goes first: it is the number of factors.
    size_t small = m < n ? m : n;
    size_t large = m < n ? n : m;
    size_t values = small * large / 2 + 1;
    double *count = mem_alloc(values * sizeof *count);
    count[0] = 1;
    for (size_t i = 1; i <= small; i++) {
        for (size_t u = values; u-- > large + i;)
            count[u] -= count[u - large - i];
        for (size_t u = i; u < values; u++)
            count[u] += count[u - i];
    }
    uint64_t cut = cut_from_counts(count, values, round(total), alpha);
    free(count);
    return cut;
}

uint64_t dist_signed_rank_cut(size_t n, double alpha, int *exact) {
    double size = (double)n;
    int by_counts = n <= 50;
    if (exact)
        *exact = by_counts;
    if (n == 0)
        return 0;
    if (!by_counts)
        return cut_from_normal(size * (size + 1) / 4, size * (size + 1) * (2 * size + 1) / 24, alpha);

    size_t values = n * (n + 1) / 2 + 1;
    double *count = mem_alloc(values * sizeof *count);
    count[0] = 1;
    for (size_t rank = 1; rank <= n; rank++)
        for (size_t sum = values; sum-- > rank;)
            count[sum] += count[sum - rank];
    uint64_t cut = cut_from_counts(count, values, ldexp(1, (int)n), alpha);
    free(count);
    return cut;
}

static uint64_t splitmix(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void dist_rng_seed(struct dist_rng *rng, uint64_t seed) {
    for (size_t i = 0; i < 4; i++)
        rng->state[i] = splitmix(&seed);
}

static uint64_t rotate(uint64_t x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

uint64_t dist_rng_next(struct dist_rng *rng) {
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double dist_rng_uniform(struct dist_rng *rng) {
    return (double)(dist_rng_next(rng) >> 11) * 0x1.0p-53;
}

size_t dist_rng_below(struct dist_rng *rng, size_t bound) {
    return (size_t)(dist_rng_uniform(rng) * (double)bound);
}
