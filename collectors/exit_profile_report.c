// SPDX-License-Identifier: Apache-2.0
// The exit profiler's observations. See exit_profile.h.
#include "collectors/exit_profile.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TOP_SITES 10

static void name_site(struct symbols *symbols, const struct profile_site *site, cJSON *object) {
    struct symbol symbol;
    char text[400];
    snprintf(text, sizeof text, "0x%llx", site->key.ip);
    json_add_string(object, "address", text);
    if (!site->key.process)
        json_add_string(object, "module", "kernel");
    if (!symbols || !symbols_find(symbols, site->key.ip - 1, &symbol)) // - 1: inside the instruction that left
        return;
    if (symbol.function[0])
        snprintf(text, sizeof text, "%s+0x%llx", symbol.function, (unsigned long long)symbol.offset + 1);
    else
        snprintf(text, sizeof text, "+0x%llx", (unsigned long long)symbol.offset + 1);
    json_add_string(object, "site", text);
    json_add_string(object, "module", symbol.module);
    if (symbol.line) {
        snprintf(text, sizeof text, "%s:%d", symbol.file, symbol.line);
        json_add_string(object, "line", text);
    }
}

// The addresses with the most ticks.
static cJSON *sites_to_json(const struct profile *profile, const struct profile_terms *terms, size_t kind,
                            const struct process_watch *symbols) {
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < profile->count && cJSON_GetArraySize(list) < TOP_SITES; i++) {
        const struct profile_site *site = &profile->sites[i];
        if (site->kind != kind)
            continue;
        cJSON *object = cJSON_CreateObject();
        name_site(symbols ? process_watch_symbols(symbols, site->key.process, site->key.image) : NULL, site, object);
        json_add_u64(object, "process", site->key.process);
        json_add_u64(object, "ticks", site->ticks);
        json_add_double(object, "seconds", site->within * terms->period_s);
        cJSON_AddItemToArray(list, object);
    }
    return list;
}

// The part of an exit's time that the instruction would take on bare metal, too.
static double native_part(const struct profile_terms *terms, const struct exit_kind *kind) {
    if (kind->trap == TRAP_COUNT)
        return 0;
    const struct trap_cost *cost = &terms->calibration->traps[kind->trap];
    return cost->mean_s > 0 ? fmin(cost->native_s / cost->mean_s, 1) : 0;
}

// How many exits that time holds; 0 where the price of one is not known.
static uint64_t estimated_exits(const struct profile_terms *terms, const struct exit_kind *kind, double seconds) {
    const double unit_s = kind->trap == TRAP_COUNT ? 0 : terms->calibration->traps[kind->trap].mean_s;
    return unit_s > 0 ? (uint64_t)llround(seconds / unit_s) : 0;
}

static void report_kind(const struct profile *profile, const struct profile_terms *terms, size_t kind,
                        const struct process_watch *symbols, struct collector_output *out) {
    const struct tick_share share = tick_share(&profile->hits[kind], &profile->all);
    const double window_s = tick_total(&profile->all) * (terms->period_s - profile_tick_s(profile, terms)); // not ours
    const double exit_part = 1 - native_part(terms, &exit_kinds[kind]);
    struct observation o = {
        .cause = exit_kinds[kind].cause,
        .scope = SCOPE_CPU,
        .basis = BASIS_SAMPLED,
        .count = estimated_exits(terms, &exit_kinds[kind], share.value * window_s),
        .seconds = share.value * window_s * exit_part,
        .se = share.se * window_s * exit_part,
        .detail = cJSON_CreateObject(),
    };
    json_add_double(o.detail, "ticks", tick_total(&profile->hits[kind]));
    json_add_double(o.detail, "share", share.value);
    json_add_double(o.detail, "share_se", share.se);
    json_add_double(o.detail, "native_part", 1 - exit_part);
    json_add_double(o.detail, "too_late", profile->too_late[kind]);
    cJSON_AddItemToObject(o.detail, "sites", sites_to_json(profile, terms, kind, symbols));
    observations_add(out->obs, o);
}

// A kind that was calibrated is told in any case: its 0 is a statement. The others are told where they were met, so
// that no sample is burdened with the uncertainty of what hardly any program does.
static bool is_told(const struct profile *profile, const struct profile_terms *terms, size_t kind) {
    return profile_kind_counts(terms, &exit_kinds[kind]) &&
           (exit_kinds[kind].trap != TRAP_COUNT || tick_total(&profile->hits[kind]) > 0);
}

// Why lost instants cannot be told from those in time; NULL if they can.
static const char *hidden_doubt(const struct profile *profile, const struct profile_terms *terms) {
    if (!(terms->late_s > 0))
        return "how late ticks usually come here was not known yet";
    // The limit is from the sample before.
    if (tick_usual_late_ns(profile->late) * 1e-9 >= terms->late_s)
        return "ticks usually came later than what was taken for the CPU being away";
    return NULL;
}

