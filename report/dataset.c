// SPDX-License-Identifier: Apache-2.0
// Reads journals into observations; see the header. May include: core.
#include "report/dataset.h"

#include "core/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Per-step series are kept up to this many steps a case; a million steps need 8 MB.
enum { MAX_STEPS = 1000000 };

// A label longer than this (bytes) is cut where it stands in a sentence.
enum { MAX_NAME = 48 };

bool point_counts(const struct point *point) {
    return point->valid && isfinite(point->cost) && point->cost > 0;
}

static struct dataset_case *find_case(const struct dataset *set, const char *name) {
    size_t at = names_find(&set->names, name);
    return at == NAMES_NONE ? NULL : &set->cases[at];
}

const struct dataset_case *dataset_find(const struct dataset *set, const char *name) {
    return find_case(set, name);
}

bool dataset_same_measure(const struct dataset_case *a, const struct dataset_case *b) {
    const char *unit_a = a->unit ? a->unit : "";
    const char *unit_b = b->unit ? b->unit : "";
    return a->better == b->better && strcmp(unit_a, unit_b) == 0 && !a->fom_name == !b->fom_name;
}

static const char *optional_text(const cJSON *object, const char *key, const char *otherwise) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : otherwise;
}

// Cut between characters, not inside one.
static char *short_name(const char *label) {
    size_t length = strlen(label);
    if (length <= MAX_NAME)
        return mem_strdup(label);
    length = MAX_NAME;
    while (length > 0 && ((unsigned char)label[length] & 0xc0) == 0x80)
        length--;
    return mem_printf("%.*s...", (int)length, label);
}

static void keep_header(struct dataset *set, const cJSON *json) {
    set->header = cJSON_Duplicate(json, 1);
    set->label = optional_text(set->header, "label", "");
    if (!*set->label)
        set->label = optional_text(set->header, "host", "");
    if (!*set->label)
        set->label = set->path;
    set->name = short_name(set->label);
    set->role = optional_text(set->header, "role", "");
    set->host = optional_text(set->header, "host", "");
}

// A resumed run may repeat the line; the first one stands.
static void keep_case(struct dataset *set, const struct journal_case *c) {
    if (find_case(set, c->name))
        return;
    struct dataset_case kept = {
        .name = mem_strdup(c->name),
        .bench = mem_strdup(c->bench),
        .fom_name = mem_strdup(c->fom_name),
        .unit = mem_strdup(c->fom_name ? c->fom_unit : "s"),
        .better = c->fom_name ? c->better : FOM_LOWER,
        .cpus = isfinite(c->cpus) && c->cpus > 0 ? c->cpus : 0,
        .cpu_list = mem_strdup(c->cpu_list),
        .params = cJSON_Duplicate(c->params, 1),
    };
    names_add(&set->names, c->name);
    ARRAY_PUSH(set->cases, set->case_count, set->case_capacity, kept);
}

static double sample_cost(const struct dataset_case *c, const struct journal_sample *s) {
    if (isnan(s->fom))
        return c->fom_name ? NAN : s->wall_s;
    return c->better == FOM_HIGHER ? 1 / s->fom : s->fom;
}

static void keep_steps(struct dataset_case *c, const struct journal_sample *s) {
    const cJSON *step;
    if (!s->valid || s->mode != MODE_TIMING)
        return;
    cJSON_ArrayForEach(step, s->steps_s) {
        if (cJSON_IsNumber(step) && isfinite(step->valuedouble) && c->step_count < MAX_STEPS)
            ARRAY_PUSH(c->step, c->step_count, c->step_capacity, step->valuedouble);
    }
    struct step_line line = {s->seq, c->step_count};
    if (cJSON_GetArraySize(s->steps_s) > 0)
        ARRAY_PUSH(c->step_line, c->step_line_count, c->step_line_capacity, line);
}

// Which unit cost an observation rests on: its source says so in `detail`.
static uint8_t trap_of(const struct observation *o) {
    const cJSON *unit = cJSON_GetObjectItemCaseSensitive(o->detail, "unit");
    return (uint8_t)trap_named(cJSON_IsString(unit) ? unit->valuestring : NULL);
}

static void keep_losses(struct series *series, const struct journal_sample *s, struct point *point) {
    for (size_t i = 0; i < s->obs.count; i++) {
        const struct observation *o = &s->obs.items[i];
        struct loss loss = {.seq = s->seq,
                            .count = o->count,
                            .seconds = o->seconds,
                            .se = o->se,
                            .cause = (uint8_t)o->cause,
                            .scope = (uint8_t)o->scope,
                            .basis = (uint8_t)o->basis,
                            .trap = trap_of(o),
                            .at_most = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o->detail, "upper_bound"))};
        ARRAY_PUSH(series->loss, series->loss_count, series->loss_capacity, loss);
        if (o->cause == CAUSE_HOST_STEAL && o->scope != SCOPE_LATENCY)
            point->steal_s += o->seconds;
        if (!o->has_hist || !s->valid)
            continue;
        if (!series->hist[o->cause])
            series->hist[o->cause] = mem_alloc(sizeof(struct hist));
        hist_merge(series->hist[o->cause], &o->hist);
    }
}

