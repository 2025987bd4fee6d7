// SPDX-License-Identifier: Apache-2.0
// Which collectors run, and running them around each sample. See collector.h.
#include "collectors/collector.h"

#include "collectors/untold.h"
#include "core/memory.h"
#include "core/str.h"
#include "probes/session.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const collector_state_names[] = {"active", "degraded", "unavailable"};

struct member {
    const struct collector_ops *ops;
    struct collector_status status;
    void *state; // NULL if unavailable
    bool begun;  // begin() succeeded and end() is due
    bool failed; // begin() failed and `failure` is to be told
    struct error failure;
};

struct collector_set {
    struct member *members;
    size_t count;
    size_t capacity;
};

// --- the contract -------------------------------------------------------------------------------------------------

static bool name_is_plain(const char *name) {
    if (!name || !islower((unsigned char)name[0]))
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

int collector_check(const struct collector_ops *ops, struct error *err) {
    const char *why = NULL;
    if (ops->abi != COLLECTOR_ABI)
        why = "it was built for another version of collector.h";
    else if (!name_is_plain(ops->name))
        why = "its name is not lower-case letters, digits and _";
    else if (strcmp(ops->name, "all") == 0 || strcmp(ops->name, "none") == 0)
        why = "its name is one of the selections";
    else if (!ops->summary || !ops->summary[0])
        why = "it has no summary";
    else if (ops->perturbs && ops->in_timing)
        why = "what perturbs other sources cannot be on in timing samples";
    else if (!ops->open || !ops->begin || !ops->end || !ops->close)
        why = "open, begin, end or close is missing";
    if (!why)
        return 0;
    error_set(err, EXIT_CODE_INTERNAL, "checking the collector \"%s\"", ops->name ? ops->name : "");
    return error_why(err, "%s", why);
}

static int check_registry(struct error *err) {
    for (size_t i = 0; collector_registry[i]; i++) {
        if (collector_check(collector_registry[i], err))
            return -1;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(collector_registry[i]->name, collector_registry[j]->name) != 0)
                continue;
            error_set(err, EXIT_CODE_INTERNAL, "checking the collector \"%s\"", collector_registry[i]->name);
            return error_why(err, "two collectors have this name");
        }
    }
    return 0;
}

// --- selection ----------------------------------------------------------------------------------------------------

static const struct collector_ops *find(const char *name) {
    for (size_t i = 0; collector_registry[i]; i++) {
        if (strcmp(collector_registry[i]->name, name) == 0)
            return collector_registry[i];
    }
    return NULL;
}

static int refuse_name(const char *selection, const char *name, struct error *err) {
    struct str known = {0};
    for (size_t i = 0; collector_registry[i]; i++)
        str_printf(&known, "%s%s", i ? ", " : "", collector_registry[i]->name);
    error_set(err, EXIT_CODE_USAGE, "selecting the collectors \"%s\"", selection);
    error_why(err, "there is no collector \"%s\"", name);
    error_remedy(err, "choose all, none, or from: %s", str_text(&known));
    str_free(&known);
    return -1;
}

static bool has(const struct collector_set *set, const struct collector_ops *ops) {
    for (size_t i = 0; i < set->count; i++) {
        if (set->members[i].ops == ops)
            return true;
    }
    return false;
}

static void add(struct collector_set *set, const struct collector_ops *ops, const struct collect_options *options) {
    struct member m = {.ops = ops};
    m.state = ops->open(options, &m.status);
    ARRAY_PUSH(set->members, set->count, set->capacity, m);
}

static void add_all(struct collector_set *set, const struct collect_options *options) {
    for (size_t i = 0; collector_registry[i]; i++) {
        if (!collector_registry[i]->only_by_name)
            add(set, collector_registry[i], options);
    }
}

static int add_named(struct collector_set *set, const char *selection, const char *name,
                     const struct collect_options *options, struct error *err) {
    const struct collector_ops *ops = find(name);
    if (!ops)
        return refuse_name(selection, name, err);
    if (has(set, ops))
        return 0;
    add(set, ops, options);
    const struct collector_status *status = &set->members[set->count - 1].status;
    if (status->state != COLLECTOR_UNAVAILABLE)
        return 0;
    error_set(err, EXIT_CODE_LACKS, "starting the collector \"%s\"", name);
    error_why(err, "%s", status->reason);
    return error_remedy(err, "%s", status->hint);
}

static int add_list(struct collector_set *set, const char *selection, const struct collect_options *options,
                    struct error *err) {
    char *names = mem_strdup(selection);
    int result = 0;
    char *rest = names;
    for (char *name; result == 0 && (name = strsep(&rest, ","));)
        result = add_named(set, selection, name, options, err);
    free(names);
    return result;
}

struct collector_set *collector_set_open(const char *selection, const struct collect_options *options,
                                         struct error *err) {
    if (check_registry(err))
        return NULL;
    struct collector_set *set = mem_alloc(sizeof *set);
    if (strcmp(selection, "all") == 0) {
        add_all(set, options);
    } else if (strcmp(selection, "none") != 0 && add_list(set, selection, options, err)) {
        collector_set_close(set);
        return NULL;
    }
    return set;
}

