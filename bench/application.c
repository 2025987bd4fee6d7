// SPDX-License-Identifier: Apache-2.0
// The bench "application": an external program as a JSON file describes it. See app.h and docs/suites.md.
#include "bench/app.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/parse.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_NAME "output.log" // in the folder of the sample: what the program wrote

static const struct bench_param params[] = {
    {"app", {NULL}, "the application: the name of a description that comes with the program, or its path"},
    {"fom", {""}, "which of its figures of merit; empty: the first"},
    {"set", {""}, "its parameters that differ from their defaults, as an object"},
    {"ranks", {"auto"}, "number of ranks; auto: one a core"},
    {"oversubscribe", {"no"}, "no | yes: allow more ranks than cores, and don't bind them"},
    {NULL, {NULL}, NULL},
};

// Between setup and teardown.
struct state {
    struct app app;
    struct app_deck deck;
    struct bench_result *result; // of the run
    FILE *log;
};

static int check_timeout(const struct app *app, double *out, struct error *err) {
    const char *text = NULL;
    int found = json_get_string(app->doc, "timeout", JSON_OPTIONAL, &text, err);
    if (found <= 0)
        return found;
    if (parse_duration_s("timeout", text, out, err) == 0)
        return 0;
    if (err)
        err->code = EXIT_CODE_INPUT;
    return -1;
}

static void describe_fom(const cJSON *figure, struct bench_fom *out) {
    const char *better = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(figure, "better"));
    out->better = strcmp(better, "higher") == 0 ? FOM_HIGHER : FOM_LOWER;
    snprintf(out->name, sizeof out->name, "%s", figure->string);
    snprintf(out->unit, sizeof out->unit, "%s", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(figure, "unit")));
}

static int fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    struct app app;
    double timeout_s = 0;
    int result = app_load(context, &app, err) || check_timeout(&app, &timeout_s, err) ? -1 : 0;
    if (!result && !app.figure_count)
        result = 1;
    if (!result)
        describe_fom(app.figures[0], out);
    app_free(&app);
    return result;
}

// --- can it run here?
// ---------------------------------------------------------------------------------------------------

static bool has_word(const cJSON *argv, const char *wanted) {
    const cJSON *word;
    cJSON_ArrayForEach(word, argv) {
        if (strcmp(word->valuestring, wanted) == 0)
            return true;
    }
    return false;
}

// Whether a text below a value has this in it.
static bool mentions(const cJSON *node, const char *wanted) {
    bool found = cJSON_IsString(node) && strstr(node->valuestring, wanted);
    for (const cJSON *child = node->child; child && !found; child = child->next)
        found = mentions(child, wanted);
    return found;
}

static int check_programs(const struct app *app, struct error *err) {
    const cJSON *item;
    const char *description = NULL;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(app->doc, "prerequisites")) {
        char *name = app_fill(item->string, app->values);
        int lacking = command_lacking(name, item->valuestring, err);
        free(name);
        if (!lacking)
            continue;
        json_get_string(app->doc, "description", JSON_OPTIONAL, &description, NULL);
        return *item->valuestring || !description ? -1 : error_remedy(err, "it is needed for %s", description);
    }
    return 0;
}

// A machine or a --cpus that is too small for it: no fault of the run, and nothing that a package mends.
static int check_ranks(const struct app *app, struct error *err) {
    if (app->ranks >= app->min_ranks || app->ranks_guessed)
        return 0;
    error_set(err, EXIT_CODE_LACKS, "it runs with %llu ranks and more, and there would be %llu here",
              (unsigned long long)app->min_ranks, (unsigned long long)app->ranks);
    return error_remedy(err, "give it as many cores, or set \"ranks\" to %llu and \"oversubscribe\" to \"yes\"",
                        (unsigned long long)app->min_ranks);
}

static int check_launch(const struct app *app, const struct bench_context *context, struct error *err) {
    if (context->launch && app->ranks_guessed && mentions(app->root, "${ranks}")) {
        error_set(err, EXIT_CODE_LACKS, "how many ranks --launch starts is not known");
        return error_remedy(err, "say it in its words (mpirun -np N, srun -n N), or set the parameter \"ranks\"");
    }
    if (context->launch || !has_word(cJSON_GetObjectItemCaseSensitive(app->doc, "run"), "${launcher}"))
        return 0;
    if (!command_exists("mpirun")) {
        error_set(err, EXIT_CODE_LACKS, "mpirun is not in PATH");
        return error_remedy(err, "apt-get install openmpi-bin, or give --launch");
    }
    if (app->oversubscribe || app->ranks <= launch_cores(context->cpus))
        return 0;
    error_set(err, EXIT_CODE_LACKS, "it has more ranks than there are cores");
    return error_remedy(err, "set \"oversubscribe\" to \"yes\" if that is meant");
}

static int lacking(const struct bench_context *context, struct error *err) {
    struct app app;
    const char *description = NULL;
    int result = app_load(context, &app, err);
    if (!result && app.lacks) {
        json_get_string(app.doc, "description", JSON_OPTIONAL, &description, NULL);
        error_set(err, EXIT_CODE_LACKS, "the application needs the environment variable %s", app.lacks);
        result = error_remedy(err, "set it, or the parameter that stands for it%s%s%s", description ? " (" : "",
                              description ? description : "", description ? ")" : "");
    }
    if (!result)
        result = check_ranks(&app, err) || check_programs(&app, err) || check_launch(&app, context, err) ? -1 : 0;
    app_free(&app);
    return result;
}

