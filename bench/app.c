// SPDX-License-Identifier: Apache-2.0
// Reads descriptions of applications. See app.h.
#include "bench/app.h"

#include "core/memory.h"
#include "core/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define APP_LIMIT (1U << 20) // bytes

static int refuse(const cJSON *node, struct error *err, const char *why) {
    error_set(err, EXIT_CODE_INPUT, "reading an application");
    error_why(err, "%s", why);
    if (err)
        err->node = node;
    return -1;
}

// --- ${name}
// ----------------------------------------------------------------------------------------------------------

char *app_fill(const char *text, const cJSON *values) {
    struct str out = {0};
    for (const char *at; (at = strstr(text, "${"));) {
        const char *end = strchr(at, '}');
        if (!end)
            break;
        char *name = mem_printf("%.*s", (int)(end - at - 2), at + 2);
        const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(values, name));
        str_add_bytes(&out, text, (size_t)(at - text));
        if (value)
            str_add(&out, value);
        else
            str_add_bytes(&out, at, (size_t)(end + 1 - at));
        free(name);
        text = end + 1;
    }
    str_add(&out, text);
    return out.text ? out.text : mem_strdup("");
}

static int check_names(const cJSON *node, const cJSON *values, struct error *err) {
    const char *at = node->valuestring;
    while ((at = strstr(at, "${"))) {
        at += 2;
        size_t length = strcspn(at, "}");
        char *name = mem_printf("%.*s", (int)length, at);
        bool known = cJSON_HasObjectItem(values, name) || strcmp(name, "dir") == 0 || strcmp(name, "launcher") == 0;
        if (!known) {
            refuse(node, err, "");
            error_why(err,
                      "${%s} stands for nothing: it is neither a parameter nor ranks, threads, cpus, dir or launcher",
                      name);
        }
        free(name);
        if (!known)
            return -1;
    }
    return 0;
}

// Fills in all texts below a value, in place.
static int fill_all(cJSON *node, const cJSON *values, struct error *err) {
    if (cJSON_IsString(node)) {
        if (check_names(node, values, err))
            return -1;
        char *text = app_fill(node->valuestring, values);
        cJSON_SetValuestring(node, text);
        free(text);
    }
    for (cJSON *child = node->child; child; child = child->next) {
        if (fill_all(child, values, err))
            return -1;
    }
    return 0;
}

static char *text_of(const cJSON *item) {
    if (cJSON_IsString(item))
        return mem_strdup(item->valuestring);
    return cJSON_IsNumber(item) ? json_print_line(item) : NULL;
}

static const cJSON *by_size(const cJSON *spec, enum bench_size size) {
    const cJSON *found = NULL;
    for (int i = 0; i <= (int)size; i++) {
        const cJSON *given = cJSON_GetObjectItemCaseSensitive(spec, bench_size_names[i]);
        found = given ? given : found;
    }
    return found;
}

// The default of a parameter: a value, values by size, or {"environment": NAME}. free() it; NULL with `err`.
static char *default_of(struct app *app, const struct bench_context *context, const cJSON *spec, struct error *err) {
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(spec, "environment"));
    char *text = text_of(cJSON_IsObject(spec) ? by_size(spec, context->size) : spec);
    if (text)
        return text;
    if (!name) {
        refuse(spec, err,
               "a parameter is a number, a text, values by size (small at least), or {\"environment\": NAME}");
        return NULL;
    }
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(context->environment, name));
    value = value ? value : getenv(name);
    if (!value && !app->lacks)
        app->lacks = mem_strdup(name);
    return mem_strdup(value ? value : "");
}

static int add_param(struct app *app, const struct bench_context *context, const cJSON *spec, struct error *err) {
    const cJSON *set = cJSON_GetObjectItemCaseSensitive(context->params, "set");
    char *text = text_of(cJSON_GetObjectItemCaseSensitive(set, spec->string));
    if (!text)
        text = default_of(app, context, spec, err);
    if (!text)
        return -1;
    if (cJSON_HasObjectItem(app->values, spec->string)) {
        free(text);
        return refuse(spec, err, "this name has a meaning of its own: ranks, threads, cpus");
    }
    json_add_string(app->values, spec->string, text);
    free(text);
    return 0;
}

static int bad_set(const cJSON *item, const cJSON *params, struct error *err) {
    struct str names = {0};
    const cJSON *param;
    cJSON_ArrayForEach(param, params) str_printf(&names, "%s%s", names.length ? ", " : "", param->string);
    error_set(err, EXIT_CODE_INPUT, "the application has no parameter \"%s\" of this kind", item->string);
    error_why(err, "it has %s; values are numbers and texts", names.length ? str_text(&names) : "none");
    if (err)
        err->node = item;
    str_free(&names);
    return -1;
}

