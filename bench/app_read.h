// SPDX-License-Identifier: Apache-2.0
// How a description of an application is read, as the files share that do it: app.c has the whole, its commands and
// files, app_values.c what ${...} stands for, app_rules.c the patterns. May include: bench/app.h, core.
#pragma once

#include "bench/app.h"

// --- app.c ----------------------------------------------------------------------------------------------------------

// An error about a value of the description. Returns -1.
int app_refuse(const cJSON *node, struct error *err, const char *why);

// 0, or -1 with `err`: it is not an object, or has a key that is not among the known (NULL-terminated).
int app_check_keys(const cJSON *object, const char *const *known, struct error *err);

// --- app_values.c ---------------------------------------------------------------------------------------------------

// Fills app->values, app->ranks and app->lacks. 0, or -1 with `err`.
int app_read_values(struct app *app, const struct bench_context *context, struct error *err);

// Fills in all texts below a value, in place. 0, or -1 with `err`: a name stands for nothing.
int app_fill_all(cJSON *node, const cJSON *values, struct error *err);

// A text or a number as text, NULL for anything else. free() it.
char *app_text_of(const cJSON *item);

// --- app_rules.c ----------------------------------------------------------------------------------------------------

// Chooses the figures of merit: those that the context asks for, else the one that the parameter "fom" names. An empty
// name is the first.
int app_read_figures(struct app *app, const struct bench_context *context, struct error *err);
int app_read_steps(struct app *app, struct error *err);
int app_read_rules(struct app *app, const char *key, enum app_rule_kind kind, struct error *err);
