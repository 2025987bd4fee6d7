// SPDX-License-Identifier: Apache-2.0
// The contract of all benches, their parameters, and that the native workloads check what they computed.
#include "bench/bench.h"
#include "bench/kernels/gups.h"
#include "bench/kernels/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

// What one run in a process of its own came to.
struct ran {
    int status; // wait status; 0 also if the bench returned an error
    bool failed;
    struct error err;
    struct bench_result result;
};

static int run_here(const struct bench_ops *ops, struct bench_context *context, struct ran *out) {
    struct bench_fom fom;
    if (ops->fom(context, &fom, &out->err) < 0 || (ops->setup && ops->setup(context, &out->err) < 0))
        return -1;
    if (ops->run(context, &out->result, &out->err) < 0)
        return -1;
    if (ops->verify)
        ops->verify(context, &out->result);
    if (ops->teardown)
        ops->teardown(context);
    return 0;
}

// As the runner does it: a bench may bind itself, crash or hang (then an alarm ends it). munmap() what it returns.
static struct ran *run_bench(const char *name, const char *json) {
    struct ran *out = mmap(NULL, sizeof *out, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(out != MAP_FAILED);
    const struct bench_ops *ops = bench_find(name);
    cpu_set_t cpus;
    assert_non_null(ops);
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    cJSON *given = cJSON_Parse(json);
    cJSON *params = bench_params(ops, given, SIZE_SMALL, &out->err);
    cJSON_Delete(given);
    assert_non_null(params);
    struct bench_context context = {
        .params = params, .size = SIZE_SMALL, .cpus = &cpus, .threads = (unsigned)CPU_COUNT(&cpus), .exec_dir = "."};
    pid_t child = fork();
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        if (strstr(json, "hang"))
            alarm(1);
        out->failed = run_here(ops, &context, out) < 0;
        _exit(0);
    }
    assert_int_equal(waitpid(child, &out->status, 0), child);
    cJSON_Delete(params);
    return out;
}

static void release(struct ran *r) {
    munmap(r, sizeof *r);
}

static void registry_keeps_its_contract(void **state) {
    (void)state;
    struct error err;
    for (const struct bench_ops *const *ops = bench_registry; *ops; ops++) {
        if (bench_check(*ops, &err) < 0)
            fail_msg("%s: %s", err.what, err.why);
        assert_ptr_equal(bench_find((*ops)->name), *ops); // so names are unique
    }
    assert_null(bench_find("nosuch"));
}

static int no_fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    (void)context, (void)out, (void)err;
    return 1;
}

static int no_run(struct bench_context *context, struct bench_result *result, struct error *err) {
    (void)context, (void)result, (void)err;
    return 0;
}

static void broken_contracts_are_found(void **state) {
    (void)state;
    static const struct bench_param twice[] = {{"a", {"1"}, "x"}, {"a", {"1"}, "x"}, {NULL, {NULL}, NULL}};
    static const struct bench_param unexplained[] = {{"a", {"1"}, ""}, {NULL, {NULL}, NULL}};
    static const struct bench_param gap[] = {{"a", {NULL, "1"}, "x"}, {NULL, {NULL}, NULL}};
    const struct bench_ops good = {.abi = BENCH_ABI, .name = "good", .summary = "does", .fom = no_fom, .run = no_run};
    struct bench_ops bad[8];
    struct error err;
    assert_int_equal(bench_check(&good, &err), 0);
    for (int i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].abi = BENCH_ABI + 1;
    bad[1].name = "Not Good";
    bad[2].summary = NULL;
    bad[3].fom = NULL;
    bad[4].run = NULL;
    bad[5].params = twice;
    bad[6].params = unexplained;
    bad[7].params = gap;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(bench_check(&bad[i], &err), -1);
        assert_int_equal(err.code, EXIT_CODE_INTERNAL);
    }
}