// Bare metal has no hypervisor: what a source there could not see of one is known to be none.
static bool is_none_there(const struct dataset *set, enum cause cause) {
    return cause_family_is_direct(cause_info(cause)->family) && strcmp(set->role, "metal") == 0;
}

static void keep_gaps(struct dataset *set, struct series *series, const struct journal_sample *s) {
    for (size_t i = 0; i < s->obs.untold_count; i++) {
        const struct untold *what = &s->obs.untold[i];
        if (is_none_there(set, what->cause))
            continue;
        struct gap gap = {.seq = s->seq,
                          .why = (uint32_t)names_add(&set->reasons, what->why),
                          .cause = (uint8_t)what->cause,
                          .scope = (uint8_t)what->scope,
                          .basis = (uint8_t)what->basis};
        ARRAY_PUSH(series->gap, series->gap_count, series->gap_capacity, gap);
    }
}

// The pass's index among the case's; there are as many as sources that perturb each other, a handful.
static uint16_t pass_index(struct dataset_case *c, const struct journal_sample *s) {
    if (s->mode != MODE_ATTRIBUTION)
        return 0;
    const char *name = s->pass ? s->pass : "";
    for (size_t i = 0; i < c->pass_count; i++)
        if (strcmp(c->passes[i], name) == 0)
            return (uint16_t)i;
    if (c->pass_count == UINT16_MAX)
        return 0;
    ARRAY_PUSH(c->passes, c->pass_count, c->pass_capacity, mem_strdup(name));
    return (uint16_t)(c->pass_count - 1);
}

static void keep_sample(struct dataset *set, const struct journal_sample *s) {
    struct dataset_case *c = find_case(set, s->case_name);
    struct series *series = &c->mode[s->mode];
    struct point point = {
        .seq = s->seq,
        .block = s->block,
        .start_ns = s->start_ns,
        .start_tsc = s->start_tsc,
        .end_tsc = s->end_tsc,
        .cost = sample_cost(c, s),
        .fom = isnan(s->fom) ? s->wall_s : s->fom,
        .wall_s = s->wall_s,
        .roi_s = s->roi_s,
        .cpu_s = json_number(s->circumstances, "cpu_s"),
        .foreign = json_number(s->circumstances, "foreign_cpu"),
        .pass = pass_index(c, s),
        .valid = s->valid,
    };
    keep_losses(series, s, &point);
    keep_gaps(set, series, s);
    places_add(&c->places, s);
    sites_add(&c->sites, s);
    devices_add(&c->devices, s);
    io_samples_add(&c->io, s);
    keep_steps(c, s);
    ARRAY_PUSH(series->point, series->count, series->capacity, point);
    if (!s->valid && !c->invalid_why)
        c->invalid_why = mem_strdup(s->why ? s->why : "no reason given");
}

void dataset_add_note(struct dataset *set, bool warn, const char *format, ...) {
    va_list args;
    char text[1024];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct dataset_note note = {.warn = warn, .text = mem_strdup(text)};
    ARRAY_PUSH(set->notes, set->note_count, set->note_capacity, note);
}

static void keep_note(struct dataset *set, const cJSON *json) {
    struct dataset_note note = {.warn = strcmp(optional_text(json, "level", "info"), "warn") == 0,
                                .text = mem_strdup(optional_text(json, "text", ""))};
    ARRAY_PUSH(set->notes, set->note_count, set->note_capacity, note);
}

// A later calibration without a first one has nothing to be held against.
static void keep_calibration(struct dataset *set, const cJSON *json, bool first) {
    struct calibration read;
    if (json && (first || set->calibration_count) && calibration_from_json(json, &read, NULL) == 0)
        ARRAY_PUSH(set->calibrations, set->calibration_count, set->calibration_capacity, read);
}

static void keep_record(struct dataset *set, const struct journal_record *record) {
    set->unknown += record->unknown_causes;
    switch (record->type) {
    case JOURNAL_HEADER:
        keep_header(set, record->json);
        keep_calibration(set, cJSON_GetObjectItemCaseSensitive(set->header, "calibration"), true);
        break;
    case JOURNAL_CALIBRATION:
        keep_calibration(set, record->json, false);
        break;
    case JOURNAL_CASE:
        keep_case(set, &record->c);
        break;
    case JOURNAL_SAMPLE:
        keep_sample(set, &record->sample);
        break;
    case JOURNAL_NOTE:
        keep_note(set, record->json);
        break;
    case JOURNAL_WINDOW:
        set->windows++;
        break;
    case JOURNAL_END:
        set->complete = strcmp(optional_text(record->json, "status", ""), "complete") == 0;
        set->end_wall_s = json_number(record->json, "wall_s");
        break;
    default: // nodes: nothing that statistics need
        break;
    }
}

// --- ranks: the lines of one (case, seq, mode) become one observation ------------------------------------------------