void collector_set_close(struct collector_set *set) {
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++) {
        if (set->members[i].state)
            set->members[i].ops->close(set->members[i].state);
    }
    free(set->members);
    free(set);
}

// --- samples ------------------------------------------------------------------------------------------------------

static bool in_common_pass(const struct member *m) {
    return m->state && !m->ops->in_timing && !m->ops->perturbs;
}

static bool has_common_pass(const struct collector_set *set) {
    for (size_t i = 0; i < set->count; i++) {
        if (in_common_pass(&set->members[i]))
            return true;
    }
    return false;
}

// The collector whose pass this is, or NULL: the common one.
static const struct member *pass_owner(const struct collector_set *set, size_t pass) {
    size_t at = has_common_pass(set) ? 1 : 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct member *m = &set->members[i];
        if (m->state && m->ops->perturbs && at++ == pass)
            return m;
    }
    return NULL;
}

size_t collector_set_passes(const struct collector_set *set) {
    size_t passes = has_common_pass(set) ? 1 : 0;
    for (size_t i = 0; i < set->count; i++)
        passes += set->members[i].state && set->members[i].ops->perturbs;
    return passes;
}

const char *collector_set_pass_name(const struct collector_set *set, size_t pass) {
    const struct member *owner = pass_owner(set, pass);
    return owner ? owner->ops->name : "common";
}

// `owner` is NULL in the common pass and in PASS_ALL.
double collector_set_pass_cpu_s(const struct collector_set *set, size_t pass) {
    const struct member *owner = pass_owner(set, pass);
    return owner ? owner->ops->least_cpu_s : 0;
}

static bool takes_part(const struct member *m, const struct sample_window *window, const struct member *owner) {
    if (!m->state)
        return false;
    if (m->ops->in_timing)
        return true;
    return window->mode == MODE_ATTRIBUTION && (owner ? m == owner : window->pass == PASS_ALL || in_common_pass(m));
}

// What this collector gets to see: in another one's pass it is to do no more than in a timing sample.
static struct sample_window window_for(const struct member *m, const struct sample_window *window,
                                       const struct member *owner) {
    struct sample_window seen = *window;
    if (owner && m != owner)
        seen.mode = MODE_TIMING;
    return seen;
}

static const struct member *owner_of(const struct collector_set *set, const struct sample_window *window) {
    return window->mode == MODE_ATTRIBUTION ? pass_owner(set, window->pass) : NULL;
}

unsigned window_session(const struct sample_window *window) {
    if (!window->job)
        return SESSION_EVERYBODY;
    pid_t session = getsid(window->job);
    return session > 0 ? (unsigned)session : SESSION_NOBODY;
}

unsigned own_session(void) {
    pid_t session = getsid(0);
    return session > 0 ? (unsigned)session : SESSION_EVERYBODY;
}

// True if the member would watch nobody, which looks as if nothing happened.
static bool lost_job(struct member *m, const struct sample_window *window) {
    if (!follows_session(m->ops->name) || window_session(window) != SESSION_NOBODY)
        return false;
    error_set(&m->failure, EXIT_CODE_LACKS, "following the job");
    error_why(&m->failure, "which tasks are its own cannot be told: its session is not known");
    return true;
}

void collector_set_begin(struct collector_set *set, const struct sample_window *window) {
    const struct member *owner = owner_of(set, window);
    for (size_t i = 0; i < set->count; i++) {
        struct member *m = &set->members[i];
        m->begun = m->failed = false;
        if (!takes_part(m, window, owner))
            continue;
        struct sample_window seen = window_for(m, window, owner);
        m->failed = lost_job(m, window) || m->ops->begin(m->state, &seen, &m->failure) != 0;
        m->begun = !m->failed;
    }
}

// What it would have told is not known.
static void tell_failure(const struct member *m, enum sample_mode mode, struct collector_output *out) {
    char line[1600];
    error_line(&m->failure, line, sizeof line);
    char *text = mem_printf("collector %s took no part in this sample: %s", m->ops->name, line);
    cJSON_AddItemToArray(out->notes, cJSON_CreateString(text));
    untold_by(m->ops->name, mode, text, out->obs);
    free(text);
}

// The first to begin is the last to end, so that the windows nest.
void collector_set_end(struct collector_set *set, const struct sample_window *window, struct collector_output *out) {
    const struct member *owner = owner_of(set, window);
    for (size_t i = set->count; i-- > 0;) {
        struct member *m = &set->members[i];
        struct sample_window seen = window_for(m, window, owner);
        if (m->begun)
            m->failed = m->ops->end(m->state, &seen, out, &m->failure) != 0;
        if (m->failed)
            tell_failure(m, seen.mode, out);
        m->begun = m->failed = false;
    }
}

cJSON *collector_set_to_json(const struct collector_set *set) {
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < set->count; i++) {
        const struct member *m = &set->members[i];
        cJSON *row = cJSON_CreateObject();
        json_add_string(row, "name", m->ops->name);
        json_add_string(row, "state", collector_state_names[m->status.state]);
        json_add_string(row, "reason", m->status.reason[0] ? m->status.reason : NULL);
        json_add_string(row, "hint", m->status.hint[0] ? m->status.hint : NULL);
        cJSON_AddItemToArray(list, row);
    }
    return list;
}
