// SPDX-License-Identifier: Apache-2.0
// The collectors' contract and selection, and the null collector through a whole sample.
#include "collectors/collectors.h"
#include "collectors/untold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
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

static bool is_untold(const struct observations *obs, const struct observation *o) {
    for (size_t i = 0; i < obs->untold_count; i++) {
        const struct untold *u = &obs->untold[i];
        if (u->cause == o->cause && u->scope == o->scope && (u->basis == o->basis || u->basis == BASIS_COUNT))
            return true;
    }
    return false;
}

// What collectors tell of a sample they say to be unknown where they take no part in it: by the table, and for a job
// that cannot be followed.
static void who_takes_no_part_tells_nothing(void **state) {
    (void)state;
    struct error err;
    const struct collect_options options = {0};
    struct collector_set *set = collector_set_open("all", &options, &err);
    assert_non_null(set);
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    struct sample s;
    struct sample lost;
    sample_init(&s);
    sample_init(&lost);
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    waitpid(gone, NULL, 0);
    struct sample_window w = {
        .job = getpid(), .cpus = &cpus, .mode = MODE_ATTRIBUTION, .pass = PASS_ALL, .start_ns = 1};
    collector_set_begin(set, &w);
    usleep(30000);
    w.end_ns = 2;
    collector_set_end(set, &w, &s.out);
    untold_by_all(MODE_ATTRIBUTION, "a test", &lost.obs);
    for (size_t i = 0; i < s.obs.count; i++) {
        const struct observation *o = &s.obs.items[i];
        bool description = o->cause == CAUSE_OBSERVER || (o->cause == CAUSE_HOST_STEAL && o->scope == SCOPE_LATENCY);
        if (!description && !is_untold(&lost.obs, o))
            fail_msg("no collector says that it cannot tell %s", cause_info(o->cause)->id);
    }
    sample_free(&s);
    sample_free(&lost);
    sample_init(&s);
    w = (struct sample_window){.job = gone, .cpus = &cpus, .mode = MODE_ATTRIBUTION, .pass = PASS_ALL, .start_ns = 1};
    collector_set_begin(set, &w);
    w.end_ns = 2;
    collector_set_end(set, &w, &s.out);
    cJSON *states = collector_set_to_json(set);
    const cJSON *row;
    cJSON_ArrayForEach(row, states) {
        const char *name = json_text(row, "name");
        if (!follows_session(name) || strcmp(json_text(row, "state"), "unavailable") == 0)
            continue;
        struct observations mine = {0};
        untold_by(name, MODE_ATTRIBUTION, "a test", &mine);
        assert_true(mine.untold_count > 0);
        for (size_t i = 0; i < mine.untold_count; i++) {
            const struct untold *u = &mine.untold[i];
            assert_true(
                is_untold(&s.obs, &(struct observation){.cause = u->cause, .scope = u->scope, .basis = u->basis}));
        }
        observations_free(&mine);
    }
    cJSON_Delete(states);
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
        cmocka_unit_test(who_takes_no_part_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