static int compare_points(const void *a, const void *b) {
    uint64_t x = ((const struct point *)a)->seq;
    uint64_t y = ((const struct point *)b)->seq;
    return (x > y) - (x < y);
}

static int compare_losses(const void *a, const void *b) {
    uint64_t x = ((const struct loss *)a)->seq;
    uint64_t y = ((const struct loss *)b)->seq;
    return (x > y) - (x < y);
}

static int compare_gaps(const void *a, const void *b) {
    uint64_t x = ((const struct gap *)a)->seq;
    uint64_t y = ((const struct gap *)b)->seq;
    return (x > y) - (x < y);
}

static double larger(double a, double b) {
    return isnan(a) || b > a ? b : a;
}

static double sum_known(double a, double b) {
    if (isnan(a))
        return b;
    return isnan(b) ? a : a + b;
}

static void merge_rank(struct point *into, const struct point *line) {
    if (line->cost > into->cost || isnan(into->cost)) {
        into->cost = line->cost;
        into->fom = line->fom;
    }
    if (line->start_ns && (!into->start_ns || line->start_ns < into->start_ns))
        into->start_ns = line->start_ns;
    if (line->start_tsc < into->start_tsc)
        into->start_tsc = line->start_tsc;
    if (line->end_tsc > into->end_tsc)
        into->end_tsc = line->end_tsc;
    into->wall_s = larger(into->wall_s, line->wall_s);
    into->roi_s = larger(into->roi_s, line->roi_s);
    into->cpu_s = sum_known(into->cpu_s, line->cpu_s);
    into->foreign = larger(into->foreign, line->foreign);
    into->steal_s += line->steal_s;
    into->valid = into->valid && line->valid;
}

// Journals are mostly in order already; then there is nothing to sort.
static void sort_unless_sorted(void *items, size_t count, size_t size, int (*compare)(const void *, const void *)) {
    for (size_t i = 1; i < count; i++)
        if (compare((const char *)items + (i - 1) * size, (const char *)items + i * size) > 0) {
            qsort(items, count, size, compare);
            return;
        }
}

static void merge_ranks(struct series *series) {
    sort_unless_sorted(series->point, series->count, sizeof *series->point, compare_points);
    sort_unless_sorted(series->loss, series->loss_count, sizeof *series->loss, compare_losses);
    sort_unless_sorted(series->gap, series->gap_count, sizeof *series->gap, compare_gaps);
    size_t kept = 0;
    for (size_t i = 0; i < series->count; i++) {
        if (kept > 0 && series->point[kept - 1].seq == series->point[i].seq)
            merge_rank(&series->point[kept - 1], &series->point[i]);
        else
            series->point[kept++] = series->point[i];
    }
    series->count = kept;
}

static void finish_case(struct dataset_case *c) {
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        merge_ranks(&c->mode[mode]);
        for (size_t i = 0; i < c->mode[mode].count; i++)
            c->invalid += !c->mode[mode].point[i].valid;
    }
}

int dataset_load(struct dataset *set, const char *path, struct error *err) {
    *set = (struct dataset){.path = mem_strdup(path), .label = "", .role = "", .host = "", .end_wall_s = NAN};
    struct journal_reader *reader = journal_read(path, err);
    if (!reader)
        return -1;
    struct journal_record record;
    int got;
    while ((got = journal_next(reader, &record, err)) > 0)
        keep_record(set, &record);
    set->truncated = journal_was_truncated(reader);
    set->unknown += journal_unknown_lines(reader);
    journal_end_reading(reader);
    for (size_t i = 0; i < set->case_count; i++) {
        finish_case(&set->cases[i]);
        sites_sort(&set->cases[i].sites);
    }
    return got;
}

static void free_case(struct dataset_case *c) {
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        free(c->mode[mode].point);
        free(c->mode[mode].loss);
        free(c->mode[mode].gap);
        for (int cause = 0; cause < CAUSE_COUNT; cause++)
            free(c->mode[mode].hist[cause]);
    }
    for (size_t i = 0; i < c->pass_count; i++)
        free(c->passes[i]);
    free(c->passes);
    places_free(&c->places);
    sites_free(&c->sites);
    devices_free(&c->devices);
    io_samples_free(&c->io);
    io_splits_free(&c->splits);
    free(c->name);
    free(c->bench);
    free(c->fom_name);
    free(c->unit);
    free(c->step);
    free(c->step_line);
    free(c->invalid_why);
    free(c->cpu_list);
    cJSON_Delete(c->params);
}

void dataset_free(struct dataset *set) {
    for (size_t i = 0; i < set->case_count; i++)
        free_case(&set->cases[i]);
    for (size_t i = 0; i < set->note_count; i++)
        free(set->notes[i].text);
    free(set->calibrations);
    names_free(&set->names);
    names_free(&set->reasons);
    free(set->cases);
    free(set->notes);
    free(set->joined);
    free(set->path);
    free(set->name);
    cJSON_Delete(set->header);
    *set = (struct dataset){0};
}
