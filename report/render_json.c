// SPDX-License-Identifier: Apache-2.0
// The report as JSON, schema metalgap.report/1. Keys and meanings: docs/method.md. May include: core, report.
#include "report/history.h"
#include "report/json_io.h"
#include "report/render.h"
#include "report/report.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>

static void add_interval(cJSON *object, const char *key, struct stats_interval ci) {
    if (!isfinite(ci.low) || !isfinite(ci.high)) {
        cJSON_AddNullToObject(object, key);
        return;
    }
    double ends[2] = {ci.low, ci.high};
    cJSON_AddItemToObject(object, key, cJSON_CreateDoubleArray(ends, 2));
}

static void add_strings(cJSON *object, const char *key, const struct strings *list) {
    cJSON *array = cJSON_AddArrayToObject(object, key);
    for (size_t i = 0; i < list->count; i++) {
        cJSON *holder = cJSON_CreateObject(); // json_add_string() repairs what is not UTF-8
        json_add_string(holder, "text", list->items[i]);
        cJSON_AddItemToArray(array, cJSON_DetachItemFromObjectCaseSensitive(holder, "text"));
        cJSON_Delete(holder);
    }
}

static cJSON *side_object(const char *label, const struct side *side, const struct stats_summary *summary) {
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "label", side->count ? side->run[0].set->label : label);
    if (side->count && side->run[0].c->cpu_list)
        json_add_string(object, "cpu_list", side->run[0].c->cpu_list);
    json_add_u64(object, "n", summary->count);
    json_add_double(object, "median", summary->median);
    add_interval(object, "ci", summary->median_ci);
    json_add_double(object, "cv_pct", summary->cv_pct);
    json_add_double(object, "mean", summary->mean);
    json_add_u64(object, "runs", side->count);
    return object;
}

static cJSON *overhead_object(const struct model_case *c) {
    cJSON *object = cJSON_CreateObject();
    json_add_double(object, "pct", c->pct);
    add_interval(object, "ci", c->ci);
    json_add_double(object, "mean_pct", c->cmp.mean_pct.mean);
    add_interval(object, "mean_ci", stats_mean_interval(&c->cmp.mean_pct));
    json_add_double(object, "mde_pct", c->mde_pct);
    json_add_double(object, "noise_floor_pct", c->noise_floor_pct);
    json_add_string(object, "verdict", stats_verdict_name(c->verdict));
    json_add_double(object, "samples_needed", c->samples_needed);
    json_add_double(object, "q", c->q);
    cJSON_AddBoolToObject(object, "paired", c->cmp.paired);
    json_add_string(object, "method", stats_method_name(c->cmp.shift.method));
    return object;
}

// In how many samples it was told, where not in all.
static void add_told(cJSON *object, const char *key, const struct ledger_told *told) {
    if (told->told == told->samples)
        return;
    cJSON *words = cJSON_AddObjectToObject(object, key);
    json_add_u64(words, "samples", told->told);
    json_add_u64(words, "of", told->samples);
    json_add_string(words, "why", told->why);
}

// A cause that no sample of the subject told: it has no figure.
static cJSON *unmeasured_object(const struct ledger_line *line) {
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "cause", cause_info(line->cause)->id);
    json_add_string(object, "scope", obs_scope_names[line->scope]);
    json_add_u64(object, "of", line->told.samples);
    json_add_string(object, "why", line->told.why);
    return object;
}

static cJSON *line_object(const struct ledger_line *line) {
    const struct cause_info *info = cause_info(line->cause);
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "cause", info->id);
    json_add_string(object, "family", cause_family_name(info->family));
    // What the line adds to the sum: nothing where no cost is known.
    json_add_double(object, "pct", line->summed ? line->pct : 0);
    add_interval(object, "ci", line->ci);
    json_add_double(object, "seconds", line->seconds);
    json_add_double(object, "count", line->count);
    json_add_string(object, "basis", obs_basis_names[line->basis]);
    json_add_string(object, "source", line->by_host ? "host" : "subject");
    json_add_string(object, "scope", obs_scope_names[line->scope]);
    json_add_string(object, "samples", sample_mode_names[line->mode]);
    if (*line->pass)
        json_add_string(object, "pass", line->pass);
    if (line->at_most)
        cJSON_AddTrueToObject(object, "upper_bound");
    add_told(object, "told", &line->told);
    add_told(object, "baseline_told", &line->baseline_told);
    if (line->on_baseline) {
        json_add_double(object, "baseline_seconds", line->baseline_seconds);
        json_add_double(object, "baseline_count", line->baseline_count);
    }
    return object;
}

