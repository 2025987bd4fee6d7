// SPDX-License-Identifier: Apache-2.0
// What some nodes of a run cannot tell. See node_gaps.h.
#include "bench/node_gaps.h"

#include "collectors/collector.h"
#include "collectors/untold.h"
#include "core/str.h"

#include <string.h>

enum { NAMED = 3 }; // nodes that a reason names

static const cJSON *collector_of(const struct node_sources *node, const char *name) {
    const cJSON *row;
    cJSON_ArrayForEach(row, node->collectors) {
        const char *found = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "name"));
        if (found && strcmp(found, name) == 0)
            return row;
    }
    return NULL;
}

static bool lacks(const struct node_sources *node, const char *name) {
    const cJSON *row = collector_of(node, name);
    const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "state"));
    return !state || strcmp(state, collector_state_names[COLLECTOR_UNAVAILABLE]) == 0;
}

static size_t nodes_that_lack(const struct node_sources *nodes, size_t count, const char *name) {
    size_t lacking = 0;
    for (size_t i = 0; i < count; i++)
        lacking += lacks(&nodes[i], name);
    return lacking;
}

// The same words for all nodes and samples, so that a report says them once; with the first node's reason.
static void say_why(const struct node_sources *nodes, size_t count, const char *name, struct str *out) {
    const char *reason = NULL;
    size_t lacking = nodes_that_lack(nodes, count, name);
    size_t named = 0;
    str_printf(out, "told on %zu of %zu nodes: the collector %s is unavailable on ", count - lacking, count, name);
    for (size_t i = 0; i < count && named < NAMED; i++) {
        if (!lacks(&nodes[i], name))
            continue;
        const cJSON *row = collector_of(&nodes[i], name);
        str_printf(out, "%s%s", named++ ? ", " : "", nodes[i].node);
        reason = reason ? reason : cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "reason"));
    }
    if (lacking > named)
        str_printf(out, " and %zu more", lacking - named);
    if (reason)
        str_printf(out, " (%s)", reason);
}

static bool tells(const struct journal_sample *line, const struct untold *what) {
    for (size_t i = 0; i < line->obs.count; i++) {
        const struct observation *o = &line->obs.items[i];
        bool known = what->basis == BASIS_COUNT || o->basis == what->basis;
        if (o->cause == what->cause && o->scope == what->scope && known)
            return true;
    }
    return false;
}

static bool any_tells(const struct journal_sample *lines, size_t count, const struct untold *what) {
    for (size_t i = 0; i < count; i++)
        if (tells(&lines[i], what))
            return true;
    return false;
}

// What a node's agent observed stands on the line of the node's first rank.
static struct journal_sample *line_of(struct journal_sample *lines, size_t count, const char *node) {
    for (size_t i = 0; i < count; i++)
        if (lines[i].node && strcmp(lines[i].node, node) == 0)
            return &lines[i];
    return NULL;
}

static void add_of_collector(struct journal_sample *line, const struct journal_sample *lines, size_t count,
                             const char *name, const char *why) {
    struct observations all = {0};
    untold_by(name, line->mode, why, &all);
    for (size_t i = 0; i < all.untold_count; i++)
        if (!tells(line, &all.untold[i]) && any_tells(lines, count, &all.untold[i]))
            observations_untold(&line->obs, all.untold[i]);
    observations_free(&all);
}

void node_gaps_add(const struct node_sources *nodes, size_t node_count, struct journal_sample *lines,
                   size_t line_count) {
    for (size_t c = 0; collector_registry[c]; c++) {
        const char *name = collector_registry[c]->name;
        size_t lacking = nodes_that_lack(nodes, node_count, name);
        if (lacking == 0 || lacking == node_count)
            continue;
        struct str why = {0};
        say_why(nodes, node_count, name, &why);
        for (size_t i = 0; i < node_count; i++) {
            struct journal_sample *line = lacks(&nodes[i], name) ? line_of(lines, line_count, nodes[i].node) : NULL;
            if (line)
                add_of_collector(line, lines, line_count, name, str_text(&why));
        }
        str_free(&why);
    }
}
