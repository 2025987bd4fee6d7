// SPDX-License-Identifier: Apache-2.0
// Writes a journal as large as wanted, with noise of a fixed seed: for measuring how fast reports are made.
// Usage: make_journal LABEL SAMPLES [CASES [RANKS [SHIFT_PCT]]] >FILE
// SAMPLES lines are spread over CASES cases (default 1) of RANKS lines each sample (default 1); the cost is
// SHIFT_PCT percent higher. May include: core, report/distribution.h, tests/sim.
#include "core/journal.h"
#include "tests/sim/noise.h"

#include <inttypes.h>
#include <stdlib.h>

struct plan {
    const char *label;
    uint64_t lines;
    uint64_t cases;
    uint64_t ranks;
    double shift;
};

static void write_sample(const struct plan *plan, uint64_t line, double latency, struct dist_rng *rng) {
    uint64_t sample = line / plan->ranks;
    printf("{\"t\":\"sample\",\"case\":\"case.%" PRIu64 "\",\"seq\":%" PRIu64 ",\"mode\":\"timing\"",
           sample % plan->cases, sample / plan->cases);
    if (plan->ranks > 1)
        printf(",\"rank\":%" PRIu64, line % plan->ranks);
    printf(",\"start_ns\":%" PRIu64
           ",\"wall_s\":%.9f,\"fom\":%.9f,\"valid\":true,\"obs\":[{\"cause\":\"exit.timer\","
           "\"count\":%zu,\"seconds\":%.6f,\"se\":0.0001,\"basis\":\"calibrated\"}]}\n",
           1000000 * (sample + 1), latency / 100, 10 * latency, 900 + dist_rng_below(rng, 200),
           1e-4 * (1 + dist_rng_uniform(rng)));
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: make_journal LABEL SAMPLES [CASES [RANKS [SHIFT_PCT]]]\n");
        return EXIT_CODE_USAGE;
    }
    struct plan plan = {argv[1], strtoull(argv[2], NULL, 10), argc > 3 ? strtoull(argv[3], NULL, 10) : 1,
                        argc > 4 ? strtoull(argv[4], NULL, 10) : 1, argc > 5 ? strtod(argv[5], NULL) / 100 : 0};
    if (plan.cases == 0 || plan.ranks == 0)
        return EXIT_CODE_USAGE;
    struct dist_rng rng;
    dist_rng_seed(&rng, (uint64_t)(unsigned char)plan.label[0]);
    printf("{\"t\":\"header\",\"schema\":\"" JOURNAL_SCHEMA "\",\"id\":\"%s\",\"label\":\"%s\",\"host\":\"%s\"}\n",
           plan.label, plan.label, plan.label);
    for (uint64_t c = 0; c < plan.cases; c++)
        printf("{\"t\":\"case\",\"case\":\"case.%" PRIu64
               "\",\"fom\":{\"name\":\"latency\",\"unit\":\"us\","
               "\"better\":\"lower\"},\"cpus\":2}\n",
               c);
    for (uint64_t line = 0; line < plan.lines; line++)
        write_sample(&plan, line, exp(noise_bursts(&rng) + log1p(plan.shift)), &rng);
    printf("{\"t\":\"end\",\"status\":\"complete\",\"samples\":%" PRIu64 "}\n", plan.lines);
    return ferror(stdout) || fclose(stdout) ? EXIT_CODE_INTERNAL : EXIT_CODE_DONE;
}
