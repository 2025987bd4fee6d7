// SPDX-License-Identifier: Apache-2.0
// The collectors' contract and selection, and the null collector through a whole sample.
#include "collectors/collectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *no_open(const struct collect_options *options, struct collector_status *status) {
    (void)options;
    (void)status;
    return NULL;
}

static int no_begin(void *state, const struct sample_window *window, struct error *err) {
    (void)state;
    (void)window;
    (void)err;
    return 0;
}

static int no_end(void *state, const struct sample_window *window, struct collector_output *out, struct error *err) {
    (void)out;
    return no_begin(state, window, err);
}

static const struct collector_ops whole = {
    .abi = COLLECTOR_ABI,
    .name = "whole",
    .summary = "complete",
    .open = no_open,
    .begin = no_begin,
    .end = no_end,
    .close = free,
};

static void contract(void **state) {
    (void)state;
    struct error err;
    assert_int_equal(collector_check(&whole, &err), 0);
    struct collector_ops ops = whole;
    ops.abi = COLLECTOR_ABI + 1;
    assert_int_equal(collector_check(&ops, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_INTERNAL);
    assert_non_null(strstr(err.why, "version"));
    static const char *const bad_names[] = {NULL, "", "Steal", "a,b", "all", "none", "1st"};
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++) {
        ops = whole;
        ops.name = bad_names[i];
        assert_int_equal(collector_check(&ops, &err), -1);
    }
    ops = whole;
    ops.summary = "";
    assert_int_equal(collector_check(&ops, &err), -1);
    ops = whole;
    ops.in_timing = ops.perturbs = true;
    assert_int_equal(collector_check(&ops, &err), -1);
    assert_non_null(strstr(err.why, "timing"));
    ops = whole;
    ops.end = NULL;
    assert_int_equal(collector_check(&ops, &err), -1);
    assert_non_null(strstr(err.why, "missing"));
}

static void registry_keeps_the_contract(void **state) {
    (void)state;
    struct error err;
    for (size_t i = 0; collector_registry[i]; i++)
        assert_int_equal(collector_check(collector_registry[i], &err), 0);
}

static char *states(const char *selection) {
    struct error err;
    const struct collect_options options = {0};
    struct collector_set *set = collector_set_open(selection, &options, &err);
    assert_non_null(set);
    cJSON *json = collector_set_to_json(set);
    char *line = json_print_line(json);
    cJSON_Delete(json);
    collector_set_close(set);
    return line;
}

static void selection(void **state) {
    (void)state;
    struct error err;
    const struct collect_options options = {0};
    char *line = states("none");
    assert_string_equal(line, "[]");
    free(line);
    line = states("null,null");
    assert_string_equal(line, "[{\"name\":\"null\",\"state\":\"active\",\"reason\":null,\"hint\":null}]");
    free(line);
    line = states("all");
    assert_null(strstr(line, "\"null\",\"state\"")); // only by name
    assert_non_null(strstr(line, "\"steal\""));
    free(line);
    assert_null(collector_set_open("steal,spleen", &options, &err));
    assert_int_equal(err.code, EXIT_CODE_USAGE);
    assert_non_null(strstr(err.why, "spleen"));
    assert_non_null(strstr(err.remedy, "steal"));
    assert_null(collector_set_open("", &options, &err));
    assert_null(collector_set_open("null,", &options, &err));
    assert_int_equal(err.code, EXIT_CODE_USAGE);
}

static const struct collector_ops *registered(const char *name) {
    for (size_t i = 0; collector_registry[i]; i++) {
        if (strcmp(collector_registry[i]->name, name) == 0)
            return collector_registry[i];
    }
    return NULL;
}

// One pass for all that perturb nothing, one for each that does; which of them work here is the machine's affair.
static void passes(void **state) {
    (void)state;
    struct error err;
    const struct collect_options options = {0};
    struct collector_set *set = collector_set_open("null", &options, &err);
    assert_int_equal(collector_set_passes(set), 0);
    collector_set_close(set);
    set = collector_set_open("all", &options, &err);
    size_t common = 0;
    size_t own = 0;
    cJSON *json = collector_set_to_json(set);
    const cJSON *row;
    cJSON_ArrayForEach(row, json) {
        const char *name = cJSON_GetObjectItem(row, "name")->valuestring;
        const struct collector_ops *ops = registered(name);
        if (strcmp(cJSON_GetObjectItem(row, "state")->valuestring, "unavailable") == 0 || ops->in_timing)
            continue;
        common |= !ops->perturbs;
        own += ops->perturbs;
    }
    assert_int_equal(collector_set_passes(set), common + own);
    for (size_t i = 0; i < common + own; i++) {
        const char *name = collector_set_pass_name(set, i);
        if (i < common)
            assert_string_equal(name, "common");
        else
            assert_true(registered(name)->perturbs);
    }
    cJSON_Delete(json);
    collector_set_close(set);
}

struct sample {
    struct observations obs;
    cJSON *circumstances;
    cJSON *notes;
    struct collector_output out;
};

static void sample_init(struct sample *s) {
    *s = (struct sample){.circumstances = cJSON_CreateObject(), .notes = cJSON_CreateArray()};
    s->out = (struct collector_output){.obs = &s->obs, .circumstances = s->circumstances, .notes = s->notes};
}

static void sample_free(struct sample *s) {
    observations_free(&s->obs);
    cJSON_Delete(s->circumstances);
    cJSON_Delete(s->notes);
}

static void null_collector_counts_samples(void **state) {
    (void)state;
    struct error err;
    const struct collect_options options = {0};
    struct collector_set *set = collector_set_open("null", &options, &err);
    assert_non_null(set);
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    for (int i = 1; i <= 2; i++) {
        struct sample s;
        sample_init(&s);
        struct sample_window w = {.job = getpid(), .cpus = &cpus, .mode = MODE_TIMING, .start_ns = 5};
        collector_set_begin(set, &w);
        w.end_ns = 7;
        collector_set_end(set, &w, &s.out);
        char *line = json_print_line(s.circumstances);
        assert_string_equal(line, i == 1 ? "{\"null_samples\":1}" : "{\"null_samples\":2}");
        free(line);
        assert_int_equal(cJSON_GetArraySize(s.notes), 0);
        sample_free(&s);
    }
    collector_set_close(set);
}

static void failure_becomes_a_note(void **state) {
    (void)state;
    struct error err;
    const struct collect_options options = {0};
    struct collector_set *set = collector_set_open("null", &options, &err);
    assert_non_null(set);
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    struct sample s;
    sample_init(&s);
    struct sample_window w = {.cpus = &cpus, .start_ns = 7};
    collector_set_begin(set, &w);
    w.end_ns = 5; // before the start: the null collector refuses
    collector_set_end(set, &w, &s.out);
    assert_int_equal(cJSON_GetArraySize(s.notes), 1);
    assert_non_null(strstr(cJSON_GetArrayItem(s.notes, 0)->valuestring, "collector null"));
    collector_set_end(set, &w, &s.out); // nothing was begun: nothing ends
    assert_int_equal(cJSON_GetArraySize(s.notes), 1);
    sample_free(&s);
    collector_set_close(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contract),
        cmocka_unit_test(registry_keeps_the_contract),
        cmocka_unit_test(selection),
        cmocka_unit_test(passes),
        cmocka_unit_test(null_collector_counts_samples),
        cmocka_unit_test(failure_becomes_a_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
