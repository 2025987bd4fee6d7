// SPDX-License-Identifier: Apache-2.0
// What each constant of report/doubt.h is for: the simulation's comparisons of 10, 20 and 40 samples with it and
// without it, and where leaving it out does most harm: the noise in which the least of what is told is right.
// Usage: build/sim-doubt [TRIALS [FILE]]     FILE: the table replaces what stands between its two marker lines
#include "report/doubt.h"
#include "core/memory.h"
#include "tests/sim/table.h"
#include "tests/sim/trials.h"

#include <stdio.h>

static const struct {
    const char *name;
    double *value;
    double without;
    const char *meaning;
} CONSTANTS[] = {
    {"shown", &doubt_constants.shown, 0, "apart: added share of the correlation shown"},
    {"shown_few", &doubt_constants.shown_few.most, 0, "the same in short series"},
    {"error_few", &doubt_constants.error_few.most, 0, "apart: errors added in short series"},
    {"identifying", &doubt_constants.identifying, 0, "apart: counting for fewer identifies nothing"},
    {"widest", &doubt_constants.widest, 1e6, "apart: widest interval, in half-widths"},
    {"wander", &doubt_constants.wander.most, 0, "apart: a level that wanders unseen"},
    {"gate_apart", &doubt_constants.gate_apart.most, 0, "apart: trends are allowed for below this p-value"},
    {"gate_sharp", &doubt_constants.gate_sharp.most, 0, "the same by the lower half of the ranks"},
    {"gate_paired", &doubt_constants.gate_paired.most, 0, "the same of pairs' differences"},
    {"paired_errors", &doubt_constants.paired_errors, 0, "pairs: errors of the correlation added"},
    {"paired_correction", &doubt_constants.paired_correction, 1, "pairs: more of them in short series"},
    {"paired_alternate", &doubt_constants.paired_alternate, 1e6, "pairs: nothing is paid where neighbours alternate"},
};

struct share {
    size_t told;
    size_t right;
    size_t all;
};

static double percent(size_t part, size_t whole) {
    return whole ? 100 * (double)part / (double)whole : 0;
}

static struct share measure(const struct noise_shape *shape, size_t n, size_t trials) {
    static const double SHIFTS[] = {0, 0.5, 1, 2};
    struct share share = {0};
    for (size_t i = 0; i < ARRAY_LEN(SHIFTS); i++) {
        struct trials_tally tally = trials_run(shape, n, SHIFTS[i], trials);
        share.told += tally.firm;
        share.right += tally.firm_covered;
        share.all += trials;
    }
    return share;
}

// `where` is NULL where leaving it out does no harm.
static void print_row(size_t i, double value, const char *where, size_t n, const struct share *with,
                      const struct share *without, FILE *out) {
    fprintf(out, "| `%s` | %g | %s | ", CONSTANTS[i].name, value, CONSTANTS[i].meaning);
    if (!where) {
        fputs("none of these | | |\n", out);
        return;
    }
    fprintf(out, "%s, %zu | %.1f of %.1f | %.1f of %.1f |\n", where, n, percent(with->right, with->told),
            percent(with->told, with->all), percent(without->right, without->told),
            percent(without->told, without->all));
}

static void table(size_t trials, FILE *out) {
    static const size_t SIZES[] = {10, 20, 40};
    struct share with[NOISE_SHAPES][ARRAY_LEN(SIZES)];
    fputs(
        "| constant | value | what it stands for | leaving it out shows most in (noise, n) | right, of what is told "
        "| without it |\n|---|---:|---|---|---:|---:|\n",
        out);
    for (size_t s = 0; s < NOISE_SHAPES; s++)
        for (size_t k = 0; k < ARRAY_LEN(SIZES); k++)
            with[s][k] = measure(&noise_shapes[s], SIZES[k], trials);
    for (size_t i = 0; i < ARRAY_LEN(CONSTANTS); i++) {
        double value = *CONSTANTS[i].value;
        struct share worst = {0};
        size_t at_s = 0;
        size_t at_k = 0;
        double most = 0;
        *CONSTANTS[i].value = CONSTANTS[i].without;
        for (size_t s = 0; s < NOISE_SHAPES; s++)
            for (size_t k = 0; k < ARRAY_LEN(SIZES); k++) {
                struct share now = measure(&noise_shapes[s], SIZES[k], trials);
                // How many more are told wrongly, or how many fewer are told where none are.
                double wrong = percent(now.told - now.right, now.all) -
                               percent(with[s][k].told - with[s][k].right, with[s][k].all);
                double fewer = percent(with[s][k].told, with[s][k].all) - percent(now.told, now.all);
                double harm = fmax(wrong, fewer);
                if (harm <= most)
                    continue;
                most = harm;
                worst = now;
                at_s = s;
                at_k = k;
            }
        *CONSTANTS[i].value = value;
        print_row(i, value, most > 0 ? noise_shapes[at_s].name : NULL, SIZES[at_k], &with[at_s][at_k], &worst, out);
    }
}

int main(int argc, char **argv) {
    return table_main(argc, argv, "sim-doubt", 300, table);
}
