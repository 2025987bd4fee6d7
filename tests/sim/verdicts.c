// SPDX-License-Identifier: Apache-2.0
// Simulates comparisons whose truth is known, with fixed seeds, over the shapes of noise that guests show, and prints
// the tables of docs/method.md: how often the intervals cover the truth, how often a verdict is wrong, and the power
// beside that of the tests other tools use.
// Usage: build/sim-verdicts [TRIALS [FILE]]     FILE: the tables replace what stands between its two marker lines
// SIM_SEED=N in the environment: other random numbers, for a check with data that no constant was chosen by.
#include "core/memory.h"
#include "core/str.h"
#include "report/distribution.h"
#include "report/stats.h"
#include "report/steps.h"
#include "tests/sim/noise.h"
#include "tests/sim/table.h"
#include "tests/sim/trials.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const size_t SIZES[] = {5, 10, 20, 40, 100};

// A share of fewer than so many comparisons is not told: "-".
enum { FEWEST_TOLD = 50 };

static void print_share(FILE *out, size_t part, size_t whole) {
    if (whole < FEWEST_TOLD)
        fputs(" | -", out);
    else
        fprintf(out, " | %.1f", 100 * (double)part / (double)whole);
}

static void coverage_table(size_t trials, FILE *out) {
    static const double SHIFTS[] = {0, 0.5, 1, 2};
    fputs(
        "| noise | n | interval covers | false slower | told, no shift | 0.5 % | 1 % | 2 % | told wrongly, no shift "
        "| 0.5 % | 1 % | 2 % | of what is told, covers |\n"
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        out);
    for (size_t s = 0; s < NOISE_SHAPES; s++) {
        for (size_t k = 0; k < ARRAY_LEN(SIZES); k++) {
            struct trials_tally tally[ARRAY_LEN(SHIFTS)];
            size_t firm = 0;
            size_t covered = 0;
            for (size_t i = 0; i < ARRAY_LEN(SHIFTS); i++) {
                tally[i] = trials_run(&noise_shapes[s], SIZES[k], SHIFTS[i], trials);
                firm += tally[i].firm;
                covered += tally[i].firm_covered;
            }
            fprintf(out, "| %s | %zu", noise_shapes[s].name, SIZES[k]);
            print_share(out, tally[0].covered, tally[0].intervals);
            print_share(out, tally[0].slower, trials);
            for (size_t i = 0; i < ARRAY_LEN(SHIFTS); i++)
                print_share(out, tally[i].firm, trials);
            for (size_t i = 0; i < ARRAY_LEN(SHIFTS); i++)
                print_share(out, tally[i].firm - tally[i].firm_covered, trials);
            print_share(out, covered, firm);
            fprintf(out, " |\n");
        }
    }
}

// --- the others, as their documentation states them -----------------------------------------------------------------

// benchstat: Mann-Whitney at alpha 0.05; "slower" where the median difference is positive.
static bool mann_whitney_finds(const double *x, const double *y, size_t n) {
    uint64_t twice = 0; // 2 U
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            twice += 2 * (x[i] > y[j]) + (x[i] == y[j]);
    uint64_t cut = dist_mann_whitney_cut(n, n, 0.05, NULL);
    return cut > 0 && (uint64_t)n * n - twice / 2 < cut;
}

static double welch_t(const double *x, const double *y, size_t n, double *df) {
    struct stats_mean a = stats_mean(x, n, 1);
    struct stats_mean b = stats_mean(y, n, 1);
    struct stats_mean d = stats_mean_difference(&a, &b);
    *df = d.df;
    return d.mean / d.se;
}

// hyperfine's scripts: Welch's t test on the means (of times, not of logarithms).
static bool welch_finds(const double *x, const double *y, size_t n) {
    double df = 0;
    double t = welch_t(x, y, n, &df);
    return t > 0 && dist_t_two_sided(t, df) < 0.05;
}

// criterion: the t statistic against its distribution over resamples of both samples mixed.
enum { MIXED_RESAMPLES = 400 };

static bool mixed_bootstrap_finds(const double *x, const double *y, size_t n, struct dist_rng *rng) {
    double df = 0;
    double t = welch_t(x, y, n, &df);
    double *mixed = mem_alloc(4 * n * sizeof *mixed);
    double *again = mixed + 2 * n;
    for (size_t i = 0; i < n; i++) {
        mixed[i] = x[i];
        mixed[n + i] = y[i];
    }
    size_t beyond = 0;
    for (size_t r = 0; r < MIXED_RESAMPLES; r++) {
        for (size_t i = 0; i < 2 * n; i++)
            again[i] = mixed[dist_rng_below(rng, 2 * n)];
        beyond += fabs(welch_t(again, again + n, n, &df)) >= fabs(t);
    }
    free(mixed);
    return t > 0 && (double)beyond / MIXED_RESAMPLES < 0.05;
}

