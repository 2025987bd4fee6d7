// SPDX-License-Identifier: Apache-2.0
// Reads what an application writes. See app.h.
#include "bench/app.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void keep_number(struct app_rule *rule, double value, struct bench_result *result) {
    rule->numbers++;
    if (rule->kind == RULE_STEP && result->step_count < BENCH_MAX_STEPS)
        result->steps_s[result->step_count++] = value;
    rule->first = rule->numbers == 1 ? value : rule->first;
    rule->last = value;
    rule->min = fmin(rule->min, value);
    rule->max = fmax(rule->max, value);
    rule->sum += value;
    rule->above |= !(fabs(value) < rule->below);
}

static void keep_fact(struct app_rule *rule, const char *line, const regmatch_t *match) {
    const regmatch_t *found = match[1].rm_so >= 0 ? &match[1] : &match[0];
    if (!rule->fact[0])
        snprintf(rule->fact, sizeof rule->fact, "%.*s", (int)(found->rm_eo - found->rm_so), line + found->rm_so);
}

// A step is the number in the line; where the pattern has no group, the time since the line before.
static bool step_length(struct app_rule *rule, const char *line, uint64_t now_ns, double *out) {
    if (rule->regex.re_nsub)
        return command_number(&rule->regex, line, out);
    uint64_t last_ns = rule->last_ns;
    rule->last_ns = now_ns;
    *out = (double)(now_ns - last_ns) * 1e-9;
    return last_ns && now_ns;
}

static void meet(struct app_rule *rule, const char *line, uint64_t now_ns, struct bench_result *result) {
    regmatch_t match[2] = {{-1, -1}, {-1, -1}};
    double value;
    if (regexec(&rule->regex, line, 2, match, 0) != 0)
        return;
    rule->lines++;
    if (rule->kind == RULE_FACT)
        keep_fact(rule, line, match);
    bool found =
        rule->kind == RULE_STEP ? step_length(rule, line, now_ns, &value) : command_number(&rule->regex, line, &value);
    if (found && rule->skip)
        rule->skip--;
    else if (found)
        keep_number(rule, value, result);
}

void app_line(struct app *app, const char *line, uint64_t now_ns, struct bench_result *result) {
    for (size_t i = 0; i < app->count; i++)
        meet(&app->rules[i], line, now_ns, result);
}

static double take(const struct app_rule *rule) {
    switch (rule->take) {
    case TAKE_FIRST:
        return rule->first;
    case TAKE_MAX:
        return rule->max;
    case TAKE_MIN:
        return rule->min;
    case TAKE_MEAN:
        return rule->sum / (double)rule->numbers;
    case TAKE_LAST:
    case TAKE_COUNT:
        break;
    }
    return rule->last;
}

static void judge(const struct app_rule *rule, struct bench_result *result) {
    if (!result->valid)
        return;
    if (rule->count >= 0 ? rule->lines != (uint64_t)rule->count : !rule->lines) {
        result->valid = false;
        int used = snprintf(result->why, sizeof result->why, "%s: %llu lines match %s", rule->name,
                            (unsigned long long)rule->lines, rule->text);
        if (rule->count > 0 && used > 0 && (size_t)used < sizeof result->why)
            snprintf(result->why + used, sizeof result->why - (size_t)used, " instead of %lld", (long long)rule->count);
    }
    if (isfinite(rule->below) && (rule->above || !rule->numbers)) {
        result->valid = false;
        snprintf(result->why, sizeof result->why, "%s: %s %s %g", rule->name, rule->text,
                 rule->numbers ? "met a number that is not below" : "met no number, which should be below",
                 rule->below);
    }
}

static void add_fact(const struct app_rule *rule, struct bench_result *result) {
    size_t used = strlen(result->info);
    if (rule->fact[0])
        snprintf(result->info + used, sizeof result->info - used, "; %s: %s", rule->name, rule->fact);
}

// Without a pattern of its own a figure is the mean step.
static bool is_mean_step(const cJSON *figure) {
    return !cJSON_HasObjectItem(figure, "pattern");
}

static const struct app_rule *rule_of(const struct app *app, size_t figure) {
    bool mean_step = is_mean_step(app->figures[figure]);
    const struct app_rule *rule = app->rules;
    while (mean_step ? rule->kind != RULE_STEP : rule->kind != RULE_FOM || rule->figure != figure)
        rule++; // the description was checked: it is there
    return rule;
}

static struct bench_figure conclude_figure(const struct app *app, size_t figure) {
    const struct app_rule *rule = rule_of(app, figure);
    struct bench_figure found = {.value = NAN};
    if (!rule->numbers)
        snprintf(found.why, sizeof found.why, "no number for the figure of merit was found by: %s", rule->text);
    else
        found.value = is_mean_step(app->figures[figure]) ? rule->sum / (double)rule->numbers : take(rule);
    return found;
}

static void conclude_figures(const struct app *app, struct bench_result *result) {
    for (size_t i = 0; i < app->figure_count; i++)
        result->figures[i] = conclude_figure(app, i);
    if (app->figure_count != 1)
        return;
    const struct bench_figure *only = &result->figures[0];
    result->fom = only->value;
    if (result->valid && only->why[0]) {
        result->valid = false;
        snprintf(result->why, sizeof result->why, "%s", only->why);
    }
}

void app_conclude(const struct app *app, struct bench_result *result) {
    for (size_t i = 0; i < app->count; i++) {
        if (app->rules[i].kind == RULE_VALID)
            judge(&app->rules[i], result);
        else if (app->rules[i].kind == RULE_FACT)
            add_fact(&app->rules[i], result);
    }
    conclude_figures(app, result);
}