static void parameters_are_completed_and_checked(void **state) {
    (void)state;
    struct error err = {0};
    const struct bench_ops *ops = bench_find("stream");
    cJSON *given = cJSON_Parse("{\"kernel\":\"copy\"}");
    cJSON *full = bench_params(ops, given, SIZE_FULL, &err);
    assert_non_null(full);
    struct bench_context context = {.params = full};
    assert_string_equal(bench_param_text(&context, "kernel"), "copy");
    assert_string_equal(bench_param_text(&context, "bytes"), "auto"); // the default of a smaller size holds on
    assert_string_equal(bench_param_text(&context, "passes"), "60");
    cJSON_Delete(full);
    cJSON_Delete(given);

    full = bench_params(ops, NULL, SIZE_SMALL, &err);
    context.params = full;
    assert_string_equal(bench_param_text(&context, "bytes"), "16M");
    cJSON_Delete(full);

    given = cJSON_Parse("{\"kernle\":\"copy\"}");
    assert_null(bench_params(ops, given, SIZE_SMALL, &err));
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    assert_non_null(strstr(err.what, "kernle"));
    assert_non_null(strstr(err.why, "kernel, bytes"));
    assert_ptr_equal(err.node, given->child);
    cJSON_Delete(given);

    given = cJSON_Parse("[1]");
    assert_null(bench_params(ops, given, SIZE_SMALL, &err));
    cJSON_Delete(given);
    assert_null(bench_params(bench_find("command"), NULL, SIZE_SMALL, &err)); // argv has no default
    assert_non_null(strstr(err.what, "argv"));
}

static void parameters_are_read_by_type(void **state) {
    (void)state;
    struct error err;
    uint64_t u;
    double d;
    cJSON *params = cJSON_Parse(
        "{\"n\":7,\"size\":\"64M\",\"frac\":1.5,\"neg\":-1,\"word\":\"x\",\"list\":[],"
        "\"text\":\"0.25\"}");
    struct bench_context context = {.params = params};
    assert_int_equal(bench_param_u64(&context, "n", &u, &err), 0);
    assert_int_equal(u, 7);
    assert_int_equal(bench_param_u64(&context, "size", &u, &err), 0);
    assert_int_equal(u, 64 << 20);
    assert_int_equal(bench_param_double(&context, "frac", &d, &err), 0);
    assert_true(d == 1.5);
    assert_int_equal(bench_param_double(&context, "text", &d, &err), 0);
    assert_true(d == 0.25);
    static const char *const not_u64[] = {"frac", "neg", "word", "list", "absent"};
    for (size_t i = 0; i < 5; i++) {
        err = (struct error){0};
        assert_int_equal(bench_param_u64(&context, not_u64[i], &u, &err), -1);
        assert_int_equal(err.code, EXIT_CODE_INPUT);
    }
    assert_int_equal(bench_param_double(&context, "word", &d, &err), -1);
    assert_int_equal(bench_param_double(&context, "list", &d, &err), -1);
    assert_string_equal(bench_param_text(&context, "n"), "");
    cJSON_Delete(params);
}

