// SPDX-License-Identifier: Apache-2.0
// A node that lacks a collector of the others: what these tell is said to be unknown there, and the report adds up no
// part of the nodes.
#include "bench/node_gaps.h"
#include "core/memory.h"
#include "report/dataset.h"
#include "report/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEAL(state)  "[{\"name\":\"steal\",\"state\":\"" state "\",\"reason\":\"no /proc/stat\"},"
#define TIMING(state) "{\"name\":\"exit_timing\",\"state\":\"" state "\",\"reason\":\"lockdown\"}]"

struct machines {
    struct node_sources nodes[5];
    size_t count;
};

static void add_node(struct machines *m, const char *name, const char *collectors) {
    m->nodes[m->count++] = (struct node_sources){name, cJSON_Parse(collectors)};
}

static void free_nodes(struct machines *m) {
    for (size_t i = 0; i < m->count; i++)
        cJSON_Delete((cJSON *)m->nodes[i].collectors);
}

static void observe(struct journal_sample *line, enum cause cause, enum obs_basis basis, double seconds) {
    observations_add(&line->obs, (struct observation){.cause = cause, .basis = basis, .count = 1, .seconds = seconds});
}

static const char *why(const struct journal_sample *line, enum cause cause) {
    for (size_t i = 0; i < line->obs.untold_count; i++)
        if (line->obs.untold[i].cause == cause)
            return line->obs.untold[i].why;
    return NULL;
}

static void free_lines(struct journal_sample *lines, size_t count) {
    for (size_t i = 0; i < count; i++)
        observations_free(&lines[i].obs);
}

static void what_only_others_tell_is_not_known(void **state) {
    (void)state;
    struct machines m = {0};
    add_node(&m, "a", STEAL("active") TIMING("active"));
    add_node(&m, "b", STEAL("degraded") TIMING("unavailable"));
    struct journal_sample lines[] = {{.node = "a", .rank = 0, .mode = MODE_ATTRIBUTION},
                                     {.node = "a", .rank = 1, .mode = MODE_ATTRIBUTION},
                                     {.node = "b", .rank = 2, .mode = MODE_ATTRIBUTION},
                                     {.node = "b", .rank = 3, .mode = MODE_ATTRIBUTION}};
    observe(&lines[0], CAUSE_EXIT_TIMER, BASIS_TIMED, 1);
    observe(&lines[0], CAUSE_EXIT_IPI, BASIS_TIMED, 1);
    observe(&lines[0], CAUSE_HOST_STEAL, BASIS_TIMED, 1);
    observe(&lines[2], CAUSE_EXIT_TIMER, BASIS_CALIBRATED, 1); // by another collector: it stands
    observe(&lines[2], CAUSE_EXIT_IPI, BASIS_TIMED, 1);        // told there as well
    node_gaps_add(m.nodes, m.count, lines, ARRAY_LEN(lines));
    assert_int_equal(lines[2].obs.untold_count, 1); // none of what nobody tells
    assert_int_equal(lines[2].obs.untold[0].basis, BASIS_TIMED);
    assert_string_equal(why(&lines[2], CAUSE_EXIT_TIMER),
                        "told on 1 of 2 nodes: the collector exit_timing is unavailable on b (lockdown)");
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        assert_true(i == 2 || lines[i].obs.untold_count == 0);
    free_lines(lines, ARRAY_LEN(lines));
    free_nodes(&m);
}

static void where_all_lack_it_nothing_is_said(void **state) {
    (void)state;
    struct machines m = {0};
    add_node(&m, "a", STEAL("active") TIMING("unavailable"));
    add_node(&m, "b", STEAL("active") TIMING("unavailable"));
    struct journal_sample lines[] = {{.node = "a", .mode = MODE_ATTRIBUTION}, {.node = "b", .mode = MODE_ATTRIBUTION}};
    observe(&lines[0], CAUSE_EXIT_TIMER, BASIS_TIMED, 1);
    node_gaps_add(m.nodes, m.count, lines, ARRAY_LEN(lines));
    assert_int_equal(lines[1].obs.untold_count, 0);
    free_lines(lines, ARRAY_LEN(lines));
    free_nodes(&m);
}

