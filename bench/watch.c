// SPDX-License-Identifier: Apache-2.0
// The view of an interval, and which source makes it. See watch.h.
#include "bench/watch.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct watch_source *const sources[] = {&watch_guest, &watch_host};

const struct watch_source *watch_choose(const struct watch_options *options) {
    const bool of_host = options->vm != NULL;
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(sources) && sources[i]->of_host != of_host)
        i++;
    return sources[i];
}

void watch_view_free(struct watch_view *view) {
    free(view->rows);
    free(view->sites);
    cJSON_Delete(view->circumstances);
    cJSON_Delete(view->notes);
    *view = (struct watch_view){.interval_s = 0};
}

static struct watch_row *find_row(struct watch_view *view, const char *name) {
    for (size_t i = 0; i < view->row_count; i++) {
        if (strcmp(view->rows[i].name, name) == 0)
            return &view->rows[i];
    }
    return NULL;
}

void watch_add(struct watch_view *view, const char *name, bool direct, const struct observation *o) {
    struct watch_row *row = find_row(view, name);
    const bool sum = cause_info(o->cause)->family == FAMILY_OBSERVER;
    if (row && row->basis < o->basis && !sum)
        return;
    if (!row || (row->basis > o->basis && !sum)) {
        struct watch_row fresh = {.direct = direct, .basis = o->basis};
        snprintf(fresh.name, sizeof fresh.name, "%s", name);
        if (!row) {
            ARRAY_PUSH(view->rows, view->row_count, view->row_capacity, fresh);
            row = &view->rows[view->row_count - 1];
        }
        *row = fresh;
    }
    row->count += o->count;
    row->seconds += o->seconds;
    row->se = hypot(row->se, o->se);
    if (o->basis > row->basis)
        row->basis = o->basis;
}

void watch_add_site(struct watch_view *view, const struct watch_site *site) {
    for (size_t i = 0; i < view->site_count; i++) {
        struct watch_site *same = &view->sites[i];
        if (strcmp(same->cause, site->cause) == 0 && strcmp(same->where, site->where) == 0 &&
            strcmp(same->module, site->module) == 0) {
            same->share += site->share;
            return;
        }
    }
    ARRAY_PUSH(view->sites, view->site_count, view->site_capacity, *site);
}

static int descending(double a, double b) {
    return a < b ? 1 : a > b ? -1 : 0;
}

static int by_weight(const void *a, const void *b) {
    const struct watch_row *x = a;
    const struct watch_row *y = b;
    int order = descending(x->seconds, y->seconds);
    order = order ? order : descending(x->per_s, y->per_s);
    return order ? order : strcmp(x->name, y->name);
}

static int by_share(const void *a, const void *b) {
    return descending(((const struct watch_site *)a)->share, ((const struct watch_site *)b)->share);
}

void watch_finish(struct watch_view *view) {
    const double cpu_s = view->interval_s * view->cpus;
    bool timed = false;
    view->taken = view->taken_se = 0;
    for (size_t i = 0; i < view->row_count && cpu_s > 0; i++) {
        struct watch_row *row = &view->rows[i];
        row->per_s = (double)row->count / view->interval_s;
        row->share = row->seconds / cpu_s;
        row->share_se = row->se / cpu_s;
        view->taken += row->direct ? row->share : 0;
        view->taken_se = hypot(view->taken_se, row->direct ? row->share_se : 0);
        timed |= row->direct && row->basis != BASIS_COUNTED;
    }
    if (!timed)
        view->taken = view->taken_se = NAN;
    if (view->row_count)
        qsort(view->rows, view->row_count, sizeof *view->rows, by_weight);
    if (view->site_count)
        qsort(view->sites, view->site_count, sizeof *view->sites, by_share);
}

// --- JSON ---------------------------------------------------------------------------------------------------------

static cJSON *row_json(const struct watch_row *row) {
    const bool timed = row->basis != BASIS_COUNTED;
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "cause", row->name);
    cJSON_AddBoolToObject(object, "hypervisor", row->direct);
    json_add_u64(object, "count", row->count);
    json_add_double(object, "per_s", row->per_s);
    json_add_double(object, "seconds", timed ? row->seconds : NAN);
    json_add_double(object, "se", timed ? row->se : NAN);
    json_add_double(object, "pct", timed ? 100 * row->share : NAN);
    json_add_string(object, "basis", obs_basis_names[row->basis]);
    return object;
}

static cJSON *site_json(const struct watch_site *site) {
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "cause", site->cause);
    json_add_string(object, "site", site->where);
    json_add_string(object, "module", site->module[0] ? site->module : NULL);
    json_add_string(object, "line", site->line[0] ? site->line : NULL);
    json_add_double(object, "pct", 100 * site->share);
    return object;
}

cJSON *watch_view_to_json(const struct watch_view *view, const char *time) {
    cJSON *root = cJSON_CreateObject();
    json_add_string(root, "schema", "metalgap.watch/1");
    json_add_string(root, "time", time);
    json_add_double(root, "interval_s", view->interval_s);
    json_add_u64(root, "cpus", view->cpus);
    json_add_string(root, "of", view->of);
    json_add_double(root, "hypervisor_pct", 100 * view->taken);
    json_add_double(root, "hypervisor_pct_se", 100 * view->taken_se);
    cJSON *causes = cJSON_AddArrayToObject(root, "causes");
    for (size_t i = 0; i < view->row_count; i++)
        cJSON_AddItemToArray(causes, row_json(&view->rows[i]));
    cJSON *sites = cJSON_AddArrayToObject(root, "sites");
    for (size_t i = 0; i < view->site_count; i++)
        cJSON_AddItemToArray(sites, site_json(&view->sites[i]));
    cJSON_AddItemToObject(root, "circumstances",
                          view->circumstances ? cJSON_Duplicate(view->circumstances, 1) : cJSON_CreateObject());
    cJSON_AddItemToObject(root, "notes", view->notes ? cJSON_Duplicate(view->notes, 1) : cJSON_CreateArray());
    cJSON_AddItemToObject(root, "sources", view->sources ? cJSON_Duplicate(view->sources, 1) : cJSON_CreateArray());
    return root;
}