static void wrong_parameters_are_told_before_the_run(void **state) {
    (void)state;
    static const struct {
        const char *bench;
        const char *params;
    } bad[] = {
        {"null", "{\"behave\":\"badly\"}"},
        {"null", "{\"seconds\":\"soon\"}"},
        {"null", "{\"seconds\":-1}"},
        {"null", "{\"fom\":\"much\"}"},
        {"fwq", "{\"count\":1}"},
        {"fwq", "{\"quantum_us\":0}"},
        {"stream", "{\"kernel\":\"sum\"}"},
        {"stream", "{\"pages\":\"5k\"}"},
        {"stream", "{\"bytes\":4}"},
        {"stream", "{\"passes\":0}"},
        {"stream", "{\"order\":\"backwards\"}"},
        {"stream", "{\"order\":\"turn\",\"passes\":201}"},
        {"gups", "{\"bytes\":\"3M\"}"},
        {"gups", "{\"updates\":0}"},
        {"chase", "{\"bytes\":64}"},
        {"chase", "{\"seconds\":-1}"},
        {"traps", "{\"trap\":\"hlt\"}"},
        {"traps", "{\"steps\":1e6}"},
        {"mpi", "{\"program\":\"hello\"}"},
        {"mpi", "{\"ranks\":3}"},
        {"mpi", "{\"program\":\"allreduce\",\"report\":\"bandwidth\"}"},
        {"mpi", "{\"oversubscribe\":\"perhaps\"}"},
        {"command", "{\"argv\":[]}"},
        {"command", "{\"argv\":[1]}"},
        {"command", "{\"argv\":\"ls -l\"}"},
        {"command", "{\"argv\":[\"a\"],\"pattern\":\"(\",\"better\":\"lower\"}"},
        {"command", "{\"argv\":[\"a\"],\"pattern\":\"x\"}"},
        {"command", "{\"argv\":[\"a\"],\"timeout\":\"soon\"}"},
    };
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err = {0};
        struct bench_fom fom;
        cJSON *given = cJSON_Parse(bad[i].params);
        cJSON *full = bench_params(bench_find(bad[i].bench), given, SIZE_SMALL, &err);
        assert_non_null(full);
        struct bench_context context = {.params = full, .cpus = &cpus, .threads = 2};
        if (bench_find(bad[i].bench)->fom(&context, &fom, &err) != -1 || err.code != EXIT_CODE_INPUT || !err.why[0])
            fail_msg("%s %s was not refused with a reason", bad[i].bench, bad[i].params);
        cJSON_Delete(full);
        cJSON_Delete(given);
    }
}

static void null_does_as_told(void **state) {
    (void)state;
    struct ran *r = run_bench("null", "{\"seconds\":0.02,\"fom\":2.5,\"steps\":4}");
    assert_true(!r->failed && r->result.valid && r->result.fom == 2.5 && r->result.wall_s >= 0.02);
    assert_int_equal(r->result.step_count, 4);
    release(r);
    r = run_bench("null", "{}");
    assert_true(isnan(r->result.fom));
    release(r);
    r = run_bench("null", "{\"behave\":\"invalid\"}");
    assert_true(!r->failed && !r->result.valid && r->result.why[0]);
    release(r);
    r = run_bench("null", "{\"behave\":\"fail\"}");
    assert_true(r->failed && r->err.why[0]);
    release(r);
    r = run_bench("null", "{\"behave\":\"fail-setup\"}");
    assert_true(r->failed && r->err.why[0]);
    release(r);
    r = run_bench("null", "{\"behave\":\"exit\"}");
    assert_true(WIFEXITED(r->status) && WEXITSTATUS(r->status) == 7);
    release(r);
    r = run_bench("null", "{\"behave\":\"crash\"}");
    assert_true(WIFSIGNALED(r->status) && WTERMSIG(r->status) == SIGSEGV);
    release(r);
    r = run_bench("null", "{\"behave\":\"hang\"}");
    assert_true(WIFSIGNALED(r->status) && WTERMSIG(r->status) == SIGALRM);
    release(r);
}

static void stream_is_verified(void **state) {
    (void)state;
    static const char *const kernels[] = {"copy", "scale", "add", "triad"};
    char params[128];
    for (size_t i = 0; i < 4; i++) {
        snprintf(params, sizeof params, "{\"kernel\":\"%s\",\"bytes\":100000,\"passes\":3}", kernels[i]);
        struct ran *r = run_bench("stream", params);
        if (r->failed || !r->result.valid || !(r->result.fom > 0) || r->result.step_count != 3)
            fail_msg("%s: %s %s %s", kernels[i], r->err.what, r->err.why, r->result.why);
        double sum = r->result.steps_s[0] + r->result.steps_s[1] + r->result.steps_s[2];
        assert_true(sum > 0 && sum <= r->result.wall_s + 1e-9);
        release(r);
        snprintf(params, sizeof params, "{\"kernel\":\"%s\",\"bytes\":100000,\"passes\":3,\"damage\":1}", kernels[i]);
        r = run_bench("stream", params);
        assert_false(r->result.valid);
        assert_non_null(strstr(r->result.why, "off by"));
        release(r);
        snprintf(params, sizeof params, "{\"kernel\":\"%s\",\"bytes\":100000,\"passes\":3,\"order\":\"turn\"}",
                 kernels[i]);
        r = run_bench("stream", params);
        if (r->failed || !r->result.valid || !(r->result.fom > 0))
            fail_msg("%s in turn: %s %s %s", kernels[i], r->err.what, r->err.why, r->result.why);
        assert_true(r->result.steps_s[0] + r->result.steps_s[1] + r->result.steps_s[2] < r->result.wall_s);
        release(r);
    }
}