// --- a sample
// -----------------------------------------------------------------------------------------------------------

static int setup(struct bench_context *context, struct error *err) {
    struct state *state = mem_alloc(sizeof *state);
    context->state = state; // the process ends after a failure
    if (app_load(context, &state->app, err) || app_deck_open(&state->app, &state->deck, err))
        return -1;
    char *folder = mem_printf("%s/run", state->deck.folder);
    json_add_string(state->app.values, "dir", folder);
    free(folder);
    state->log = fopen(LOG_NAME, "we");
    return state->log ? 0 : error_set(err, EXIT_CODE_LACKS, "writing %s in %s", LOG_NAME, state->deck.folder);
}

static void look(void *closure, const char *line) {
    struct state *state = closure;
    uint64_t now_ns = clock_raw_ns();
    app_line(&state->app, line, now_ns, state->result);
    fprintf(state->log, "%s\n", line);
}

static void add_launcher(struct words *argv, const struct app *app, const struct bench_context *context) {
    cJSON *environment =
        context->launch ? cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(app->doc, "environment"), true) : NULL;
    launch_add(argv, context, app->ranks, app->oversubscribe);
    for (cJSON *item = environment ? environment->child : NULL; item; item = item->next) {
        char *filled = app_fill(item->valuestring, app->values);
        cJSON_SetValuestring(item, filled);
        free(filled);
    }
    launch_add_environment(argv, environment);
    cJSON_Delete(environment);
}

static struct words make_argv(const struct app *app, const struct bench_context *context) {
    struct words argv = {0};
    const cJSON *word;
    cJSON_ArrayForEach(word, cJSON_GetObjectItemCaseSensitive(app->doc, "run")) {
        if (strcmp(word->valuestring, "${launcher}") == 0)
            add_launcher(&argv, app, context);
        else
            words_add(&argv, app_fill(word->valuestring, app->values));
    }
    words_add(&argv, NULL);
    return argv;
}

static int run(struct bench_context *context, struct bench_result *result, struct error *err) {
    struct state *state = context->state;
    struct command_outcome outcome;
    struct words environment = {0};
    struct words argv = make_argv(&state->app, context);
    double timeout_s = 0;
    check_timeout(&state->app, &timeout_s, NULL);
    app_environment(&state->app, &environment);
    for (char **item = environment.items; *item; item++) {
        char *filled = app_fill(*item, state->app.values);
        free(*item);
        *item = filled;
    }
    struct command command = {.argv = (const char *const *)argv.items,
                              .environment = (const char *const *)environment.items,
                              .timeout_s = timeout_s,
                              .launcher = true,
                              .line = look,
                              .closure = state};
    state->result = result;
    result->fom = NAN;
    for (size_t i = 0; i < BENCH_MAX_FIGURES; i++)
        result->figures[i].value = NAN;
    int status = command_run(&command, &outcome, err);
    words_free(&argv);
    words_free(&environment);
    if (status < 0)
        return -1;
    result->wall_s = outcome.wall_s;
    result->valid = command_succeeded(&outcome, result->why, sizeof result->why);
    return 0;
}

// Reads a file that the program wrote, as far as it is there: the rules say whether something is missing.
static void read_output(struct state *state, const char *path, struct bench_result *result) {
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    while (f && (length = getline(&line, &size, f)) >= 0) {
        if (length && line[length - 1] == '\n')
            line[length - 1] = '\0';
        app_line(&state->app, line, 0, result);
    }
    free(line);
    if (f)
        fclose(f);
}

// Valid, and each figure that was asked for is there.
static bool is_whole(const struct state *state, const struct bench_result *result) {
    for (size_t i = 0; i < state->app.figure_count; i++)
        if (isnan(result->figures[i].value))
            return false;
    return result->valid;
}

static void verify(struct bench_context *context, struct bench_result *result) {
    struct state *state = context->state;
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(state->app.doc, "output"))
        read_output(state, item->valuestring, result);
    snprintf(result->info, sizeof result->info, "input %.12s", state->deck.hash);
    app_conclude(&state->app, result);
    size_t used = strlen(result->info);
    if (!is_whole(state, result))
        snprintf(result->info + used, sizeof result->info - used, "; its files: %s/failed", state->deck.folder);
}

static void teardown(struct bench_context *context) {
    struct state *state = context->state;
    fclose(state->log);
    app_deck_finish(&state->deck, !is_whole(state, state->result));
    app_deck_close(&state->deck);
    app_free(&state->app);
    free(state);
    context->state = NULL;
}

const struct bench_ops bench_application = {
    .abi = BENCH_ABI,
    .name = "application",
    .summary = "an external program with its input, as a JSON file describes it: HPL, GROMACS, fio, your own",
    .launches = true,
    .figure = "fom",
    .params = params,
    .fom = fom,
    .lacking = lacking,
    .setup = setup,
    .run = run,
    .verify = verify,
    .teardown = teardown,
};
