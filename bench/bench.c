// SPDX-License-Identifier: Apache-2.0
// What all benches share: finding one, checking its contract, completing and reading its parameters. See bench.h.
#include "bench/bench.h"

#include "core/memory.h"
#include "core/parse.h"
#include "core/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const bench_size_names[SIZE_COUNT] = {"small", "default", "full"};

const struct bench_ops *bench_find(const char *name) {
    for (const struct bench_ops *const *ops = bench_registry; *ops; ops++)
        if (strcmp((*ops)->name, name) == 0)
            return *ops;
    return NULL;
}

static int broken(const struct bench_ops *ops, struct error *err, const char *why) {
    error_set(err, EXIT_CODE_INTERNAL, "the bench %s breaks its contract", ops->name && *ops->name ? ops->name : "(?)");
    return error_why(err, "%s", why);
}

static bool is_name(const char *name) {
    return name && *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == strlen(name);
}

static int check_params(const struct bench_ops *ops, struct error *err) {
    for (const struct bench_param *p = ops->params; p && p->name; p++) {
        if (!is_name(p->name))
            return broken(ops, err, "a parameter's name is not made of a-z, 0-9, _ and -");
        if (!p->help || !*p->help)
            return broken(ops, err, "a parameter has no help text");
        if (!p->defaults[0] && (p->defaults[1] || p->defaults[2]))
            return broken(ops, err, "a parameter has a default for a larger size and none for the small one");
        for (const struct bench_param *other = ops->params; other != p; other++)
            if (strcmp(other->name, p->name) == 0)
                return broken(ops, err, "two parameters have the same name");
    }
    return 0;
}

int bench_check(const struct bench_ops *ops, struct error *err) {
    if (ops->abi != BENCH_ABI)
        return broken(ops, err, "it was built for another version of struct bench_ops");
    if (!is_name(ops->name))
        return broken(ops, err, "its name is not made of a-z, 0-9, _ and -");
    if (!ops->summary || !*ops->summary)
        return broken(ops, err, "it has no summary");
    if (!ops->fom || !ops->run)
        return broken(ops, err, "fom() and run() must be there");
    return check_params(ops, err);
}

// The default of a size: the last one given at or before it. NULL: the parameter has none and must be given.
static const char *default_of(const struct bench_param *p, enum bench_size size) {
    int i = (int)size;
    while (i > 0 && !p->defaults[i])
        i--;
    return p->defaults[i];
}

static int unknown_param(const struct bench_ops *ops, const cJSON *item, struct error *err) {
    struct str names = {0};
    for (const struct bench_param *p = ops->params; p && p->name; p++)
        str_printf(&names, "%s%s", names.length ? ", " : "", p->name);
    error_set(err, EXIT_CODE_INPUT, "the bench %s has no parameter \"%s\"", ops->name, item->string);
    error_why(err, names.length ? "it has %s" : "it has none%s", str_text(&names));
    if (err)
        err->node = item;
    str_free(&names);
    return -1;
}

static bool has_param(const struct bench_ops *ops, const char *name) {
    for (const struct bench_param *p = ops->params; p && p->name; p++)
        if (strcmp(p->name, name) == 0)
            return true;
    return false;
}

static int fill_defaults(const struct bench_ops *ops, cJSON *params, enum bench_size size, struct error *err) {
    for (const struct bench_param *p = ops->params; p && p->name; p++) {
        const cJSON *given = cJSON_GetObjectItemCaseSensitive(params, p->name);
        if (given && !cJSON_IsNull(given))
            continue;
        cJSON_DeleteItemFromObjectCaseSensitive(params, p->name);
        if (!default_of(p, size)) {
            error_set(err, EXIT_CODE_INPUT, "the bench %s needs the parameter \"%s\"", ops->name, p->name);
            return error_why(err, "it has no default: %s", p->help);
        }
        json_add_string(params, p->name, default_of(p, size));
    }
    return 0;
}

cJSON *bench_params(const struct bench_ops *ops, const cJSON *params, enum bench_size size, struct error *err) {
    if (params && !cJSON_IsObject(params)) {
        error_set(err, EXIT_CODE_INPUT, "the parameters of the bench %s cannot be read", ops->name);
        error_why(err, "they must be an object such as {\"name\": value}");
        if (err)
            err->node = params;
        return NULL;
    }
    const cJSON *item;
    cJSON_ArrayForEach(item, params) {
        if (!has_param(ops, item->string)) {
            unknown_param(ops, item, err);
            return NULL;
        }
    }
    cJSON *full = params ? cJSON_Duplicate(params, true) : cJSON_CreateObject();
    if (fill_defaults(ops, full, size, err) == 0)
        return full;
    cJSON_Delete(full);
    return NULL;
}

static int bad_param(const cJSON *item, const char *name, const char *why, struct error *err) {
    error_set(err, EXIT_CODE_INPUT, "the parameter \"%s\" cannot be used", name);
    error_why(err, "%s", why);
    if (err)
        err->node = item;
    return -1;
}

// An error of core/parse is about the command line; here the text came from a file.
static int from_file(const cJSON *item, struct error *err) {
    if (err) {
        err->code = EXIT_CODE_INPUT;
        err->node = item;
    }
    return -1;
}

int bench_param_u64(const struct bench_context *context, const char *name, uint64_t *out, struct error *err) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(context->params, name);
    if (cJSON_IsString(item))
        return parse_size(name, item->valuestring, out, err) < 0 ? from_file(item, err) : 0;
    if (cJSON_IsNumber(item))
        return json_get_u64(context->params, name, JSON_REQUIRED, out, err) < 0 ? -1 : 0;
    return bad_param(item, name, "it must be a whole number, or text such as \"64M\"", err);
}

int bench_param_double(const struct bench_context *context, const char *name, double *out, struct error *err) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(context->params, name);
    if (cJSON_IsNumber(item)) {
        *out = item->valuedouble;
        return 0;
    }
    if (!cJSON_IsString(item))
        return bad_param(item, name, "it must be a number", err);
    char *end;
    errno = 0;
    double value = strtod(item->valuestring, &end);
    if (end == item->valuestring || *end || errno || !isfinite(value))
        return bad_param(item, name, "it must be a number", err);
    *out = value;
    return 0;
}

int bench_param_blame(const struct bench_context *context, const char *name, struct error *err) {
    if (err)
        err->node = cJSON_GetObjectItemCaseSensitive(context->params, name);
    return -1;
}

const char *bench_param_text(const struct bench_context *context, const char *name) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(context->params, name));
    return text ? text : "";
}
