// SPDX-License-Identifier: Apache-2.0
// Patterns in the description of an application: figures of merit, steps, validity, facts. See app_read.h.
#include "bench/app_read.h"

#include "core/memory.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compile(const cJSON *object, struct app_rule *rule, struct error *err) {
    char why[256];
    if (json_get_string(object, "pattern", JSON_REQUIRED, &rule->text, err) < 0)
        return -1;
    int failed = regcomp(&rule->regex, rule->text, REG_EXTENDED);
    if (!failed)
        return 0;
    regerror(failed, &rule->regex, why, sizeof why);
    return app_refuse(cJSON_GetObjectItemCaseSensitive(object, "pattern"), err, why);
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
    return app_refuse(cJSON_GetObjectItemCaseSensitive(object, "take"), err,
                      "known are last, first, max, min and mean");
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
    char *text = app_text_of(item);
    char *end = text;
    if (!item)
        return 0;
    errno = 0;
    *out = text ? strtoll(text, &end, 10) : -1;
    bool good = text && end != text && !*end && !errno && *out >= 0;
    free(text);
    return good ? 0 : app_refuse(item, err, "it must be a whole number of lines");
}

static int add_rule(struct app *app, enum app_rule_kind kind, const cJSON *object, struct error *err) {
    struct app_rule rule = {
        .kind = kind, .figure = app->figure_count, .count = -1, .below = INFINITY, .min = INFINITY, .max = -INFINITY};
    if (app_check_keys(object, rule_kinds[kind].keys, err) || read_take(object, &rule.take, err) ||
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

int app_read_rules(struct app *app, const char *key, enum app_rule_kind kind, struct error *err) {
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

static int read_figure(struct app *app, const cJSON *foms, const char *name, struct error *err) {
    const cJSON *fom = *name ? cJSON_GetObjectItemCaseSensitive(foms, name) : foms ? foms->child : NULL;
    const char *text = NULL;
    if (!fom && !*name)
        return 0;
    if (!fom) {
        error_set(err, EXIT_CODE_INPUT, "the application has no figure of merit \"%s\"", name);
        return error_remedy(err, "its description has them under \"foms\"");
    }
    if (add_rule(app, RULE_FOM, fom, err) || json_get_string(fom, "unit", JSON_REQUIRED, &text, err) < 0 ||
        json_get_string(fom, "better", JSON_REQUIRED, &text, err) < 0)
        return -1;
    if (strcmp(text, "lower") != 0 && strcmp(text, "higher") != 0)
        return app_refuse(cJSON_GetObjectItemCaseSensitive(fom, "better"), err, "say lower or higher");
    app->figures[app->figure_count++] = fom;
    return 0;
}

int app_read_figures(struct app *app, const struct bench_context *context, struct error *err) {
    const char *const own[] = {bench_param_text(context, "fom"), NULL};
    const cJSON *foms = NULL;
    if (json_get_object(app->doc, "foms", JSON_OPTIONAL, &foms, err) < 0)
        return -1;
    for (const char *const *name = context->figures ? context->figures : own; *name; name++) {
        if (read_figure(app, foms, *name, err))
            return -1;
    }
    return 0;
}

int app_read_steps(struct app *app, struct error *err) {
    const cJSON *steps = NULL;
    int found = json_get_object(app->doc, "steps", JSON_OPTIONAL, &steps, err);
    if (found > 0)
        return add_rule(app, RULE_STEP, steps, err);
    for (size_t i = 0; found == 0 && i < app->figure_count; i++) {
        if (!cJSON_HasObjectItem(app->figures[i], "pattern"))
            return app_refuse(app->figures[i], err,
                              "without a pattern it is the mean step, and there are no \"steps\"");
    }
    return found;
}
