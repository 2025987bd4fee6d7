// SPDX-License-Identifier: Apache-2.0
// `metalgap list`: the suites, benches, collectors, causes and PMU metrics there are.
#include "bench/suite.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/wrap.h"
#include "collectors/collector.h"
#include "collectors/host_source.h"
#include "collectors/pmu_events.h"
#include "collectors/pmu_file.h"
#include "core/cause.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/paths.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH = 18 };

static const char usage[] =
    "Usage: metalgap list suites|benches|collectors|causes|metrics [--json]\n"
    "\n"
    "  suites       what `metalgap run NAME` can run\n"
    "  benches      the workloads that a suite can use, with their parameters\n"
    "  collectors   the sources that watch a run (what works here: metalgap doctor)\n"
    "  causes       the reasons for lost time that a report can name, and remedies\n"
    "  metrics      what the PMU is asked for, by processor, and its formulas\n"
    "\n"
    "  --json       the same as JSON\n"
    "  -h, --help   this text\n"
    "\n"
    "Examples:\n"
    "  metalgap list suites\n"
    "  metalgap list causes --json | jq -r '.causes[].id'\n";

// --- text ---------------------------------------------------------------------------------------------------------

// A name in the left column, an explanation in the right one.
static void print_row(const char *name, const char *text) {
    int at = printf("  %-*s ", NAME_WIDTH, name);
    print_wrapped(text, NAME_WIDTH + 3, at);
}

// A further line of the right column.
static void print_detail(const char *text) {
    int at = printf("%*s", NAME_WIDTH + 3, "");
    print_wrapped(text, NAME_WIDTH + 5, at);
}

// --- causes -------------------------------------------------------------------------------------------------------

static int causes_text(struct error *err) {
    (void)err;
    int family = -1;
    for (int i = 0; i < CAUSE_COUNT; i++) {
        const struct cause_info *info = cause_info((enum cause)i);
        if ((int)info->family != family) {
            printf("%s%s: %s\n", i ? "\n" : "", cause_family_name(info->family), cause_family_text(info->family));
            family = (int)info->family;
        }
        print_row(info->id, info->explanation);
        char *hint = mem_printf("-> %s", info->hint);
        print_detail(hint);
        free(hint);
    }
    return 0;
}

static int causes_json(cJSON *list, struct error *err) {
    (void)err;
    for (int i = 0; i < CAUSE_COUNT; i++) {
        const struct cause_info *info = cause_info((enum cause)i);
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, "id", info->id);
        json_add_string(item, "family", cause_family_name(info->family));
        cJSON_AddBoolToObject(item, "direct", cause_family_is_direct(info->family));
        json_add_string(item, "explanation", info->explanation);
        json_add_string(item, "hint", info->hint);
        cJSON_AddItemToArray(list, item);
    }
    return 0;
}

// --- collectors ---------------------------------------------------------------------------------------------------

static int collectors_text(struct error *err) {
    (void)err;
    for (size_t i = 0; collector_registry[i]; i++) {
        const struct collector_ops *ops = collector_registry[i];
        print_row(ops->name, ops->summary);
        print_detail(ops->in_timing ? "in every sample" : "in attribution samples only: too dear for timing samples");
    }
    const struct host_source *host;
    for (size_t i = 0; (host = host_source_by_index(i)) != NULL; i++) {
        print_row(host->name, host->about);
        print_detail("on a host: metalgap run --role host, metalgap watch --vm");
    }
    return 0;
}

static int collectors_json(cJSON *list, struct error *err) {
    (void)err;
    for (size_t i = 0; collector_registry[i]; i++) {
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, "name", collector_registry[i]->name);
        json_add_string(item, "summary", collector_registry[i]->summary);
        cJSON_AddBoolToObject(item, "in_timing", collector_registry[i]->in_timing);
        cJSON_AddItemToArray(list, item);
    }
    const struct host_source *host;
    for (size_t i = 0; (host = host_source_by_index(i)) != NULL; i++) {
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, "name", host->name);
        json_add_string(item, "summary", host->about);
        cJSON_AddBoolToObject(item, "in_timing", false);
        cJSON_AddBoolToObject(item, "of_host", true);
        cJSON_AddItemToArray(list, item);
    }
    return 0;
}

// --- benches ------------------------------------------------------------------------------------------------------

// The default of a parameter for a size; those after the first are NULL where all sizes share it.
static const char *param_default(const struct bench_param *param, int size) {
    const char *text = param->defaults[size];
    return text ? text : param->defaults[0];
}

