// SPDX-License-Identifier: Apache-2.0
// Counts samples that could and could not tell a cause; the header states the rule. May include: core, report.
#include "report/ledger_told.h"

#include "core/memory.h"
#include "core/str.h"

enum { REASONS = 3, REASON_LENGTH = 240 }; // that are named, and bytes of each

const struct gap *gaps_of(const struct series *series, uint64_t seq, size_t *next, size_t *count) {
    while (*next < series->gap_count && series->gap[*next].seq < seq)
        (*next)++;
    size_t first = *next;
    while (*next < series->gap_count && series->gap[*next].seq == seq)
        (*next)++;
    *count = *next - first;
    return *count ? &series->gap[first] : NULL;
}

const struct gap *gap_find(const struct gap *gaps, size_t count, enum cause cause, enum obs_scope scope,
                           enum obs_basis basis) {
    for (size_t i = 0; i < count; i++) {
        bool any = basis == BASIS_COUNT || gaps[i].basis == BASIS_COUNT;
        if (gaps[i].cause == cause && gaps[i].scope == scope && (any || gaps[i].basis == basis))
            return &gaps[i];
    }
    return NULL;
}

void told_add(struct told_count *count, const struct dataset *set, const struct gap *gap) {
    count->samples++;
    count->told += !gap;
    if (gap)
        names_add(&count->reasons, set->reasons.name[gap->why]);
}

struct ledger_told told_end(struct told_count *count) {
    struct ledger_told told = {.told = count->told, .samples = count->samples};
    struct str why = {0};
    for (size_t i = 0; i < count->reasons.count && i < REASONS; i++)
        str_printf(&why, "%s%.*s", i ? "; " : "", REASON_LENGTH, count->reasons.name[i]);
    if (count->reasons.count > REASONS)
        str_printf(&why, "; and %zu other reasons", count->reasons.count - REASONS);
    if (count->told < count->samples)
        told.why = mem_strdup(str_text(&why));
    str_free(&why);
    names_free(&count->reasons);
    *count = (struct told_count){0};
    return told;
}

bool told_never(const struct ledger_told *told) {
    return told->samples > 0 && told->told == 0;
}

char *told_sentence(const struct ledger_told *told, const char *side) {
    const char *on = *side ? " on " : "";
    const char *why = told->why && *told->why ? told->why : "no reason given";
    if (told_never(told))
        return mem_printf("not measured%s%s: %s", on, side, why);
    if (told->told < told->samples)
        return mem_printf("told in %zu of %zu samples%s%s: %s", told->told, told->samples, on, side, why);
    return NULL;
}