static void add_observers(cJSON *object, const struct ledger *ledger) {
    static const struct ledger_observer none = {.pct = NAN, .ci = {NAN, NAN}};
    const struct ledger_observer *dearest = ledger_dearest(ledger);
    if (!dearest)
        dearest = &none;
    json_add_double(object, "observer_pct", dearest->pct);
    add_interval(object, "observer_ci", dearest->ci);
    cJSON *list = cJSON_AddArrayToObject(object, "observers");
    for (size_t i = 0; i < ledger->observer_count; i++) {
        const struct ledger_observer *o = &ledger->observers[i];
        cJSON *row = cJSON_CreateObject();
        json_add_string(row, "pass", o->pass);
        json_add_u64(row, "samples", o->count);
        json_add_double(row, "pct", o->pct);
        add_interval(row, "ci", o->ci);
        cJSON_AddItemToArray(list, row);
    }
}

static void add_places(cJSON *object, const struct model_case *c) {
    cJSON *list = cJSON_AddArrayToObject(object, "places");
    for (int kind = 0; kind < PLACE_KIND_COUNT && c->subject.count == 1; kind++) {
        struct place_summary s = places_summary(&c->subject.run[0].c->places, (enum place_kind)kind);
        if (s.count == 0)
            continue;
        cJSON *row = cJSON_CreateObject();
        json_add_string(row, "kind", place_kind_names[kind]);
        json_add_u64(row, "count", s.count);
        json_add_double(row, "mean_pct", s.mean_pct);
        json_add_string(row, "worst", s.worst);
        json_add_double(row, "worst_pct", s.worst_pct);
        add_interval(row, "worst_ci", s.worst_ci);
        if (isfinite(s.last_pct))
            json_add_double(row, "last_pct", s.last_pct);
        cJSON_AddBoolToObject(row, "uneven", s.uneven);
        cJSON_AddItemToArray(list, row);
    }
}

static void add_sites(cJSON *object, const struct model_case *c) {
    cJSON *list = cJSON_AddArrayToObject(object, "sites");
    const struct sites *sites = c->subject.count == 1 ? &c->subject.run[0].c->sites : NULL;
    for (size_t i = 0; sites && i < sites->count; i++) {
        cJSON *row = cJSON_CreateObject();
        json_add_string(row, "cause", cause_info(sites->items[i].cause)->id);
        json_add_string(row, "site", sites->items[i].name);
        json_add_double(row, "pct", sites_pct(sites, &sites->items[i]));
        cJSON_AddItemToArray(list, row);
    }
}

static cJSON *device_object(const struct devices *devices, const struct device *device, const char *side) {
    cJSON *row = cJSON_CreateObject();
    double samples = fmax(device->samples, 1);
    json_add_string(row, "side", side);
    json_add_string(row, "device", device->name);
    json_add_string(row, "resource", device->resource);
    json_add_string(row, "path", device->path);
    json_add_string(row, "via", *device->via ? device->via : NULL);
    json_add_string(row, "driver", *device->driver ? device->driver : NULL);
    json_add_string(row, "cause", cause_info(device->cause)->id);
    json_add_double(row, "requests", device->requests / samples);
    json_add_double(row, "own_requests", device->own / samples);
    json_add_double(row, "mean_s", device_mean_s(device));
    json_add_double(row, "p50_s", device_quantile_s(device, 0.5));
    json_add_double(row, "p99_s", device_quantile_s(device, 0.99));
    json_add_double(row, "bytes_per_request", device_per_request(device, device->bytes));
    json_add_double(row, "kicks_per_request", device_per_request(device, device->kicks));
    json_add_double(row, "interrupts_per_request", device_per_request(device, device->interrupts));
    json_add_double(row, "remote_pct", device->timed > 0 ? 100 * device->remote / device->timed : NAN);
    json_add_double(row, "interrupt_cpus", device->cpus);
    json_add_double(row, "queues", device->queues > 0 ? device->queues : NAN);
    if (device->event_count > 0)
        json_add_double(row, "notify_to_event_s", device->event_s / device->event_count);
    json_add_double(row, "waits", device->waits / samples);
    json_add_double(row, "blocked_s", device->blocked_s / samples);
    json_add_double(row, "wait_pct", device_wait_pct(devices, device));
    return row;
}

