// SPDX-License-Identifier: Apache-2.0
// Reading PMU metric files and choosing one. See pmu_file.h.
#include "collectors/pmu_file.h"

#include "core/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LIMIT ((size_t)1 << 20) // bytes

const char *const pmu_metric_use_names[] = {"description", "seconds", "count"};
static const char *const value_names[] = {"busy_s", "clock_hz"};
_Static_assert(ARRAY_LEN(value_names) == PMU_VALUE_COUNT, "a value has no name");

static int refuse(struct error *err, const cJSON *node, const char *what, const char *why, const char *word) {
    error_set(err, EXIT_CODE_INPUT, "%s", what);
    error_why(err, "%s%s", why, word);
    if (err)
        err->node = node;
    return -1;
}

static bool is_plain(const char *name) {
    return name[0] && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) && name[0] > '9';
}

static int check_keys(const cJSON *object, const char *const *known, size_t count, struct error *err) {
    const cJSON *member;
    cJSON_ArrayForEach(member, object) {
        size_t i = 0;
        while (i < count && strcmp(member->string, known[i]) != 0)
            i++;
        if (i == count)
            return refuse(err, member, "reading a PMU metric file", "there is no key of the name ", member->string);
    }
    return 0;
}

// --- events -------------------------------------------------------------------------------------------------------

