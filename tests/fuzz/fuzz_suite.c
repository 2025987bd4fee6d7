// SPDX-License-Identifier: Apache-2.0
// Fuzzes the suite reader: no file may crash it, a refusal has a place, what is taken is complete.
#include "bench/suite.h"
#include "core/memory.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int run(struct bench_context *context, struct bench_result *result, struct error *err) {
    (void)context;
    (void)result;
    return error_set(err, EXIT_CODE_INTERNAL, "this bench is for reading about, not for running");
}

static int fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    (void)context;
    (void)out;
    (void)err;
    return 1;
}

static const struct bench_param params[] = {
    {"kernel", {"copy"}, "text"},
    {"bytes", {"1M", "2M", "4M"}, "size"},
    {NULL, {NULL}, NULL},
};
static const struct bench_ops one = {
    .abi = BENCH_ABI, .name = "one", .summary = "one", .params = params, .fom = fom, .run = run};
static const struct bench_ops none = {.abi = BENCH_ABI, .name = "none", .summary = "none", .fom = fom, .run = run};

// Instead of registry.c: the reader is under test, not the workloads.
const struct bench_ops *const bench_registry[] = {&one, &none, NULL};

static void check_case(const struct suite_case *c) {
    FUZZ_CHECK(c->name && c->name[0] && (c->ops == &one || c->ops == &none));
    FUZZ_CHECK(c->timeout_s >= 0);
    if (c->ops == &one)
        FUZZ_CHECK(cJSON_GetArraySize(c->params) == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int fd = memfd_create("suite", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        close(fd);
        return 0;
    }
    char *path = mem_printf("/proc/self/fd/%d", fd);
    for (int bench_size = 0; bench_size < SIZE_COUNT; bench_size += SIZE_FULL) {
        struct suite suite;
        struct error err = {0};
        int failed = suite_load(path, "/nonexistent", (enum bench_size)bench_size, &suite, &err);
        FUZZ_CHECK(failed ? err.code == EXIT_CODE_INPUT && err.where[0] && err.what[0] : suite.count > 0);
        for (size_t i = 0; !failed && i < suite.count; i++)
            check_case(&suite.cases[i]);
        suite_free(&suite);
    }
    free(path);
    close(fd);
    return 0;
}