static void gups_sequence_is_hpcc_s(void **state) {
    (void)state;
    // By hand: 1, 2, 4 ... 2^63, then the bit falls out and 7 comes in.
    uint64_t x = 1;
    for (int i = 0; i < 63; i++)
        x = gups_next(x);
    assert_true(x == 1ULL << 63);
    assert_true(gups_next(x) == 7);
    assert_true(gups_next(gups_next(x)) == 14);
    // Jumping ahead agrees with walking.
    x = 1;
    for (uint64_t n = 0; n < 3000; n++, x = gups_next(x))
        assert_true(gups_element(n) == x);
    // x^(2^64) = x^2 + ... by the law of squaring: element(2n) is the square of element(n), so jumping twice from the
    // same place agrees: element(a + b) after walking b steps from element(a).
    uint64_t far = 1317624576693539401ULL / 3;
    x = gups_element(far);
    for (int i = 0; i < 1000; i++)
        x = gups_next(x);
    assert_true(x == gups_element(far + 1000));
    // HPCC's PERIOD: the sequence starts again there.
    assert_true(gups_element(1317624576693539401ULL) == 1);
    assert_true(gups_element(1317624576693539401ULL + 5) == 32);
}

static void gups_is_verified(void **state) {
    (void)state;
    struct ran *r = run_bench("gups", "{\"bytes\":\"1M\",\"updates\":4}");
    assert_true(!r->failed && r->result.valid && r->result.fom > 0);
    release(r);
    r = run_bench("gups", "{\"bytes\":\"1M\",\"updates\":4,\"damage\":2622}"); // 2 % of 131072 words
    assert_false(r->result.valid);
    assert_non_null(strstr(r->result.why, "wrong"));
    release(r);
}

static void chase_is_verified(void **state) {
    (void)state;
    struct ran *r = run_bench("chase", "{\"bytes\":\"256K\",\"pages\":\"4k\",\"seconds\":0.02}");
    assert_true(!r->failed && r->result.valid && r->result.fom > 0);
    assert_int_equal(r->result.step_count, 200);
    release(r);
    r = run_bench("chase", "{\"bytes\":\"256K\",\"seconds\":0.02,\"damage\":1}");
    assert_false(r->result.valid);
    release(r);
}

static void too_much_memory_is_refused_untouched(void **state) {
    (void)state;
    struct ran *r = run_bench("chase", "{\"bytes\":\"200G\"}");
    if (!r->failed)
        skip(); // a machine with more than 400 GiB
    assert_int_equal(r->err.code, EXIT_CODE_LACKS);
    assert_non_null(strstr(r->err.why, "available"));
    assert_true(r->err.remedy[0]);
    release(r);
}

static void fwq_measures_each_quantum(void **state) {
    (void)state;
    struct ran *r = run_bench("fwq", "{\"quantum_us\":100,\"count\":50}");
    assert_true(!r->failed && r->result.valid);
    assert_int_equal(r->result.step_count, 50);
    assert_true(r->result.fom >= 1); // mean / fastest
    double sum = 0;
    for (int i = 0; i < 50; i++)
        sum += r->result.steps_s[i];
    assert_true(sum >= r->result.wall_s * 0.3); // the quanta are most of the time, not a part of it
    release(r);
}