static int find_event(const struct pmu_file *file, const char *name) {
    for (size_t i = 0; i < file->event_count; i++) {
        if (strcmp(file->events[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

static int add_event(struct pmu_file *file, const cJSON *member, size_t group, struct error *err) {
    static const char what[] = "reading the events";
    if (!is_plain(member->string))
        return refuse(err, member, what, "a name is lower-case letters, digits and _, not ", member->string);
    for (size_t i = 0; i < PMU_VALUE_COUNT; i++) {
        if (strcmp(member->string, value_names[i]) == 0)
            return refuse(err, member, what, "this name is taken by a value: ", member->string);
    }
    if (find_event(file, member->string) >= 0)
        return refuse(err, member, what, "there are two events of the name ", member->string);
    if (!cJSON_IsString(member) || !member->valuestring[0])
        return refuse(err, member, what, "expected libpfm4's name of the event ", member->string);
    struct pmu_file_event event = {
        .name = member->string, .full = mem_printf("%s::%s", file->pmu, member->valuestring), .group = group};
    ARRAY_PUSH(file->events, file->event_count, file->event_capacity, event);
    return 0;
}

static int read_groups(struct pmu_file *file, const cJSON *root, struct error *err) {
    const cJSON *groups;
    if (json_get_array(root, "groups", JSON_REQUIRED, &groups, err) < 0)
        return -1;
    size_t number = 0;
    const cJSON *group;
    cJSON_ArrayForEach(group, groups) {
        const cJSON *member;
        if (!cJSON_IsObject(group))
            return refuse(err, group, "reading the groups", "expected an object: the events of a group", "");
        cJSON_ArrayForEach(member, group) {
            if (add_event(file, member, number, err))
                return -1;
        }
        number++;
    }
    return file->event_count ? 0 : refuse(err, groups, "reading the groups", "there are no events", "");
}

// --- metrics ------------------------------------------------------------------------------------------------------

static int read_use(const cJSON *object, struct pmu_metric *m, struct error *err) {
    const char *cause = NULL;
    const char *use = pmu_metric_use_names[PMU_METRIC_DESCRIPTION];
    if (json_get_string(object, "cause", JSON_OPTIONAL, &cause, err) < 0 ||
        json_get_string(object, "as", JSON_OPTIONAL, &use, err) < 0)
        return -1;
    m->cause = cause ? cause_by_id(cause) : CAUSE_COUNT;
    if (cause && m->cause == CAUSE_COUNT)
        return refuse(err, cJSON_GetObjectItemCaseSensitive(object, "cause"), "reading a metric",
                      "there is no cause of the name ", cause);
    for (m->use = 0; m->use < PMU_METRIC_USE_COUNT && strcmp(use, pmu_metric_use_names[m->use]) != 0;)
        m->use++;
    if (m->use == PMU_METRIC_USE_COUNT)
        return refuse(err, cJSON_GetObjectItemCaseSensitive(object, "as"), "reading a metric",
                      "expected description, seconds or count, not ", use);
    if (m->use != PMU_METRIC_DESCRIPTION && !cause)
        return refuse(err, object, "reading a metric", "what is told as seconds or a count needs a cause", "");
    return 0;
}

static int read_formula(const struct pmu_file *file, const cJSON *object, struct pmu_metric *m, struct error *err) {
    const size_t count = file->event_count + PMU_VALUE_COUNT;
    const char **names = mem_alloc(count * sizeof *names);
    for (size_t i = 0; i < file->event_count; i++)
        names[i] = file->events[i].name;
    memcpy(names + file->event_count, value_names, sizeof value_names);
    int result = formula_compile(m->formula_text, names, count, &m->formula, err);
    if (result && err)
        err->node = cJSON_GetObjectItemCaseSensitive(object, "formula");
    free(names);
    return result;
}

static int read_metric(struct pmu_file *file, const cJSON *object, struct error *err) {
    static const char *const known[] = {"metric", "unit", "formula", "cause", "as", "text"};
    struct pmu_metric m = {0};
    if (!cJSON_IsObject(object))
        return refuse(err, object, "reading the metrics", "expected an object", "");
    if (check_keys(object, known, ARRAY_LEN(known), err) ||
        json_get_string(object, "metric", JSON_REQUIRED, &m.name, err) < 0 ||
        json_get_string(object, "unit", JSON_REQUIRED, &m.unit, err) < 0 ||
        json_get_string(object, "text", JSON_REQUIRED, &m.text, err) < 0 ||
        json_get_string(object, "formula", JSON_REQUIRED, &m.formula_text, err) < 0 || read_use(object, &m, err))
        return -1;
    if (!is_plain(m.name))
        return refuse(err, object, "reading the metrics", "a name is lower-case letters, digits and _, not ", m.name);
    for (size_t i = 0; i < file->metric_count; i++) {
        if (strcmp(file->metrics[i].name, m.name) == 0)
            return refuse(err, object, "reading the metrics", "there are two of the name ", m.name);
    }
    if (read_formula(file, object, &m, err))
        return -1;
    ARRAY_PUSH(file->metrics, file->metric_count, file->metric_capacity, m);
    return 0;
}

static int read_metrics(struct pmu_file *file, const cJSON *root, struct error *err) {
    const cJSON *metrics;
    const cJSON *object;
    if (json_get_array(root, "metrics", JSON_REQUIRED, &metrics, err) < 0)
        return -1;
    cJSON_ArrayForEach(object, metrics) {
        if (read_metric(file, object, err))
            return -1;
    }
    return 0;
}

// --- the file -----------------------------------------------------------------------------------------------------

static int read_head(struct pmu_file *file, const cJSON *root, struct error *err) {
    static const char *const known[] = {"schema", "title", "cpus", "pmu", "source", "groups", "metrics"};
    const char *schema;
    const cJSON *pattern;
    if (!cJSON_IsObject(root))
        return refuse(err, root, "reading a PMU metric file", "expected an object", "");
    if (check_keys(root, known, ARRAY_LEN(known), err) ||
        json_get_string(root, "schema", JSON_REQUIRED, &schema, err) < 0 ||
        json_get_string(root, "title", JSON_REQUIRED, &file->title, err) < 0 ||
        json_get_string(root, "source", JSON_REQUIRED, &file->source, err) < 0 ||
        json_get_string(root, "pmu", JSON_REQUIRED, &file->pmu, err) < 0 ||
        json_get_array(root, "cpus", JSON_REQUIRED, &file->cpus, err) < 0)
        return -1;
    if (strcmp(schema, "metalgap.pmu/1") != 0)
        return refuse(err, cJSON_GetObjectItemCaseSensitive(root, "schema"), "reading a PMU metric file",
                      "expected the schema metalgap.pmu/1, not ", schema);
    cJSON_ArrayForEach(pattern, file->cpus) {
        if (!cJSON_IsString(pattern))
            return refuse(err, pattern, "reading \"cpus\"", "expected a pattern such as \"GenuineIntel-6-8F\"", "");
    }
    return 0;
}

static char *name_of(const char *path) {
    const char *slash = strrchr(path, '/');
    char *name = mem_strdup(slash ? slash + 1 : path);
    char *end = strstr(name, ".json");
    if (end)
        *end = '\0';
    return name;
}

int pmu_file_parse(const char *path, const char *text, size_t length, struct pmu_file *out, struct error *err) {
    const struct json_origin origin = {path, 1};
    *out = (struct pmu_file){.name = name_of(path), .json = json_parse(text, length, origin, err)};
    if (!out->json)
        return -1;
    if (read_head(out, out->json, err) || read_groups(out, out->json, err) || read_metrics(out, out->json, err)) {
        json_place(err, out->json, text, length, origin);
        return -1;
    }
    return 0;
}

int pmu_file_load(const char *path, struct pmu_file *out, struct error *err) {
    size_t length = 0;
    *out = (struct pmu_file){.name = NULL};
    char *text = json_read_file(path, FILE_LIMIT, &length, err);
    int result = text ? pmu_file_parse(path, text, length, out, err) : -1;
    free(text);
    return result;
}

void pmu_file_free(struct pmu_file *file) {
    for (size_t i = 0; i < file->event_count; i++)
        free(file->events[i].full);
    free(file->events);
    free(file->metrics);
    free(file->name);
    cJSON_Delete(file->json);
    *file = (struct pmu_file){.name = NULL};
}

// --- a folder of them ---------------------------------------------------------------------------------------------

static int is_json(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

int pmu_files_each(const char *folder, void (*each)(const char *name, struct pmu_file *file, const char *why, void *to),
                   void *to, struct error *err) {
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_json, alphasort);
    if (count < 0) {
        error_set(err, EXIT_CODE_LACKS, "reading the folder of the PMU metric files, %s", folder);
        error_why(err, "%s", strerror(errno));
        return error_remedy(err, "install with `make install`, or set METALGAP_PMU_METRICS");
    }
    for (int i = 0; i < count; i++) {
        struct pmu_file file;
        struct error why;
        char line[1024] = "";
        char *path = mem_printf("%s/%s", folder, entries[i]->d_name);
        int failed = pmu_file_load(path, &file, &why);
        if (failed)
            error_line(&why, line, sizeof line);
        entries[i]->d_name[strlen(entries[i]->d_name) - 5] = '\0'; // without .json
        each(entries[i]->d_name, failed ? NULL : &file, line, to);
        pmu_file_free(&file);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

size_t pmu_file_fits(const struct pmu_file *file, const char *cpu_id) {
    size_t best = 0;
    const cJSON *pattern;
    cJSON_ArrayForEach(pattern, file->cpus) {
        size_t length = strlen(pattern->valuestring);
        if (length > best && fnmatch(pattern->valuestring, cpu_id, 0) == 0)
            best = length;
    }
    return best;
}

struct choice {
    const char *cpu_id;
    size_t fit;
    struct pmu_file file; // the best until now
};

static void choose(const char *name, struct pmu_file *file, const char *why, void *to) {
    struct choice *choice = to;
    size_t fit = file ? pmu_file_fits(file, choice->cpu_id) : 0;
    (void)name;
    (void)why;
    if (fit <= choice->fit)
        return;
    pmu_file_free(&choice->file);
    choice->file = *file;
    choice->fit = fit;
    *file = (struct pmu_file){.name = NULL}; // taken
}

int pmu_file_find(const char *folder, const char *cpu_id, struct pmu_file *out, struct error *err) {
    struct choice choice = {.cpu_id = cpu_id};
    int result = pmu_files_each(folder, choose, &choice, err);
    *out = choice.file;
    if (result || choice.fit)
        return result;
    error_set(err, EXIT_CODE_LACKS, "choosing a PMU metric file for the CPU %s", cpu_id);
    return error_why(err, "none in %s fits", folder);
}