static int check_set(const struct bench_context *context, const cJSON *params, struct error *err) {
    const cJSON *set = cJSON_GetObjectItemCaseSensitive(context->params, "set");
    const cJSON *item;
    cJSON_ArrayForEach(item, set) {
        bool usable = cJSON_IsString(item) || cJSON_IsNumber(item);
        if (!usable || !cJSON_GetObjectItemCaseSensitive(params, item->string))
            return bad_set(item, params, err);
    }
    return 0;
}

static void add_number(struct app *app, const char *name, uint64_t value) {
    char *text = mem_printf("%llu", (unsigned long long)value);
    json_add_string(app->values, name, text);
    free(text);
}

static int read_ranks(struct app *app, const struct bench_context *context, struct error *err) {
    unsigned cores = launch_cores(context->cpus);
    app->oversubscribe = strcmp(bench_param_text(context, "oversubscribe"), "yes") == 0;
    app->ranks = context->threads < cores ? context->threads : cores;
    if (strcmp(bench_param_text(context, "ranks"), "auto") != 0 &&
        bench_param_u64(context, "ranks", &app->ranks, err) < 0)
        return -1;
    if (app->ranks >= 1 && app->ranks <= 1000000)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "the parameter \"ranks\" of the bench application cannot be used");
    return error_why(err, "there must be at least one");
}

static int read_values(struct app *app, const struct bench_context *context, struct error *err) {
    const cJSON *params = NULL;
    const cJSON *spec;
    if (json_get_object(app->doc, "params", JSON_OPTIONAL, &params, err) < 0 || check_set(context, params, err) ||
        read_ranks(app, context, err))
        return -1;
    add_number(app, "ranks", app->ranks);
    add_number(app, "cpus", context->threads);
    add_number(app, "threads", context->threads > app->ranks ? context->threads / app->ranks : 1);
    cJSON_ArrayForEach(spec, params) {
        if (add_param(app, context, spec, err))
            return -1;
    }
    return 0;
}

// --- patterns
// ---------------------------------------------------------------------------------------------------------

static int compile(const cJSON *object, struct app_rule *rule, struct error *err) {
    char why[256];
    if (json_get_string(object, "pattern", JSON_REQUIRED, &rule->text, err) < 0)
        return -1;
    int failed = regcomp(&rule->regex, rule->text, REG_EXTENDED);
    if (!failed)
        return 0;
    regerror(failed, &rule->regex, why, sizeof why);
    return refuse(cJSON_GetObjectItemCaseSensitive(object, "pattern"), err, why);
}

static int read_take(const cJSON *object, enum app_take *out, struct error *err) {
    static const char *const names[TAKE_COUNT] = {"last", "first", "max", "min", "mean"};
    const char *text = names[TAKE_LAST];
    if (json_get_string(object, "take", JSON_OPTIONAL, &text, err) < 0)
        return -1;
    for (int i = 0; i < TAKE_COUNT; i++) {
        if (strcmp(text, names[i]) != 0)
            continue;
        *out = (enum app_take)i;
        return 0;
    }
    return refuse(cJSON_GetObjectItemCaseSensitive(object, "take"), err, "known are last, first, max, min and mean");
}

static int check_keys(const cJSON *object, const char *const *known, struct error *err) {
    const cJSON *child;
    if (!cJSON_IsObject(object))
        return refuse(object, err, "it is not an object");
    cJSON_ArrayForEach(child, object) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], child->string) != 0)
            i++;
        if (known[i])
            continue;
        refuse(child, err, "");
        error_why(err, "there is no key \"%s\" here", child->string);
        return error_remedy(err, "see docs/suites.md for the keys");
    }
    return 0;
}

// Keys of each kind of rule, and which text is its name.
static const struct {
    const char *keys[7];
    const char *name;
} rule_kinds[] = {
    [RULE_FOM] = {{"pattern", "unit", "better", "take", "skip", NULL}, NULL},
    [RULE_STEP] = {{"pattern", "skip", NULL}, NULL},
    [RULE_VALID] = {{"pattern", "count", "below", "why", NULL}, "why"},
    [RULE_FACT] = {{"name", "pattern", NULL}, "name"},
};

// How many lines must match: a number, or a text such as "${iterations}".
static int read_line_count(const cJSON *object, int64_t *out, struct error *err) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, "count");
    char *text = text_of(item);
    char *end = text;
    if (!item)
        return 0;
    errno = 0;
    *out = text ? strtoll(text, &end, 10) : -1;
    bool good = text && end != text && !*end && !errno && *out >= 0;
    free(text);
    return good ? 0 : refuse(item, err, "it must be a whole number of lines");
}

