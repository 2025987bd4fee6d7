// SPDX-License-Identifier: Apache-2.0
// What each collector tells. A row here for each cause that a collector writes observations of; those that are tables
// elsewhere are taken from there. See untold.h.
#include "collectors/untold.h"

#include "collectors/exit_profile.h"
#include "collectors/exit_timing.h"
#include "collectors/guest_counts.h"
#include "core/memory.h"

#include <string.h>

static void add(struct observations *obs, enum cause cause, enum obs_scope scope, enum obs_basis basis,
                const char *why) {
    observations_untold(obs, (struct untold){cause, scope, basis, (char *)why}); // copied
}

static void by_steal(enum sample_mode mode, const char *why, struct observations *obs) {
    (void)mode;
    add(obs, CAUSE_HOST_STEAL, SCOPE_CPU, BASIS_TIMED, why);
}

static void by_cpu(enum sample_mode mode, const char *why, struct observations *obs) {
    (void)mode;
    add(obs, CAUSE_GUEST_IRQ, SCOPE_CPU, BASIS_SAMPLED, why);
    add(obs, CAUSE_GUEST_SOFTIRQ, SCOPE_CPU, BASIS_SAMPLED, why);
    add(obs, CAUSE_GUEST_THREADS, SCOPE_CPU, BASIS_TIMED, why);
}

// A count has a price or it has none, as the calibration goes.
static void add_count(struct observations *obs, enum cause cause, const char *why) {
    add(obs, cause, SCOPE_CPU, BASIS_CALIBRATED, why);
    add(obs, cause, SCOPE_CPU, BASIS_COUNTED, why);
}

static void by_guest_exits(enum sample_mode mode, const char *why, struct observations *obs) {
    static const enum cause by_register[] = {CAUSE_EXIT_TIMER, CAUSE_EXIT_IPI, CAUSE_EXIT_MSR};
    for (size_t i = 0; i < guest_source_count; i++) {
        const struct guest_source *s = &guest_sources[i];
        if (s->cause != CAUSE_COUNT && (s->phase == PHASE_ALWAYS || mode == MODE_ATTRIBUTION))
            add_count(obs, s->cause, why);
    }
    for (size_t i = 0; i < ARRAY_LEN(by_register); i++)
        add_count(obs, by_register[i], why);
    add(obs, CAUSE_GUEST_THREADS, SCOPE_CPU, BASIS_TIMED, why);
}

static void by_exit_timing(enum sample_mode mode, const char *why, struct observations *obs) {
    (void)mode;
    for (int e = 0; e < TIMING_EVENTS; e++)
        add(obs, timing_meanings[e].cause, timing_meanings[e].scope, BASIS_TIMED, why);
}

static void by_io_path(enum sample_mode mode, const char *why, struct observations *obs) {
    (void)mode;
    for (int cause = 0; cause < CAUSE_COUNT; cause++) {
        enum cause_family family = cause_info((enum cause)cause)->family;
        if (family != FAMILY_HOP && family != FAMILY_OFFLOAD)
            continue;
        add(obs, (enum cause)cause, SCOPE_LATENCY, BASIS_TIMED, why);
        add(obs, (enum cause)cause, SCOPE_BLOCKED, BASIS_TIMED, why);
    }
}

static void by_exit_profiler(enum sample_mode mode, const char *why, struct observations *obs) {
    (void)mode;
    for (size_t k = 0; k < EXIT_KINDS; k++)
        add(obs, exit_kinds[k].cause, SCOPE_CPU, BASIS_SAMPLED, why);
    add(obs, CAUSE_HOST_HIDDEN, SCOPE_CPU, BASIS_SAMPLED, why);
}

// What metric files make seconds of.
static void by_pmu(enum sample_mode mode, const char *why, struct observations *obs) {
    (void)mode;
    add(obs, CAUSE_MEMORY_NESTED, SCOPE_CPU, BASIS_COUNT, why);
}

static const struct teller {
    const char *name;
    void (*all)(enum sample_mode mode, const char *why, struct observations *obs);
    bool in_timing;
    bool by_session;
} tellers[] = {
    {"steal", by_steal, true, false},
    {"cpu", by_cpu, true, false},
    {"guest_exits", by_guest_exits, true, true},
    {"exit_timing", by_exit_timing, false, true},
    {"io_path", by_io_path, false, true},
    {"exit_profiler", by_exit_profiler, false, true},
    {"pmu", by_pmu, false, false},
};

static const struct teller *find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(tellers); i++)
        if (strcmp(tellers[i].name, name) == 0)
            return &tellers[i];
    return NULL;
}

void untold_by(const char *name, enum sample_mode mode, const char *why, struct observations *obs) {
    const struct teller *teller = find(name);
    if (teller && (mode == MODE_ATTRIBUTION || teller->in_timing))
        teller->all(mode, why, obs);
}

void untold_by_all(enum sample_mode mode, const char *why, struct observations *obs) {
    for (size_t i = 0; i < ARRAY_LEN(tellers); i++)
        untold_by(tellers[i].name, mode, why, obs);
}

bool follows_session(const char *name) {
    const struct teller *teller = find(name);
    return teller && teller->by_session;
}
