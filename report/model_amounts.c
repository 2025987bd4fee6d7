// SPDX-License-Identifier: Apache-2.0
// Numbers, intervals and scopes as words, the same in all renderers; see the header. May include: core, report.
#include "report/model_amounts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void model_number(double value, double uncertainty, char *out, size_t size) {
    if (!isfinite(value)) {
        snprintf(out, size, "not known");
        return;
    }
    double scale = isfinite(uncertainty) && uncertainty > 0 ? uncertainty : fabs(value) / 10;
    int decimals = scale >= 10 ? 0 : scale >= 0.1 || !(scale > 0) ? 1 : scale >= 0.01 ? 2 : scale >= 0.001 ? 3 : 4;
    snprintf(out, size, "%.*f", decimals, value);
    if (strspn(out, "-0.") == strlen(out)) // no "-0.0"
        snprintf(out, size, "%.*f", decimals, 0.0);
}

void model_range(struct stats_interval ci, char *out, size_t size) {
    double half = 0.5 * (ci.high - ci.low);
    char low[32];
    char high[32];
    out[0] = '\0';
    if (!isfinite(half))
        return;
    model_number(ci.low, half, low, sizeof low);
    model_number(ci.high, half, high, sizeof high);
    snprintf(out, size, "%s to %s", low, high);
}

void model_percent(double pct, struct stats_interval ci, char *out, size_t size) {
    char value[32];
    char range[72];
    model_number(pct, 0.5 * (ci.high - ci.low), value, sizeof value);
    model_range(ci, range, sizeof range);
    if (*range)
        snprintf(out, size, "%s %% (%s %%)", value, range);
    else
        snprintf(out, size, isfinite(pct) ? "%s %% (no interval)" : "%s", value);
}

const char *model_scope_word(enum obs_scope scope) {
    static const char *const WORDS[SCOPE_COUNT] = {
        [SCOPE_CPU] = "", [SCOPE_BLOCKED] = " (waiting)", [SCOPE_LATENCY] = " (latency)"};
    return WORDS[scope];
}

double model_pct(double log_shift) {
    return 100 * expm1(log_shift);
}