static int add_rule(struct app *app, enum app_rule_kind kind, const cJSON *object, struct error *err) {
    struct app_rule rule = {.kind = kind, .count = -1, .below = INFINITY, .min = INFINITY, .max = -INFINITY};
    if (check_keys(object, rule_kinds[kind].keys, err) || read_take(object, &rule.take, err) ||
        json_get_u64(object, "skip", JSON_OPTIONAL, &rule.skip, err) < 0 || read_line_count(object, &rule.count, err) ||
        json_get_double(object, "below", JSON_OPTIONAL, &rule.below, err) < 0)
        return -1;
    if (rule_kinds[kind].name && json_get_string(object, rule_kinds[kind].name, JSON_REQUIRED, &rule.name, err) < 0)
        return -1;
    if (kind == RULE_FOM && !cJSON_HasObjectItem(object, "pattern"))
        return 0; // the mean step
    if (compile(object, &rule, err))
        return -1;
    ARRAY_PUSH(app->rules, app->count, app->capacity, rule);
    return 0;
}

static int read_rules(struct app *app, const char *key, enum app_rule_kind kind, struct error *err) {
    const cJSON *list = NULL;
    const cJSON *item;
    if (json_get_array(app->doc, key, JSON_OPTIONAL, &list, err) < 0)
        return -1;
    cJSON_ArrayForEach(item, list) {
        if (add_rule(app, kind, item, err))
            return -1;
    }
    return 0;
}

// Chooses the figure of merit: the one that the parameter "fom" names, the first otherwise.
static int read_fom(struct app *app, const struct bench_context *context, struct error *err) {
    const char *name = bench_param_text(context, "fom");
    const cJSON *foms = NULL;
    const char *unit = NULL;
    if (json_get_object(app->doc, "foms", JSON_OPTIONAL, &foms, err) < 0)
        return -1;
    app->fom = *name ? cJSON_GetObjectItemCaseSensitive(foms, name) : foms ? foms->child : NULL;
    if (!app->fom) {
        if (!*name)
            return 0;
        error_set(err, EXIT_CODE_INPUT, "the application has no figure of merit \"%s\"", name);
        return error_remedy(err, "its description has them under \"foms\"");
    }
    if (add_rule(app, RULE_FOM, app->fom, err) || json_get_string(app->fom, "unit", JSON_REQUIRED, &unit, err) < 0 ||
        json_get_string(app->fom, "better", JSON_REQUIRED, &app->better, err) < 0)
        return -1;
    if (strcmp(app->better, "lower") == 0 || strcmp(app->better, "higher") == 0)
        return 0;
    return refuse(cJSON_GetObjectItemCaseSensitive(app->fom, "better"), err, "say lower or higher");
}

static int read_steps(struct app *app, struct error *err) {
    const cJSON *steps = NULL;
    int found = json_get_object(app->doc, "steps", JSON_OPTIONAL, &steps, err);
    if (found > 0)
        return add_rule(app, RULE_STEP, steps, err);
    bool mean_step = app->fom && !cJSON_HasObjectItem(app->fom, "pattern");
    if (found == 0 && mean_step)
        return refuse(app->fom, err, "without a pattern it is the mean step, and there are no \"steps\"");
    return found;
}

// --- commands and files
// -------------------------------------------------------------------------------------------------

static int check_argv(const cJSON *argv, struct error *err) {
    const cJSON *word;
    if (!cJSON_IsArray(argv) || !argv->child)
        return refuse(argv, err, "a command is an array of at least one text");
    cJSON_ArrayForEach(word, argv) {
        if (!cJSON_IsString(word))
            return refuse(word, err, "a word of a command is not a text");
    }
    return 0;
}

static int check_commands(const struct app *app, struct error *err) {
    const cJSON *prepare = NULL;
    const cJSON *run = NULL;
    const cJSON *argv;
    if (json_get_array(app->doc, "prepare", JSON_OPTIONAL, &prepare, err) < 0 ||
        json_get_array(app->doc, "run", JSON_REQUIRED, &run, err) < 0)
        return -1;
    cJSON_ArrayForEach(argv, prepare) {
        if (check_argv(argv, err))
            return -1;
    }
    return check_argv(run, err);
}

// A name of a file must stay inside the application's folder.
static bool stays_inside(const char *name) {
    if (!*name || *name == '/')
        return false;
    for (const char *part = name; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2]))
            return false;
    }
    return true;
}

static int check_file(const cJSON *file, struct error *err) {
    const cJSON *line;
    const char *copy = NULL;
    if (!stays_inside(file->string))
        return refuse(file, err, "the file would lie outside the application's folder");
    if (cJSON_IsObject(file))
        return json_get_string(file, "copy", JSON_REQUIRED, &copy, err) < 0 ? -1 : 0;
    if (!cJSON_IsArray(file))
        return refuse(file, err, "a file is an array of lines, or {\"copy\": PATH}");
    cJSON_ArrayForEach(line, file) {
        if (!cJSON_IsString(line))
            return refuse(line, err, "a line is not a text");
    }
    return 0;
}