static void power_table(size_t trials, FILE *out) {
    static const double SHIFTS[] = {0, 0.5, 1};
    fprintf(out,
            "\n| noise, n = 40 | shift | metalgap | Mann-Whitney | Welch | mixed bootstrap "
            "|\n|---|---:|---:|---:|---:|---:|\n");
    enum { N = 40 };
    for (size_t s = 0; s < NOISE_SHAPES; s++) {
        if (!noise_shapes[s].paired && noise_shapes[s].drift > 0)
            continue; // no method identifies these
        for (size_t k = 0; k < ARRAY_LEN(SHIFTS); k++) {
            struct dist_rng rng;
            dist_rng_seed(&rng, trials_seed(77));
            size_t found[4] = {0};
            for (size_t t = 0; t < trials; t++) {
                double x[N];
                double y[N];
                struct stats_shift shift = trials_compare(&noise_shapes[s], N, log1p(SHIFTS[k] / 100), &rng, x, y);
                for (size_t i = 0; i < N; i++) {
                    x[i] = exp(x[i]);
                    y[i] = exp(y[i]);
                }
                found[0] += stats_verdict(&shift, log1p(TRIALS_LIMIT_PCT / 100)) == STATS_SLOWER;
                found[1] += mann_whitney_finds(x, y, N);
                found[2] += welch_finds(x, y, N);
                found[3] += mixed_bootstrap_finds(x, y, N, &rng);
            }
            fprintf(out, "| %s | %.1f", noise_shapes[s].name, SHIFTS[k]);
            for (size_t f = 0; f < ARRAY_LEN(found); f++)
                print_share(out, found[f], trials);
            fprintf(out, " |\n");
        }
    }
}

// Whether a difference in power is one at all: the same trials by both, ten times as many, and what only one finds.
static void disagreement_table(size_t trials, FILE *out) {
    static const double SHIFTS[] = {0.5, 1};
    enum { N = 40, TIMES = 10 };
    fprintf(out, "\n| noise, n = %d, of %zu | shift | both find | metalgap alone | Mann-Whitney alone | neither |\n", N,
            TIMES * trials);
    fputs("|---|---:|---:|---:|---:|---:|\n", out);
    for (size_t s = 0; s < NOISE_SHAPES; s++) {
        for (size_t k = 0; noise_shapes[s].draw == noise_bursts && k < ARRAY_LEN(SHIFTS); k++) {
            struct dist_rng rng;
            dist_rng_seed(&rng, trials_seed(78));
            size_t cell[2][2] = {{0}};
            for (size_t t = 0; t < TIMES * trials; t++) {
                double x[N];
                double y[N];
                struct stats_shift shift = trials_compare(&noise_shapes[s], N, log1p(SHIFTS[k] / 100), &rng, x, y);
                bool found = stats_verdict(&shift, log1p(TRIALS_LIMIT_PCT / 100)) == STATS_SLOWER;
                cell[found][mann_whitney_finds(x, y, N)]++;
            }
            fprintf(out, "| %s | %.1f | %zu | %zu | %zu | %zu |\n", noise_shapes[s].name, SHIFTS[k], cell[1][1],
                    cell[1][0], cell[0][1], cell[0][0]);
        }
    }
}

// --- few samples with many steps -------------------------------------------------------------------------------------

// Three samples a side of 200 steps with 5 % of noise, the work growing by 30 %; `sample_effect` is how much samples
// differ as wholes, in units of what a sample's mean is uncertain by from its steps.
static struct trials_tally run_step_trials(double rho, double sample_effect, double truth, size_t trials) {
    enum { SAMPLES = 3, STEPS = 200 };
    static const double SPREAD = 0.05;
    struct trials_tally tally = {.trials = trials};
    struct dist_rng rng;
    dist_rng_seed(&rng, trials_seed(300));
    double level_error = SPREAD * sqrt((1 + rho) / (1 - rho) / STEPS);
    double *steps = mem_alloc((size_t)2 * SAMPLES * STEPS * sizeof *steps);
    for (size_t t = 0; t < trials; t++) {
        struct steps_series series[2 * SAMPLES];
        for (size_t s = 0; s < (size_t)2 * SAMPLES; s++) {
            double *step = steps + s * STEPS;
            double level = sample_effect * level_error * noise_normal(&rng) + (s < SAMPLES ? truth : 0);
            double state = noise_normal(&rng);
            for (size_t i = 0; i < STEPS; i++) {
                state = rho * state + sqrt(1 - rho * rho) * noise_normal(&rng);
                step[i] = exp(level + SPREAD * state + 0.3 * (double)i / STEPS);
            }
            series[s] = (struct steps_series){step, STEPS};
        }
        struct stats_shift shift =
            steps_compare(&(struct steps_side){series, SAMPLES}, &(struct steps_side){series + SAMPLES, SAMPLES});
        tally.covered += shift.ci.low <= truth && truth <= shift.ci.high;
        tally.slower += shift.ci.low > 0;
    }
    free(steps);
    return tally;
}

static void steps_table(size_t trials, FILE *out) {
    static const double RHOS[] = {0, 0.5, 0.9};
    static const double EFFECTS[] = {0, 1, 4};
    fputs(
        "\n| 3 samples a side, steps' autocorrelation | samples differ by | interval covers | false slower "
        "| found: 2 % |\n|---:|---:|---:|---:|---:|\n",
        out);
    for (size_t r = 0; r < ARRAY_LEN(RHOS); r++)
        for (size_t e = 0; e < ARRAY_LEN(EFFECTS); e++) {
            struct trials_tally null = run_step_trials(RHOS[r], EFFECTS[e], 0, trials);
            struct trials_tally two = run_step_trials(RHOS[r], EFFECTS[e], log1p(0.02), trials);
            fprintf(out, "| %.1f | %.0f", RHOS[r], EFFECTS[e]);
            print_share(out, null.covered, trials);
            print_share(out, null.slower, trials);
            print_share(out, two.slower, trials);
            fputs(" |\n", out);
        }
}

static void tables(size_t trials, FILE *out) {
    coverage_table(trials, out);
    power_table(trials, out);
    disagreement_table(trials, out);
    steps_table(trials, out);
}

int main(int argc, char **argv) {
    return table_main(argc, argv, "sim-verdicts", 1000, tables);
}
