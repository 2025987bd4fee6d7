// SPDX-License-Identifier: Apache-2.0
// Reads descriptions of applications. See app.h.
#include "bench/app_read.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

#define APP_LIMIT (1U << 20) // bytes

int app_refuse(const cJSON *node, struct error *err, const char *why) {
    error_set(err, EXIT_CODE_INPUT, "reading an application");
    error_why(err, "%s", why);
    if (err)
        err->node = node;
    return -1;
}

int app_check_keys(const cJSON *object, const char *const *known, struct error *err) {
    if (!cJSON_IsObject(object))
        return app_refuse(object, err, "it is not an object");
    const cJSON *unknown = json_unknown_key(object, known);
    if (!unknown)
        return 0;
    app_refuse(unknown, err, "");
    error_why(err, "there is no key \"%s\" here", unknown->string);
    return error_remedy(err, "see docs/suites.md for the keys");
}

// --- commands and files
// -------------------------------------------------------------------------------------------------

static int check_argv(const cJSON *argv, struct error *err) {
    const cJSON *word;
    if (!cJSON_IsArray(argv) || !argv->child)
        return app_refuse(argv, err, "a command is an array of at least one text");
    cJSON_ArrayForEach(word, argv) {
        if (!cJSON_IsString(word))
            return app_refuse(word, err, "a word of a command is not a text");
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
        return app_refuse(file, err, "the file would lie outside the application's folder");
    if (cJSON_IsObject(file))
        return json_get_string(file, "copy", JSON_REQUIRED, &copy, err) < 0 ? -1 : 0;
    if (!cJSON_IsArray(file))
        return app_refuse(file, err, "a file is an array of lines, or {\"copy\": PATH}");
    cJSON_ArrayForEach(line, file) {
        if (!cJSON_IsString(line))
            return app_refuse(line, err, "a line is not a text");
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
            return app_refuse(item, err, "it must be a text");
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
            return app_refuse(item, err, "an output is a file inside the application's folder");
    }
    return 0;
}

// --- the whole
// --------------------------------------------------------------------------------------------------------

static int check_head(const cJSON *root, struct error *err) {
    static const char *const keys[] = {
        "schema", "name", "description", "params", "prerequisites", "files",   "prepare",   "run", "environment",
        "output", "foms", "steps",       "valid",  "facts",         "timeout", "min_ranks", NULL};
    const char *text = NULL;
    if (app_check_keys(root, keys, err) || json_get_string(root, "schema", JSON_REQUIRED, &text, err) < 0)
        return -1;
    if (strcmp(text, APP_SCHEMA) != 0)
        return app_refuse(cJSON_GetObjectItemCaseSensitive(root, "schema"), err, "this version reads " APP_SCHEMA);
    return json_get_string(root, "name", JSON_REQUIRED, &text, err) < 0 ? -1 : 0;
}

static int read_description(struct app *app, const struct bench_context *context, struct error *err) {
    if (check_head(app->doc, err) || json_get_u64(app->doc, "min_ranks", JSON_OPTIONAL, &app->min_ranks, err) < 0 ||
        app_read_values(app, context, err))
        return -1;
    for (cJSON *child = app->doc->child; child; child = child->next) {
        if (strcmp(child->string, "params") != 0 && app_fill_all(child, app->values, err))
            return -1;
    }
    return check_commands(app, err) || check_files(app, err) || check_texts(app, "environment", err) ||
                   check_texts(app, "prerequisites", err) || app_read_figures(app, context, err) ||
                   app_read_steps(app, err) || app_read_rules(app, "valid", RULE_VALID, err) ||
                   app_read_rules(app, "facts", RULE_FACT, err)
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