static void print_param(const struct bench_param *param) {
    const char *first = param_default(param, SIZE_SMALL);
    char *line;
    if (!first || !*first)
        line = mem_printf("%s: %s", param->name, param->help);
    else if (!param->defaults[SIZE_DEFAULT] && !param->defaults[SIZE_FULL])
        line = mem_printf("%s: %s (default: %s)", param->name, param->help, first);
    else
        line = mem_printf("%s: %s (small %s, default %s, full %s)", param->name, param->help, first,
                          param_default(param, SIZE_DEFAULT), param_default(param, SIZE_FULL));
    print_detail(line);
    free(line);
}

static int benches_text(struct error *err) {
    (void)err;
    for (size_t i = 0; bench_registry[i]; i++) {
        const struct bench_ops *ops = bench_registry[i];
        print_row(ops->name, ops->summary);
        for (const struct bench_param *p = ops->params; p && p->name; p++)
            print_param(p);
    }
    return 0;
}

static cJSON *param_json(const struct bench_param *param) {
    cJSON *item = cJSON_CreateObject();
    json_add_string(item, "name", param->name);
    json_add_string(item, "help", param->help);
    cJSON *defaults = cJSON_AddObjectToObject(item, "defaults");
    for (int size = 0; size < SIZE_COUNT; size++)
        json_add_string(defaults, bench_size_names[size], param_default(param, size));
    return item;
}

static int benches_json(cJSON *list, struct error *err) {
    (void)err;
    for (size_t i = 0; bench_registry[i]; i++) {
        const struct bench_ops *ops = bench_registry[i];
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, "name", ops->name);
        json_add_string(item, "summary", ops->summary);
        cJSON *params = cJSON_AddArrayToObject(item, "params");
        for (const struct bench_param *p = ops->params; p && p->name; p++)
            cJSON_AddItemToArray(params, param_json(p));
        cJSON_AddItemToArray(list, item);
    }
    return 0;
}

// --- suites -------------------------------------------------------------------------------------------------------

static int is_suite_file(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return length > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + length - 5, ".json") == 0 &&
           strcmp(entry->d_name, "schema.json") != 0; // what suites look like
}

// Calls `each` with every suite of the suites folder: its name, and the suite or (NULL) why it cannot be read.
static int each_suite(void (*each)(const char *name, const struct suite *suite, const char *why, void *context),
                      void *context, struct error *err) {
    struct paths paths;
    if (paths_find(&paths, err)) {
        paths_free(&paths);
        return -1;
    }
    struct dirent **files = NULL;
    int count = scandir(paths.suites, &files, is_suite_file, alphasort);
    for (int i = 0; i < count; i++) {
        struct suite suite;
        struct error why = {0};
        char line[1024] = "";
        files[i]->d_name[strlen(files[i]->d_name) - 5] = '\0'; // the name without ".json"
        int failed = suite_load(files[i]->d_name, paths.suites, SIZE_DEFAULT, &suite, &why);
        if (failed)
            error_line(&why, line, sizeof line);
        each(files[i]->d_name, failed ? NULL : &suite, line, context);
        suite_free(&suite);
        free(files[i]);
    }
    free(files);
    paths_free(&paths);
    return 0;
}

static void suite_row(const char *name, const struct suite *suite, const char *why, void *context) {
    (void)context;
    char *text = suite ? mem_printf("%s (%zu cases)", suite->description ? suite->description : "", suite->count)
                       : mem_printf("cannot be read: %s", why);
    print_row(name, text);
    free(text);
}

static int suites_text(struct error *err) {
    return each_suite(suite_row, NULL, err);
}

static void suite_item(const char *name, const struct suite *suite, const char *why, void *context) {
    cJSON *item = cJSON_CreateObject();
    json_add_string(item, "name", name);
    if (!suite)
        json_add_string(item, "error", why);
    else
        json_add_string(item, "description", suite->description);
    cJSON *cases = suite ? cJSON_AddArrayToObject(item, "cases") : NULL;
    for (size_t i = 0; suite && i < suite->count; i++) {
        cJSON *one = cJSON_CreateObject();
        json_add_string(one, "case", suite->cases[i].name);
        json_add_string(one, "bench", suite->cases[i].ops->name);
        cJSON_AddItemToArray(cases, one);
    }
    cJSON_AddItemToArray(context, item);
}

static int suites_json(cJSON *list, struct error *err) {
    return each_suite(suite_item, list, err);
}

// --- PMU metrics --------------------------------------------------------------------------------------------------

static bool encodes(const struct pmu_file *file) {
    for (size_t i = 0; i < file->event_count; i++) {
        if (!pmu_can_encode(file->events[i].full))
            return false;
    }
    return true;
}

