// SPDX-License-Identifier: Apache-2.0
// The null collector: reads nothing and reports how often it was called, so that a test can see the runner's side of
// the contract (pairing of begin and end, modes, order) without any source that a machine may lack.
#include "collectors/collectors.h"
#include "core/memory.h"

#include <stdlib.h>

struct null_state {
    uint64_t begun;
    bool open_sample;
};

static void *null_open(const struct collect_options *options, struct collector_status *status) {
    (void)options;
    status->state = COLLECTOR_ACTIVE;
    return mem_alloc(sizeof(struct null_state));
}

static int null_begin(void *state, const struct sample_window *window, struct error *err) {
    struct null_state *null = state;
    (void)window;
    if (null->open_sample) {
        error_set(err, EXIT_CODE_INTERNAL, "beginning a sample");
        return error_why(err, "the last one was not ended");
    }
    null->open_sample = true;
    null->begun++;
    return 0;
}

static int null_end(void *state, const struct sample_window *window, struct collector_output *out, struct error *err) {
    struct null_state *null = state;
    if (!null->open_sample || window->end_ns < window->start_ns) {
        error_set(err, EXIT_CODE_INTERNAL, "ending a sample");
        return error_why(err, null->open_sample ? "it ends before it starts" : "none was begun");
    }
    null->open_sample = false;
    json_add_u64(out->circumstances, "null_samples", null->begun);
    return 0;
}

const struct collector_ops collector_null = {
    .abi = COLLECTOR_ABI,
    .name = "null",
    .summary = "reads nothing; tests the runner",
    .in_timing = true,
    .only_by_name = true,
    .open = null_open,
    .begin = null_begin,
    .end = null_end,
    .close = free,
};
