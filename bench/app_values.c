// SPDX-License-Identifier: Apache-2.0
// What ${...} stands for in the description of an application. See app_read.h.
#include "bench/app_read.h"

#include "core/memory.h"
#include "core/str.h"

#include <stdlib.h>
#include <string.h>

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
            app_refuse(node, err, "");
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

int app_fill_all(cJSON *node, const cJSON *values, struct error *err) {
    if (cJSON_IsString(node)) {
        if (check_names(node, values, err))
            return -1;
        char *text = app_fill(node->valuestring, values);
        cJSON_SetValuestring(node, text);
        free(text);
    }
    for (cJSON *child = node->child; child; child = child->next) {
        if (app_fill_all(child, values, err))
            return -1;
    }
    return 0;
}

char *app_text_of(const cJSON *item) {
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
    char *text = app_text_of(cJSON_IsObject(spec) ? by_size(spec, context->size) : spec);
    if (text)
        return text;
    if (!name) {
        app_refuse(spec, err,
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
    char *text = app_text_of(cJSON_GetObjectItemCaseSensitive(set, spec->string));
    if (!text)
        text = default_of(app, context, spec, err);
    if (!text)
        return -1;
    if (cJSON_HasObjectItem(app->values, spec->string)) {
        free(text);
        return app_refuse(spec, err, "this name has a meaning of its own: ranks, threads, cpus");
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
    uint64_t launched = context->launch ? launch_ranks(context->launch) : 0;
    bool given = strcmp(bench_param_text(context, "ranks"), "auto") != 0;
    app->ranks = launched ? launched : context->threads < cores ? context->threads : cores;
    app->ranks_guessed = context->launch && !launched && !given;
    if (given && bench_param_u64(context, "ranks", &app->ranks, err) < 0)
        return -1;
    if (app->ranks >= 1 && app->ranks <= 1000000)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "the parameter \"ranks\" of the bench application cannot be used");
    return error_why(err, "there must be at least one");
}

int app_read_values(struct app *app, const struct bench_context *context, struct error *err) {
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
