// SPDX-License-Identifier: Apache-2.0
// What a run over several nodes writes: a line for each further node, and for each rank of a sample. See run.h.
#include "bench/run.h"

#include "bench/node_gaps.h"
#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// --- the header
// -------------------------------------------------------------------------------------------------------

static cJSON *names(const struct nodes *nodes) {
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < nodes_count(nodes); i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(nodes_name(nodes, i)));
    return list;
}

// With nodes, the subject is the first of them; this machine may be another one altogether.
cJSON *record_header_member(const struct run *run, const char *key, const cJSON *own) {
    static const char *const ours[] = {"tool", "command"};
    const struct nodes *nodes = run->session->nodes;
    const cJSON *value = nodes ? cJSON_GetObjectItemCaseSensitive(nodes_header(nodes, 0), key) : NULL;
    if (nodes && strcmp(key, "nodes") == 0)
        return names(nodes);
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (strcmp(key, ours[i]) == 0)
            value = NULL;
    return cJSON_Duplicate(value ? value : own, true);
}

static int write_node(struct run *run, size_t i, struct error *err) {
    static const char *const keys[] = {"platform",      "topology",   "kernel",     "clock",
                                       "circumstances", "collectors", "calibration"};
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "t", "node");
    json_add_string(line, "node", nodes_name(run->session->nodes, i));
    for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
        const cJSON *value = cJSON_GetObjectItemCaseSensitive(nodes_header(run->session->nodes, i), keys[k]);
        if (value)
            cJSON_AddItemToObject(line, keys[k], cJSON_Duplicate(value, true));
    }
    int result = journal_write(run->journal, line, err);
    cJSON_Delete(line);
    return result;
}

static int note_difference(struct run *run, size_t i, struct error *err) {
    const struct nodes *nodes = run->session->nodes;
    char *difference = nodes_difference(nodes, i);
    if (!difference)
        return 0;
    char *text = mem_printf("the node %s differs from %s: %s", nodes_name(nodes, i), nodes_name(nodes, 0), difference);
    free(difference);
    progress_line(run->session->progress, "note: %s", text);
    return record_note(run, true, text, err);
}

int record_nodes(struct run *run, struct error *err) {
    const struct session *session = run->session;
    if (session->nodes_note) {
        progress_line(session->progress, "note: %s", session->nodes_note);
        if (record_note(run, true, mem_strdup(session->nodes_note), err))
            return -1;
    }
    for (size_t i = 1; session->nodes && !run->resumed && i < nodes_count(session->nodes); i++)
        if (write_node(run, i, err))
            return -1;
    for (size_t i = 1; session->nodes && i < nodes_count(session->nodes); i++)
        if (note_difference(run, i, err))
            return -1;
    return 0;
}

// --- samples
// ----------------------------------------------------------------------------------------------------------

// What the agent of the rank's node found, on the line of the node's first rank.
static void add_node(struct journal_sample *s, const cJSON *found) {
    const cJSON *item;
    json_get_ticks(found, "start_tsc", JSON_OPTIONAL, &s->start_tsc, NULL);
    json_get_ticks(found, "end_tsc", JSON_OPTIONAL, &s->end_tsc, NULL);
    json_get_double(found, "roi_s", JSON_OPTIONAL, &s->roi_s, NULL);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(found, "obs")) {
        struct observation o;
        if (observation_from_json(item, &o, NULL) <= 0)
            continue;
        o.detail = cJSON_Duplicate(o.detail, true); // the list owns its own
        observations_add(&s->obs, o);
    }
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(found, "unknown")) {
        struct untold what;
        if (untold_from_json(item, &what, NULL) > 0)
            observations_untold(&s->obs, what);
    }
}

// The circumstances of the line: those of the node, what the bench says (first line only), the rank's CPU time.
static cJSON *circumstances_of(const struct nodes_rank *r, const cJSON *own) {
    cJSON *all = r->sample ? cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(r->sample, "circumstances"), true) : NULL;
    const cJSON *item;
    all = all ? all : cJSON_CreateObject();
    cJSON_ArrayForEach(item, own) {
        if (!cJSON_HasObjectItem(all, item->string))
            cJSON_AddItemToObject(all, item->string, cJSON_Duplicate(item, true));
    }
    if (isfinite(r->cpu_s))
        json_add_double(all, "rank_cpu_s", r->cpu_s);
    return all;
}

static void add_waiting(struct journal_sample *s, const struct mpi_wait *wait) {
    for (size_t i = 0; i < wait->count; i++) {
        if (wait->ranks[i].rank != s->rank)
            continue;
        struct observation o = wait->ranks[i].observation;
        o.detail = cJSON_Duplicate(o.detail, true); // the list owns its own
        observations_add(&s->obs, o);
    }
}

// The line of one rank. What the bench says of the whole job stands in the first.
static struct journal_sample rank_line(const struct journal_sample *whole, const struct nodes_rank *r, bool first) {
    struct journal_sample s = *whole;
    s.node = r->node;
    s.rank = r->rank;
    s.start_ns = r->start_ns;
    s.start_tsc = s.end_tsc = 0;
    s.obs = (struct observations){0};
    if (!first) {
        s.wall_s = r->wall_s;
        s.fom = NAN;
        s.steps_s = NULL;
    }
    s.roi_s = r->wall_s;
    if (r->sample)
        add_node(&s, r->sample);
    s.roi_s = s.roi_s > 0 ? s.roi_s : s.wall_s;
    s.circumstances = circumstances_of(r, first ? whole->circumstances : NULL);
    return s;
}

int record_rank_notes(struct run *run, const struct planned_case *c, const struct nodes_rank *ranks, size_t count,
                      struct error *err) {
    for (size_t i = 0; i < count; i++) {
        const cJSON *found = ranks[i].sample;
        if (found && record_notes(run, c, cJSON_GetObjectItemCaseSensitive(found, "notes"), err))
            return -1;
    }
    return 0;
}

static void add_gaps(const struct nodes *nodes, struct journal_sample *lines, size_t line_count) {
    size_t count = nodes_count(nodes);
    struct node_sources *sources = mem_alloc(count * sizeof *sources);
    for (size_t i = 0; i < count; i++)
        sources[i] = (struct node_sources){nodes_name(nodes, i),
                                           cJSON_GetObjectItemCaseSensitive(nodes_header(nodes, i), "collectors")};
    node_gaps_add(sources, count, lines, line_count);
    free(sources);
}

int record_ranks(struct run *run, const struct journal_sample *whole, const struct nodes_rank *ranks, size_t count,
                 const struct mpi_wait *wait, struct error *err) {
    struct journal_sample *lines = mem_alloc(count * sizeof *lines);
    for (size_t i = 0; i < count; i++) {
        lines[i] = rank_line(whole, &ranks[i], i == 0);
        add_waiting(&lines[i], wait);
    }
    add_gaps(run->session->nodes, lines, count);
    int result = journal_write_samples(run->journal, lines, count, err);
    for (size_t i = 0; i < count; i++) {
        observations_free(&lines[i].obs);
        cJSON_Delete((cJSON *)lines[i].circumstances); // ours
    }
    free(lines);
    return result;
}
