// SPDX-License-Identifier: Apache-2.0
// Checks the search for changes on series of runs whose truth is known, and writes a table of docs/method.md: how often
// it finds a change where there is none, how often it finds a step of 3 %, and how often at its place.
// Usage: build/sim-history [TRIALS [FILE]]     FILE: the table replaces what stands between its two marker lines
#include "core/memory.h"
#include "report/change_point.h"
#include "tests/sim/noise.h"
#include "tests/sim/table.h"

static const size_t RUNS[] = {8, 10, 20, 40, 100};
static const double STEP_PCT = 3;
static const double ALPHA = 0.05;
enum { PERMUTATIONS = 999, MOST_RUNS = 100, LATE = 5 };

struct tally {
    size_t found; // trials in which any change was found
    size_t alone; // of these, exactly one
    size_t there; // with one at the step's place, give or take a run
};

// `at`: the first run of the new level; 0: there is none.
static struct tally run_trials(const struct noise_shape *shape, size_t runs, size_t at, size_t trials) {
    struct tally tally = {0};
    struct dist_rng rng;
    dist_rng_seed(&rng, 2000 + runs + at);
    double value[MOST_RUNS];
    double other[MOST_RUNS];
    struct change changes[MOST_RUNS / CHANGE_MIN_RUNS];
    for (size_t t = 0; t < trials; t++) {
        noise_pair(shape, runs, 0, &rng, value, other);
        for (size_t i = at; at && i < runs; i++)
            value[i] += log1p(STEP_PCT / 100);
        size_t block = change_point_block(value, runs, &rng);
        size_t found = change_points_find(value, runs, block, ALPHA, PERMUTATIONS, &rng, changes);
        bool there = false;
        for (size_t i = 0; i < found; i++)
            there |= changes[i].at + 1 >= at && changes[i].at <= at + 1;
        tally.found += found > 0;
        tally.alone += found == 1;
        tally.there += there;
    }
    return tally;
}

static double pct(size_t part, size_t whole) {
    return 100 * (double)part / (double)whole;
}

static void table(size_t trials, FILE *out) {
    fputs(
        "| noise of the runs (1 %) | runs | false alarm | step of 3 % in the middle: found | at its place | alone | "
        "five runs "
        "ago: found |\n|---|---:|---:|---:|---:|---:|---:|\n",
        out);
    for (size_t s = 0; s < NOISE_SHAPES; s++) {
        if (noise_shapes[s].paired || noise_shapes[s].drift != 0 || noise_shapes[s].autocorrelation > 0.8)
            continue;
        for (size_t k = 0; k < ARRAY_LEN(RUNS); k++) {
            struct tally none = run_trials(&noise_shapes[s], RUNS[k], 0, trials);
            struct tally middle = run_trials(&noise_shapes[s], RUNS[k], RUNS[k] / 2, trials);
            struct tally late = run_trials(&noise_shapes[s], RUNS[k], RUNS[k] - LATE, trials);
            fprintf(out, "| %s | %zu | %.1f | %.1f | %.1f | %.1f | %.1f |\n", noise_shapes[s].name, RUNS[k],
                    pct(none.found, trials), pct(middle.found, trials), pct(middle.there, trials),
                    pct(middle.alone, trials), pct(late.found, trials));
        }
    }
}

int main(int argc, char **argv) {
    return table_main(argc, argv, "sim-history", 1000, table);
}