static void a_trap_is_a_bench(void **state) {
    (void)state;
    struct ran *r = run_bench("traps", "{\"trap\":\"syscall\",\"seconds\":0.05,\"steps\":100}");
    assert_true(!r->failed && r->result.valid && r->result.fom > 0);
    assert_int_equal(r->result.step_count, 100);
    release(r);
}

static void cpus_are_counted_round(void **state) {
    (void)state;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    assert_int_equal(kernel_cpu(&cpus, 0), -1);
    CPU_SET(3, &cpus);
    CPU_SET(7, &cpus);
    assert_int_equal(kernel_cpu(&cpus, 0), 3);
    assert_int_equal(kernel_cpu(&cpus, 1), 7);
    assert_int_equal(kernel_cpu(&cpus, 2), 3);
}

static void memory_is_aligned_zeroed_and_limited(void **state) {
    (void)state;
    struct kernel_memory m;
    struct error err = {0};
    assert_true(kernel_llc_bytes() >= 1 << 16);
    assert_true(kernel_memory_available() > 0 && kernel_memory_available() <= kernel_memory_total());
    assert_int_equal(kernel_memory_map(5000, PAGES_4K, &m, &err), 0);
    assert_int_equal((uintptr_t)m.base % (2 << 20), 0);
    assert_true(m.bytes >= 5000 && ((char *)m.base)[4999] == 0);
    kernel_memory_unmap(&m);
    assert_null(m.base);
    assert_int_equal(kernel_memory_map(kernel_memory_total() / 4 * 3, PAGES_SYSTEM, &m, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_LACKS);
    kernel_memory_unmap(&m); // of a failed one: nothing happens
}

static void automatic_bytes_keep_the_rule_within_its_limits(void **state) {
    (void)state;
    cJSON *params = bench_params(bench_find("stream"), NULL, SIZE_DEFAULT, NULL);
    struct bench_context context = {.params = params};
    size_t rule = 4 * kernel_llc_bytes();
    size_t per_cpu = (size_t)sysconf(_SC_NPROCESSORS_ONLN) << 27;
    size_t bytes = 0;
    const char *limit = NULL;
    assert_int_equal(kernel_bytes_param(&context, 3, &bytes, &limit, NULL), 0);
    size_t most = kernel_memory_total() / 12 < per_cpu ? kernel_memory_total() / 12 : per_cpu;
    assert_true(bytes == (rule < most ? rule : most));
    assert_true((limit != NULL) == (bytes < rule));
    char text[96];
    kernel_bytes_limit(limit, text, sizeof text);
    assert_true((text[0] != '\0') == (bytes < rule));

    assert_int_equal(kernel_bytes_param(&context, 1U << 20, &bytes, &limit, NULL), 0); // so many arrays do not fit
    assert_true(bytes < rule);
    assert_string_equal(limit, "25 % of memory");
    cJSON_Delete(params);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registry_keeps_its_contract),
        cmocka_unit_test(broken_contracts_are_found),
        cmocka_unit_test(parameters_are_completed_and_checked),
        cmocka_unit_test(parameters_are_read_by_type),
        cmocka_unit_test(wrong_parameters_are_told_before_the_run),
        cmocka_unit_test(null_does_as_told),
        cmocka_unit_test(stream_is_verified),
        cmocka_unit_test(gups_sequence_is_hpcc_s),
        cmocka_unit_test(gups_is_verified),
        cmocka_unit_test(chase_is_verified),
        cmocka_unit_test(too_much_memory_is_refused_untouched),
        cmocka_unit_test(cpus_are_counted_round),
        cmocka_unit_test(memory_is_aligned_zeroed_and_limited),
        cmocka_unit_test(automatic_bytes_keep_the_rule_within_its_limits),
        cmocka_unit_test(fwq_measures_each_quantum),
        cmocka_unit_test(a_trap_is_a_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