static void add_devices(cJSON *list, const struct devices *devices, const char *name) {
    for (size_t i = 0; devices && i < devices->count; i++)
        if (devices->items[i].requests > 0)
            cJSON_AddItemToArray(list, device_object(devices, &devices->items[i], name));
}

static void add_ledger(cJSON *object, const struct model_case *c) {
    const struct ledger *ledger = &c->ledger;
    cJSON *lines = cJSON_AddArrayToObject(object, "ledger");
    cJSON *described = cJSON_AddArrayToObject(object, "described");
    cJSON *unmeasured = cJSON_AddArrayToObject(object, "not_measured");
    for (size_t i = 0; i < ledger->count; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        if (told_never(&line->told))
            cJSON_AddItemToArray(unmeasured, unmeasured_object(line));
        if (!ledger_not_measured(line))
            cJSON_AddItemToArray(ledger_describes(line) ? described : lines, line_object(line));
    }
    json_add_double(object, "explained_pct", ledger->explained.mean);
    cJSON *direct = cJSON_AddObjectToObject(object, "direct_cost");
    json_add_double(direct, "pct", ledger->direct.mean);
    add_interval(direct, "ci", ledger->direct_ci);
    if (c->cmp.has_baseline) {
        json_add_double(cJSON_AddObjectToObject(object, "tail"), "pct", ledger->tail_pct);
        cJSON *rest = cJSON_AddObjectToObject(object, "unexplained");
        json_add_double(rest, "pct", ledger->unexplained.mean);
        add_interval(rest, "ci", ledger->unexplained_ci);
    } else {
        cJSON_AddNullToObject(object, "tail");
        cJSON_AddNullToObject(object, "unexplained");
    }
    add_observers(object, ledger);
    add_places(object, c);
    add_sites(object, c);
    cJSON *devices = cJSON_AddArrayToObject(object, "devices");
    add_devices(devices, c->baseline_devices, "baseline");
    add_devices(devices, c->devices, "subject");
}

static cJSON *case_object(const struct model *model, const struct model_case *c) {
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "case", c->name);
    json_add_string(object, "unit", c->unit);
    json_add_string(object, "better", c->better == FOM_HIGHER ? "higher" : "lower");
    json_add_string(object, "sentence", c->sentence);
    if (c->baseline.count)
        cJSON_AddItemToObject(object, "baseline", side_object(model->baseline_label, &c->baseline, &c->cmp.baseline));
    else
        cJSON_AddNullToObject(object, "baseline");
    cJSON_AddItemToObject(object, "subject", side_object(model->subject_label, &c->subject, &c->cmp.subject));
    json_add_double(object, "noise_floor_pct", c->noise_floor_pct);
    if (c->cmp.has_baseline)
        cJSON_AddItemToObject(object, "overhead", overhead_object(c));
    else
        cJSON_AddNullToObject(object, "overhead");
    add_ledger(object, c);
    if (model->subject_count)
        cJSON_AddItemToObject(object, "requests", json_io(dataset_find(&model->subjects[0], c->name)));
    add_strings(object, "warnings", &c->warnings);
    return object;
}

static void copy_key(cJSON *to, const cJSON *header, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(header, key);
    if (item)
        cJSON_AddItemToObject(to, key, cJSON_Duplicate(item, 1));
}

static void add_subjects(cJSON *array, const struct dataset *sets, size_t count, bool baseline) {
    static const char *const KEYS[] = {"id",       "started", "tool",  "host",          "nodes",     "platform",
                                       "topology", "kernel",  "clock", "circumstances", "collectors"};
    for (size_t i = 0; i < count; i++) {
        cJSON *object = cJSON_CreateObject();
        json_add_string(object, "label", sets[i].label);
        json_add_string(object, "role", sets[i].role);
        cJSON_AddBoolToObject(object, "baseline", baseline);
        json_add_string(object, "journal", sets[i].path);
        cJSON_AddBoolToObject(object, "complete", sets[i].complete);
        for (size_t k = 0; k < ARRAY_LEN(KEYS); k++)
            copy_key(object, sets[i].header, KEYS[k]);
        cJSON_AddItemToArray(array, object);
    }
}