static int each_metric_file(void (*each)(const char *name, struct pmu_file *file, const char *why, void *to), void *to,
                            struct error *err) {
    struct paths paths;
    int failed = paths_find(&paths, err);
    if (!failed)
        failed = pmu_files_each(paths.pmu_metrics, each, to, err);
    paths_free(&paths);
    return failed;
}

static void metrics_row(const char *name, struct pmu_file *file, const char *why, void *to) {
    char cpu[64];
    (void)to;
    pmu_cpu_id(cpu, sizeof cpu);
    char *text = !file ? mem_printf("cannot be read: %s", why)
                       : mem_printf("%s%s", file->title, pmu_file_fits(file, cpu) > 1 ? " (this processor)" : "");
    print_row(name, text);
    free(text);
    for (size_t i = 0; file && i < file->metric_count; i++) {
        const struct pmu_metric *m = &file->metrics[i];
        char *line = mem_printf("%s = %s", m->name, m->formula_text);
        print_detail(line);
        free(line);
    }
}

static int metrics_text(struct error *err) {
    return each_metric_file(metrics_row, NULL, err);
}

static cJSON *metric_json(const struct pmu_metric *m) {
    cJSON *item = cJSON_CreateObject();
    json_add_string(item, "metric", m->name);
    json_add_string(item, "unit", m->unit);
    json_add_string(item, "formula", m->formula_text);
    json_add_string(item, "text", m->text);
    json_add_string(item, "cause", m->cause == CAUSE_COUNT ? NULL : cause_info(m->cause)->id);
    json_add_string(item, "as", pmu_metric_use_names[m->use]);
    return item;
}

static void metrics_item(const char *name, struct pmu_file *file, const char *why, void *to) {
    char cpu[64];
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToArray(to, item);
    json_add_string(item, "name", name);
    if (!file) {
        json_add_string(item, "error", why);
        return;
    }
    pmu_cpu_id(cpu, sizeof cpu);
    json_add_string(item, "title", file->title);
    json_add_string(item, "pmu", file->pmu);
    json_add_string(item, "source", file->source);
    cJSON_AddBoolToObject(item, "this_cpu", pmu_file_fits(file, cpu) > 1);
    cJSON_AddBoolToObject(item, "encodes", encodes(file));
    cJSON *events = cJSON_AddObjectToObject(item, "events");
    for (size_t i = 0; i < file->event_count; i++)
        json_add_string(events, file->events[i].name, file->events[i].full);
    cJSON *metrics = cJSON_AddArrayToObject(item, "metrics");
    for (size_t i = 0; i < file->metric_count; i++)
        cJSON_AddItemToArray(metrics, metric_json(&file->metrics[i]));
}

static int metrics_json(cJSON *list, struct error *err) {
    return each_metric_file(metrics_item, list, err);
}

// --- the command --------------------------------------------------------------------------------------------------

static const struct topic {
    const char *name;
    int (*text)(struct error *err);
    int (*json)(cJSON *list, struct error *err);
} topics[] = {
    {"suites", suites_text, suites_json},
    {"benches", benches_text, benches_json},
    {"collectors", collectors_text, collectors_json},
    {"causes", causes_text, causes_json},
    {"metrics", metrics_text, metrics_json},
};

static const struct topic *find_topic(int count, char *const *words, struct error *err) {
    for (size_t i = 0; count == 1 && i < ARRAY_LEN(topics); i++) {
        if (strcmp(words[0], topics[i].name) == 0)
            return &topics[i];
    }
    error_set(err, EXIT_CODE_USAGE, "choosing what to list");
    if (count == 1)
        error_why(err, "there is no list of \"%s\"", words[0]);
    else
        error_why(err, count ? "more than one is named" : "nothing is named");
    error_remedy(err, "metalgap list suites, benches, collectors, causes or metrics");
    return NULL;
}

static int print_json(const struct topic *topic, struct error *err) {
    cJSON *root = cJSON_CreateObject();
    int failed = topic->json(cJSON_AddArrayToObject(root, topic->name), err);
    char *text = failed ? NULL : cJSON_Print(root);
    if (text)
        puts(text);
    free(text);
    cJSON_Delete(root);
    return failed;
}

int cmd_list(int argc, char **argv) {
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct error err = {0};
    bool json = false;
    int option;
    while ((option = next_option(argc, argv, "h", options, &err)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_CODE_DONE;
        }
        if (option == '?') {
            error_print(&err);
            return err.code;
        }
        json = true;
    }
    const struct topic *topic = find_topic(argc - optind, argv + optind, &err);
    if (topic && (json ? print_json(topic, &err) : topic->text(&err)) == 0)
        return EXIT_CODE_DONE;
    error_print(&err);
    return err.code;
}