static void report_hidden(const struct profile *profile, const struct profile_terms *terms,
                          struct collector_output *out) {
    const struct profile_hidden hidden = profile_hidden(profile, terms);
    struct observation o = {
        .cause = CAUSE_HOST_HIDDEN,
        .scope = SCOPE_CPU,
        .basis = BASIS_SAMPLED,
        .count = hidden.count,
        .seconds = hidden.seconds,
        .se = hidden.se,
        .detail = cJSON_CreateObject(),
    };
    json_add_double(o.detail, "instants", tick_total(&profile->instants));
    json_add_double(o.detail, "lost", tick_total(&profile->lost));
    json_add_double(o.detail, "lost_to_steal", tick_total(&profile->stolen));
    json_add_double(o.detail, "lost_in_exits", profile->in_exits);
    json_add_double(o.detail, "lost_in_guest", profile_in_guest(profile));
    json_add_double(o.detail, "usual_lateness_s", tick_usual_late_ns(profile->late) * 1e-9);
    json_add_double(o.detail, "limit_s", terms->late_s);
    observations_add(out->obs, o);
}

static void cannot_tell(enum cause cause, const char *why, struct collector_output *out) {
    observations_untold(out->obs, (struct untold){cause, SCOPE_CPU, BASIS_SAMPLED, (char *)why}); // copied
}

// Without a tick nothing is known of the job's time.
static void no_ticks(const struct profile_terms *terms, bool hidden_known, struct collector_output *out) {
    static const char why[] = "no tick of the timer met the job";
    for (size_t k = 0; k < EXIT_KINDS; k++) {
        if (exit_kinds[k].trap != TRAP_COUNT && profile_kind_counts(terms, &exit_kinds[k]))
            cannot_tell(exit_kinds[k].cause, why, out);
    }
    if (hidden_known)
        cannot_tell(CAUSE_HOST_HIDDEN, why, out);
}

static void report_cost(const struct profile *profile, const struct profile_terms *terms,
                        struct collector_output *out) {
    const double cost_s = profile_tick_s(profile, terms);
    struct observation o = {
        .cause = CAUSE_OBSERVER,
        .scope = SCOPE_CPU,
        .basis = BASIS_CALIBRATED,
        .count = profile->runs,
        .seconds = cost_s * tick_total(&profile->all),
        .detail = cJSON_CreateObject(),
    };
    json_add_string(o.detail, "source", "exit_profiler");
    json_add_double(o.detail, "tick_s", cost_s);
    json_add_double(o.detail, "period_s", terms->period_s);
    observations_add(out->obs, o);
}

static void add_circumstances(const struct profile *profile, const struct profile_terms *terms,
                              struct collector_output *out) {
    cJSON *object = cJSON_AddObjectToObject(out->circumstances, "exit_profiler");
    json_add_double(object, "period_s", terms->period_s);
    json_add_double(object, "ticks", tick_total(&profile->all));
    json_add_u64(object, "kernel_ticks", profile->kernel);
    json_add_double(object, "usual_lateness_s", tick_usual_late_ns(profile->late) * 1e-9);
    json_add_double(object, "limit_s", terms->late_s);
    if (profile->overflow == 0)
        return;
    char *text = mem_printf(
        "exit_profiler: %llu ticks were at addresses beyond the %d that are kept: shares of exits "
        "are too low",
        (unsigned long long)profile->overflow, PROFILER_SITES);
    cJSON_AddItemToArray(out->notes, cJSON_CreateString(text));
    free(text);
}

static int most_ticks_first(const void *a, const void *b) {
    const uint64_t of_a = ((const struct profile_site *)a)->ticks;
    const uint64_t of_b = ((const struct profile_site *)b)->ticks;
    return of_a < of_b ? 1 : of_a > of_b ? -1 : 0;
}

void profile_report(struct profile *profile, const struct profile_terms *terms, bool hidden_known,
                    const struct process_watch *symbols, struct collector_output *out) {
    if (profile->count > 1)
        qsort(profile->sites, profile->count, sizeof *profile->sites, most_ticks_first);
    add_circumstances(profile, terms, out);
    const char *doubt = hidden_doubt(profile, terms);
    if (tick_total(&profile->all) == 0) {
        no_ticks(terms, hidden_known, out);
    } else {
        for (size_t k = 0; k < EXIT_KINDS; k++) {
            if (is_told(profile, terms, k))
                report_kind(profile, terms, k, symbols, out);
        }
        if (hidden_known && doubt)
            cannot_tell(CAUSE_HOST_HIDDEN, doubt, out);
        else if (hidden_known)
            report_hidden(profile, terms, out);
    }
    if (profile->runs > 0)
        report_cost(profile, terms, out);
}
