// SPDX-License-Identifier: Apache-2.0
// The bench "command": any program, its wall time or a figure of merit that a pattern finds in what it prints.
#include "bench/command.h"
#include "bench/launch.h"

#include "core/memory.h"
#include "core/parse.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bench_param params[] = {
    {"argv", {NULL}, "the program and its arguments, as an array of strings"},
    {"pattern",
     {""},
     "extended regular expression that finds the figure of merit; its first group is the number, the "
     "last matching line of standard output or error counts; empty: wall time is compared"},
    {"fom", {"figure of merit"}, "what the figure is called"},
    {"unit", {""}, "its unit"},
    {"better", {""}, "lower | higher: which is better; needed with a pattern"},
    {"timeout", {"0"}, "time limit such as 90s or 10m; 0: none"},
    {NULL, {NULL}, NULL},
};

static int refuse(const struct bench_context *context, const char *name, const char *why, struct error *err) {
    error_set(err, EXIT_CODE_INPUT, "the parameter \"%s\" of the bench command cannot be used", name);
    error_why(err, "%s", why);
    return bench_param_blame(context, name, err);
}

// Fills `pattern` (regfree() it) if the case has one. 1: it has, 0: it has not, -1: `err`.
static int compile_pattern(const struct bench_context *context, regex_t *pattern, struct error *err) {
    const char *text = bench_param_text(context, "pattern");
    char why[256];
    if (!*text)
        return 0;
    int failed = regcomp(pattern, text, REG_EXTENDED);
    if (!failed)
        return 1;
    regerror(failed, pattern, why, sizeof why);
    return refuse(context, "pattern", why, err);
}

static int timeout_param(const struct bench_context *context, double *out, struct error *err) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(context->params, "timeout");
    if (cJSON_IsNumber(item) && item->valuedouble >= 0) {
        *out = item->valuedouble;
        return 0;
    }
    if (cJSON_IsString(item) && parse_duration_s("timeout", item->valuestring, out, NULL) == 0)
        return 0;
    return refuse(context, "timeout", "it must be a duration such as 90s or 10m, or 0 for none", err);
}

static int check_argv(const struct bench_context *context, struct error *err) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(context->params, "argv");
    const cJSON *word;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0)
        return refuse(context, "argv", "it must be an array of at least one string", err);
    cJSON_ArrayForEach(word, list) {
        if (!cJSON_IsString(word))
            return refuse(context, "argv", "all of its values must be strings", err);
    }
    return 0;
}

static int fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    const char *better = bench_param_text(context, "better");
    double timeout_s;
    regex_t pattern;
    if (check_argv(context, err) < 0 || timeout_param(context, &timeout_s, err) < 0)
        return -1;
    int found = compile_pattern(context, &pattern, err);
    if (found <= 0)
        return found < 0 ? -1 : 1;
    regfree(&pattern);
    bool higher = strcmp(better, "higher") == 0;
    if (!higher && strcmp(better, "lower") != 0)
        return refuse(context, "better", "say lower or higher: a figure without a direction cannot be compared", err);
    out->better = higher ? FOM_HIGHER : FOM_LOWER;
    snprintf(out->name, sizeof out->name, "%s", bench_param_text(context, "fom"));
    snprintf(out->unit, sizeof out->unit, "%s", bench_param_text(context, "unit"));
    return 0;
}

static const char *unavailable(const struct bench_context *context) {
    const cJSON *argv = cJSON_GetObjectItemCaseSensitive(context->params, "argv");
    const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(argv, 0));
    if (context->launch) // the program may be on other nodes only
        name = context->launch[0];
    return !name || command_exists(name)
               ? NULL
               : "there is no such program: check its name, install it, or add its folder to PATH";
}

static struct words full_argv(const struct bench_context *context) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(context->params, "argv");
    const cJSON *word;
    struct words argv = {0};
    if (context->launch)
        launch_add(&argv, context, 0, false);
    cJSON_ArrayForEach(word, list) {
        words_add(&argv, mem_strdup(word->valuestring));
    }
    words_add(&argv, NULL);
    return argv;
}

struct search {
    const regex_t *pattern;
    bool found;
    double value;
};

static void look(void *closure, const char *text) {
    struct search *search = closure;
    if (command_number(search->pattern, text, &search->value))
        search->found = true;
}

static int run(struct bench_context *context, struct bench_result *result, struct error *err) {
    regex_t pattern;
    struct search search = {.pattern = &pattern, .value = NAN};
    struct command_outcome outcome;
    struct command command = {.launcher = context->launch, .pass_on = true, .closure = &search};
    int has_pattern = compile_pattern(context, &pattern, err);
    if (has_pattern < 0 || timeout_param(context, &command.timeout_s, err) < 0)
        return -1;
    struct words argv = full_argv(context);
    command.argv = (const char *const *)argv.items;
    command.line = has_pattern ? look : NULL;
    int ran = command_run(&command, &outcome, err);
    words_free(&argv);
    if (has_pattern)
        regfree(&pattern);
    if (ran < 0)
        return -1;
    result->wall_s = outcome.wall_s;
    result->fom = search.value;
    result->valid = command_succeeded(&outcome, result->why, sizeof result->why);
    if (result->valid && has_pattern && !search.found) {
        result->valid = false;
        snprintf(result->why, sizeof result->why, "no line of its output matched the pattern %s",
                 bench_param_text(context, "pattern"));
    }
    return 0;
}

const struct bench_ops bench_command = {
    .abi = BENCH_ABI,
    .name = "command",
    .summary = "any program: wall time, exit status, a figure of merit by regular expression",
    .launches = true,
    .params = params,
    .fom = fom,
    .unavailable = unavailable,
    .run = run,
};
