// SPDX-License-Identifier: Apache-2.0
// A history as OpenMetrics: what an alert asks of it, each case's changes of level and the last one's size and time.
// May include: core, report.
#include "report/openmetrics.h"

#include "core/memory.h"

#include <math.h>
#include <time.h>

static const struct history_change *last_change(const struct history_case *c) {
    return c->change_count ? &c->changes[c->change_count - 1] : NULL;
}

static double runs_of(const struct history *history, const struct history_case *c) {
    (void)history;
    return (double)c->count;
}

static double changes_of(const struct history *history, const struct history_case *c) {
    (void)history;
    return (double)c->change_count;
}

static double spread_of(const struct history *history, const struct history_case *c) {
    (void)history;
    return c->spread_pct / 100;
}

static double last_of(const struct history *history, const struct history_case *c) {
    (void)history;
    return last_change(c) ? last_change(c)->pct / 100 : NAN;
}

static double last_low_of(const struct history *history, const struct history_case *c) {
    (void)history;
    return last_change(c) ? last_change(c)->ci.low / 100 : NAN;
}

static double last_high_of(const struct history *history, const struct history_case *c) {
    (void)history;
    return last_change(c) ? last_change(c)->ci.high / 100 : NAN;
}

// Seconds since 1970; NaN where the journal tells no time.
static double last_time_of(const struct history *history, const struct history_case *c) {
    struct tm moment = {0};
    if (!last_change(c))
        return NAN;
    const struct dataset *run = &history->runs[c->points[last_change(c)->at].run];
    return strptime(history_started(run), "%Y-%m-%dT%H:%M:%S", &moment) ? (double)timegm(&moment) : NAN;
}

static const struct metric {
    const char *name;
    const char *unit; // part of the name, as OpenMetrics wants it
    const char *help;
    double (*value)(const struct history *history, const struct history_case *c);
} METRICS[] = {
    {"metalgap_history_runs", NULL, "Runs of the case in the history", runs_of},
    {"metalgap_history_changes", NULL, "Changes of the level that were found", changes_of},
    {"metalgap_history_spread_ratio", "ratio", "Robust standard deviation of the runs around their levels", spread_of},
    {"metalgap_history_change_ratio", "ratio", "How much slower the newest level is than the one before", last_of},
    {"metalgap_history_change_low_ratio", "ratio", "Lower end of its 95 % interval", last_low_of},
    {"metalgap_history_change_high_ratio", "ratio", "Upper end of its 95 % interval", last_high_of},
    {"metalgap_history_change_timestamp_seconds", "seconds", "When the first run of the newest level started",
     last_time_of},
};

static void put_metric(FILE *out, const struct history *history, const struct metric *metric, const char *subject) {
    fprintf(out, "# TYPE %s gauge\n", metric->name);
    if (metric->unit)
        fprintf(out, "# UNIT %s %s\n", metric->name, metric->unit);
    fprintf(out, "# HELP %s %s\n", metric->name, metric->help);
    for (size_t i = 0; i < history->count; i++) {
        double value = metric->value(history, &history->cases[i]);
        if (!isfinite(value))
            continue;
        fprintf(out, "%s{", metric->name);
        openmetrics_label(out, "case", history->cases[i].name);
        fputc(',', out);
        openmetrics_label(out, "subject", subject);
        fprintf(out, "} %.12g\n", value);
    }
}

void openmetrics_history(FILE *out, const struct history *history) {
    if (history->run_count == 0)
        return;
    const char *subject = history->runs[history->run_count - 1].name;
    for (size_t i = 0; i < ARRAY_LEN(METRICS); i++)
        put_metric(out, history, &METRICS[i], subject);
}