static int check_texts(const struct app *app, const char *key, struct error *err) {
    const cJSON *object = NULL;
    const cJSON *item;
    if (json_get_object(app->doc, key, JSON_OPTIONAL, &object, err) < 0)
        return -1;
    cJSON_ArrayForEach(item, object) {
        if (!cJSON_IsString(item))
            return refuse(item, err, "it must be a text");
    }
    return 0;
}

static int check_files(const struct app *app, struct error *err) {
    const cJSON *files = NULL;
    const cJSON *output = NULL;
    const cJSON *item;
    if (json_get_object(app->doc, "files", JSON_OPTIONAL, &files, err) < 0 ||
        json_get_array(app->doc, "output", JSON_OPTIONAL, &output, err) < 0)
        return -1;
    cJSON_ArrayForEach(item, files) {
        if (check_file(item, err))
            return -1;
    }
    cJSON_ArrayForEach(item, output) {
        if (!cJSON_IsString(item) || !stays_inside(item->valuestring))
            return refuse(item, err, "an output is a file inside the application's folder");
    }
    return 0;
}

// --- the whole
// --------------------------------------------------------------------------------------------------------

static int check_head(const cJSON *root, struct error *err) {
    static const char *const keys[] = {"schema",  "name",  "description", "params", "prerequisites", "files",
                                       "prepare", "run",   "environment", "output", "foms",          "steps",
                                       "valid",   "facts", "timeout",     NULL};
    const char *text = NULL;
    if (check_keys(root, keys, err) || json_get_string(root, "schema", JSON_REQUIRED, &text, err) < 0)
        return -1;
    if (strcmp(text, APP_SCHEMA) != 0)
        return refuse(cJSON_GetObjectItemCaseSensitive(root, "schema"), err, "this version reads " APP_SCHEMA);
    return json_get_string(root, "name", JSON_REQUIRED, &text, err) < 0 ? -1 : 0;
}

static int read_description(struct app *app, const struct bench_context *context, struct error *err) {
    if (check_head(app->doc, err) || read_values(app, context, err))
        return -1;
    for (cJSON *child = app->doc->child; child; child = child->next) {
        if (strcmp(child->string, "params") != 0 && fill_all(child, app->values, err))
            return -1;
    }
    return check_commands(app, err) || check_files(app, err) || check_texts(app, "environment", err) ||
                   check_texts(app, "prerequisites", err) || read_fom(app, context, err) || read_steps(app, err) ||
                   read_rules(app, "valid", RULE_VALID, err) || read_rules(app, "facts", RULE_FACT, err)
               ? -1
               : 0;
}

// The value of the text as written that a value of the filled-in copy was made from: both have the same shape.
static const cJSON *twin(const cJSON *written, const cJSON *filled, const void *node) {
    if (filled == node)
        return written;
    const cJSON *own = written ? written->child : NULL;
    for (const cJSON *copy = filled->child; copy && own; copy = copy->next, own = own->next) {
        const cJSON *found = twin(own, copy, node);
        if (found)
            return found;
    }
    return NULL;
}

static char *path_of(const struct bench_context *context) {
    const char *name = bench_param_text(context, "app");
    size_t length = strlen(name);
    bool is_path = strchr(name, '/') || (length > 5 && strcmp(name + length - 5, ".json") == 0);
    return is_path ? mem_strdup(name) : mem_printf("%s/apps/%s.json", context->data_dir, name);
}

int app_load(const struct bench_context *context, struct app *out, struct error *err) {
    *out = (struct app){.values = cJSON_CreateObject()};
    char *path = path_of(context);
    struct json_origin origin = {path, 1};
    size_t length = 0;
    char *text = json_read_file(path, APP_LIMIT, &length, err);
    int result = -1;
    if (text)
        out->root = json_parse(text, length, origin, err);
    else
        error_remedy(err, "\"app\" is the name of a file in %s/apps without .json, or a path", context->data_dir);
    if (out->root) {
        out->doc = cJSON_Duplicate(out->root, true);
        result = read_description(out, context, err);
    }
    const cJSON *written = result && out->doc && err ? twin(out->root, out->doc, err->node) : NULL;
    if (written) {
        err->node = written;
        json_place(err, out->root, text, length, origin);
    }
    free(text);
    free(path);
    return result;
}

void app_free(struct app *app) {
    for (size_t i = 0; i < app->count; i++)
        regfree(&app->rules[i].regex);
    free(app->rules);
    free(app->lacks);
    cJSON_Delete(app->root);
    cJSON_Delete(app->doc);
    cJSON_Delete(app->values);
    *app = (struct app){0};
}