static void add_differences(cJSON *object, const struct differences *list, const char *first, const char *second) {
    cJSON *array = cJSON_AddArrayToObject(object, "differences");
    for (size_t i = 0; i < list->count; i++) {
        cJSON *row = cJSON_CreateObject();
        json_add_string(row, "key", list->items[i].key);
        json_add_string(row, first, list->items[i].baseline);
        json_add_string(row, second, list->items[i].subject);
        cJSON_AddItemToArray(array, row);
    }
}

static cJSON *change_object(const struct history *history, const struct history_case *c,
                            const struct history_change *change) {
    const struct dataset *run = &history->runs[c->points[change->at].run];
    cJSON *object = cJSON_CreateObject();
    json_add_u64(object, "run", c->points[change->at].run);
    json_add_string(object, "journal", run->path);
    json_add_string(object, "started", history_started(run));
    json_add_double(object, "pct", change->pct);
    add_interval(object, "ci", change->ci);
    json_add_double(object, "p", change->p);
    add_differences(object, &change->differs, "before", "after");
    return object;
}

static cJSON *history_case_object(const struct history *history, const struct history_case *c) {
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "case", c->name);
    json_add_string(object, "unit", c->unit);
    json_add_string(object, "better", c->better == FOM_HIGHER ? "higher" : "lower");
    json_add_string(object, "sentence", c->sentence);
    json_add_double(object, "p", c->p);
    json_add_double(object, "q", c->q);
    json_add_double(object, "spread_pct", c->spread_pct);
    cJSON *points = cJSON_AddArrayToObject(object, "points");
    for (size_t i = 0; i < c->count; i++) {
        cJSON *point = cJSON_CreateObject();
        json_add_u64(point, "run", c->points[i].run);
        json_add_u64(point, "n", c->points[i].count);
        json_add_double(point, "median", c->points[i].median);
        add_interval(point, "ci", c->points[i].ci);
        cJSON_AddItemToArray(points, point);
    }
    cJSON *changes = cJSON_AddArrayToObject(object, "changes");
    for (size_t i = 0; i < c->change_count; i++)
        cJSON_AddItemToArray(changes, change_object(history, c, &c->changes[i]));
    return object;
}

static cJSON *history_object(const struct history *history) {
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "sentence", history->sentence);
    json_add_string(object, "warning", history->warning);
    json_add_string(object, "method", "E-divisive");
    json_add_double(object, "false_discovery_rate", HISTORY_FALSE_DISCOVERY_RATE);
    cJSON *runs = cJSON_AddArrayToObject(object, "runs");
    for (size_t i = 0; i < history->run_count; i++) {
        cJSON *run = cJSON_CreateObject();
        json_add_string(run, "journal", history->runs[i].path);
        json_add_string(run, "label", history->runs[i].label);
        json_add_string(run, "host", history->runs[i].host);
        json_add_string(run, "started", history_started(&history->runs[i]));
        cJSON_AddItemToArray(runs, run);
    }
    cJSON *cases = cJSON_AddArrayToObject(object, "cases");
    for (size_t i = 0; i < history->count; i++)
        cJSON_AddItemToArray(cases, history_case_object(history, &history->cases[i]));
    return object;
}

cJSON *render_to_json(const struct model *model) {
    cJSON *root = cJSON_CreateObject();
    json_add_string(root, "schema", REPORT_SCHEMA);
    json_add_string(root, "sentence", model->sentence);
    json_add_string(root, "scope", model->scope);
    json_add_double(root, "limit_pct", model->limit_pct);
    cJSON *subjects = cJSON_AddArrayToObject(root, "subjects");
    add_subjects(subjects, model->baselines, model->baseline_count, true);
    add_subjects(subjects, model->subjects, model->subject_count, false);
    cJSON *cases = cJSON_AddArrayToObject(root, "cases");
    for (size_t i = 0; i < model->case_count; i++)
        cJSON_AddItemToArray(cases, case_object(model, &model->cases[i]));
    add_differences(root, &model->differences, "baseline", "subject");
    if (model->history)
        cJSON_AddItemToObject(root, "history", history_object(model->history));
    add_strings(root, "warnings", &model->warnings);
    return root;
}

void render_json(const struct model *model, bool colour, FILE *out) {
    (void)colour;
    cJSON *root = render_to_json(model);
    char *text = cJSON_Print(root);
    fputs(text, out);
    fputc('\n', out);
    free(text);
    cJSON_Delete(root);
}