// In timing samples a collector of attribution samples tells nothing on any node.
static void many_nodes_are_named_in_part(void **state) {
    (void)state;
    struct machines m = {0};
    struct journal_sample lines[5] = {{.node = "a"}, {.node = "b"}, {.node = "c"}, {.node = "d"}, {.node = "e"}};
    for (int i = 0; i < 4; i++)
        add_node(&m, lines[i].node, STEAL("unavailable") TIMING("unavailable"));
    add_node(&m, "e", STEAL("active") TIMING("active"));
    observe(&lines[4], CAUSE_HOST_STEAL, BASIS_TIMED, 1);
    observe(&lines[4], CAUSE_EXIT_TIMER, BASIS_TIMED, 1);
    node_gaps_add(m.nodes, m.count, lines, ARRAY_LEN(lines));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(lines[i].obs.untold_count, 1);
        assert_string_equal(why(&lines[i], CAUSE_HOST_STEAL),
                            "told on 1 of 5 nodes: the collector steal is "
                            "unavailable on a, b, c and 1 more (no /proc/stat)");
    }
    free_lines(lines, ARRAY_LEN(lines));
    free_nodes(&m);
}

// A journal of two nodes, of which one has no steal clock; the other lost a tenth of its time. Its text as a report has
// it.
static char *report_of(bool gaps) {
    char path[] = "/tmp/metalgap-gaps-XXXXXX";
    struct error err;
    struct machines m = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    add_node(&m, "a", STEAL("active") TIMING("active"));
    add_node(&m, "b", STEAL("unavailable") TIMING("active"));
    struct journal_writer *w = journal_open(path, true, &err);
    assert_non_null(w);
    cJSON *header =
        cJSON_Parse("{\"t\":\"header\",\"schema\":\"metalgap.run/1\",\"label\":\"two\",\"role\":\"guest\"}");
    assert_int_equal(journal_write(w, header, &err), 0);
    cJSON_Delete(header);
    struct journal_case c = {.name = "solve", .bench = "mpi", .cpus = 2};
    assert_int_equal(journal_write_case(w, &c, &err), 0);
    for (uint64_t seq = 0; seq < 6; seq++) {
        struct journal_sample lines[2] = {{.node = "a", .rank = 0}, {.node = "b", .rank = 1}};
        for (size_t i = 0; i < 2; i++) {
            lines[i].case_name = "solve";
            lines[i].seq = seq;
            lines[i].block = -1;
            lines[i].wall_s = lines[i].roi_s = 1 + 0.001 * (double)seq;
            lines[i].fom = NAN;
            lines[i].valid = true;
        }
        observe(&lines[0], CAUSE_HOST_STEAL, BASIS_TIMED, 0.1);
        if (gaps)
            node_gaps_add(m.nodes, m.count, lines, 2);
        assert_int_equal(journal_write_samples(w, lines, 2, &err), 0);
        free_lines(lines, 2);
    }
    journal_close(w);
    free_nodes(&m);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    const char *const journals[] = {path};
    struct report_options options = {
        .format = "json", .journals = journals, .journal_count = 1, .limit_pct = REPORT_DEFAULT_LIMIT_PCT};
    assert_int_equal(report_make(&options, out, &err), 0);
    fclose(out);
    unlink(path);
    return text;
}

static const cJSON *steal_of(const cJSON *report) {
    const cJSON *one = cJSON_GetArrayItem(cJSON_GetObjectItem(report, "cases"), 0);
    const cJSON *line;
    cJSON_ArrayForEach(line, cJSON_GetObjectItem(one, "ledger")) {
        if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(line, "cause")), "host.steal") == 0)
            return line;
    }
    return NULL;
}

static void a_report_adds_up_no_part_of_the_nodes(void **state) {
    (void)state;
    char *silent = report_of(false);
    char *told = report_of(true);
    cJSON *without = cJSON_Parse(silent);
    cJSON *with = cJSON_Parse(told);
    const cJSON *line = steal_of(without);
    assert_true(line && cJSON_GetObjectItem(line, "pct")->valuedouble > 4); // one node's, of both nodes' time
    line = steal_of(with);
    assert_true(!line || !cJSON_IsNumber(cJSON_GetObjectItem(line, "pct")));
    assert_non_null(strstr(told, "told on 1 of 2 nodes: the collector steal is unavailable on b (no /proc/stat)"));
    cJSON_Delete(without);
    cJSON_Delete(with);
    free(silent);
    free(told);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_only_others_tell_is_not_known),
        cmocka_unit_test(where_all_lack_it_nothing_is_said),
        cmocka_unit_test(many_nodes_are_named_in_part),
        cmocka_unit_test(a_report_adds_up_no_part_of_the_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
