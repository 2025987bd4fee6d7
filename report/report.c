// SPDX-License-Identifier: Apache-2.0
// From journals to a rendered report. May include: core, report.
#include "report/report.h"

#include "core/memory.h"
#include "report/history.h"
#include "report/join.h"
#include "report/join_io.h"
#include "report/model_make.h"
#include "report/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void report_formats(char *out, size_t size) {
    out[0] = '\0';
    const struct renderer *renderer;
    for (size_t i = 0; (renderer = renderer_by_index(i)) != NULL; i++) {
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%s", i ? ", " : "", renderer->name);
    }
}

const char *report_format_of_file(const char *path) {
    const char *dot = strrchr(path, '.');
    const struct renderer *renderer;
    for (size_t i = 0; dot && (renderer = renderer_by_index(i)) != NULL; i++)
        if (renderer->extension && strcmp(dot + 1, renderer->extension) == 0)
            return renderer->name;
    return NULL;
}

static int load_all(struct dataset *sets, const char *const *paths, size_t count, struct error *err) {
    for (size_t i = 0; i < count; i++)
        if (dataset_load(&sets[i], paths[i], err) < 0)
            return -1;
    return 0;
}

static int compare_hosts(const void *a, const void *b) {
    return (int)((const struct host_journal *)a)->is_dom0 - (int)((const struct host_journal *)b)->is_dom0;
}

static int join_hosts(const struct report_options *options, struct dataset *guests, struct error *err) {
    if (options->host_count == 0)
        return 0;
    struct host_journal *hosts = mem_alloc(options->host_count * sizeof *hosts);
    int result = 0;
    for (size_t i = 0; result == 0 && i < options->host_count; i++)
        result = host_load(&hosts[i], options->hosts[i], err);
    // Those that tell of exits, then Xen's Dom0s, which tell of requests.
    qsort(hosts, options->host_count, sizeof *hosts, compare_hosts);
    size_t exits = 0;
    while (exits < options->host_count && !hosts[exits].is_dom0)
        exits++;
    for (size_t i = 0; result == 0 && i < options->journal_count; i++) {
        if (exits)
            join_guest(&guests[i], hosts, exits);
        if (exits < options->host_count)
            join_io(&guests[i], hosts + exits, options->host_count - exits);
    }
    for (size_t i = 0; i < options->host_count; i++)
        host_free(&hosts[i]);
    free(hosts);
    return result;
}

static int render(const struct renderer *renderer, const struct report_options *options, const struct model *model,
                  FILE *out, struct error *err) {
    renderer->render(model, options->colour, out);
    if (fflush(out) == 0 && !ferror(out))
        return 0;
    error_set(err, EXIT_CODE_INTERNAL, "writing the report");
    return error_why(err, "%s", strerror(errno));
}

// What was asked for comes first; what the report says of the newest run comes after it.
static void lead_with_history(struct model *model, const struct history *history) {
    char *scope = mem_printf("The newest run: %s %s", model->sentence, model->scope);
    free(model->sentence);
    free(model->scope);
    model->sentence = mem_strdup(history->sentence);
    model->scope = scope;
    model->history = history;
}

static int make(const struct renderer *renderer, const struct report_options *options, struct dataset *journals,
                const struct dataset *baselines, FILE *out, struct error *err) {
    struct model model;
    struct history history = {0};
    size_t older = 0;
    if (options->history) {
        history_order(journals, options->journal_count);
        history_make(&history, journals, options->journal_count);
        older = options->journal_count - 1;
    }
    model_make(&model, journals + older, options->journal_count - older, baselines, options->baseline_count,
               options->limit_pct);
    model.command = options->command;
    model.columns = options->columns;
    if (options->history)
        lead_with_history(&model, &history);
    int result = render(renderer, options, &model, out, err);
    model_free(&model);
    history_free(&history);
    return result;
}

int report_make(const struct report_options *options, FILE *out, struct error *err) {
    const struct renderer *renderer = renderer_by_name(options->format);
    if (!renderer) {
        char formats[200];
        report_formats(formats, sizeof formats);
        error_set(err, EXIT_CODE_USAGE, "--format %s", options->format);
        error_why(err, "there is no such format");
        return error_remedy(err, "use one of: %s", formats);
    }
    size_t total = options->journal_count + options->baseline_count;
    struct dataset *sets = mem_alloc(total * sizeof *sets);
    struct dataset *baselines = sets + options->journal_count;
    int result = load_all(sets, options->journals, options->journal_count, err);
    if (result == 0)
        result = load_all(baselines, options->baselines, options->baseline_count, err);
    if (result == 0)
        result = join_hosts(options, sets, err);
    if (result == 0) {
        result = make(renderer, options, sets, baselines, out, err);
    }
    for (size_t i = 0; i < total; i++)
        dataset_free(&sets[i]);
    free(sets);
    return result;
}
