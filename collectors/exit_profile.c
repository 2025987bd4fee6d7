// SPDX-License-Identifier: Apache-2.0
// Deals out the instants of a sample. See exit_profile.h.
#include "collectors/exit_profile.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>

// RDTSC and PAUSE are not among them: a loop that spins on them natively has its ticks in the same places. Nor are MSR
// accesses, which guest_exits counts; HLT, which is sleep; INVD and WBINVD, which take long on bare metal, too.
const struct exit_kind exit_kinds[EXIT_KINDS] = {
    {INSTRUCTION_CPUID, CAUSE_EXIT_CPUID, TRAP_CPUID},
    {INSTRUCTION_PORT, CAUSE_EXIT_PIO, TRAP_COUNT},
    {INSTRUCTION_HYPERCALL, CAUSE_EXIT_HYPERCALL, TRAP_COUNT},
    {INSTRUCTION_XSETBV, CAUSE_EXIT_OTHER, TRAP_COUNT},
};

bool profile_kind_counts(const struct profile_terms *terms, const struct exit_kind *kind) {
    if (kind->trap == TRAP_COUNT)
        return terms->hypervisor;
    return terms->calibration && terms->calibration->traps[kind->trap].measured &&
           terms->calibration->traps[kind->trap].exits;
}

void profile_add_cpu(struct profile *profile, const struct profiler_cpu *cpu) {
    tick_add(&profile->all, cpu->ticks, 1);
    tick_add(&profile->instants, cpu->instants, 1);
    tick_add(&profile->lost, cpu->lost, 1);
    tick_add(&profile->stolen, cpu->stolen, 1. / PROFILER_FRACTION);
    for (int b = 0; b < PROFILER_LATE; b++)
        profile->late[b] += cpu->late[b];
    profile->gaps += cpu->gaps;
    profile->runs += cpu->runs;
    profile->run_ns += cpu->run_ns;
    profile->overflow += cpu->overflow;
    profile->kernel += cpu->kernel;
}

static enum instruction decode(const struct profiler_site *site) {
#if defined(__aarch64__)
    return decode_arm64_before(site->code, PROFILER_CODE);
#else
    return decode_x86_before(site->code, PROFILER_CODE);
#endif
}

static bool opens_interrupts(const struct profiler_site *site) {
#if defined(__aarch64__)
    return decode_arm64_opens_interrupts(site->code, PROFILER_CODE);
#else
    return decode_x86_opens_interrupts(site->code, PROFILER_CODE);
#endif
}

// Above this a tick met more than the exit. The rule that the calibration applies to itself (bench/kernels/traps.h);
// where there is no calibrated price, the same with how late ticks usually are at this address.
static double limit_s(const struct profile_terms *terms, const struct exit_kind *kind,
                      const struct profiler_site *site) {
    const double most = kind->trap == TRAP_COUNT ? tick_late_limit_ns(tick_usual_late_ns(site->late)) * 1e-9
                                                 : 20 * terms->calibration->traps[kind->trap].median_s + 50e-6;
    return fmax(most, terms->late_s);
}

static void add_exit(struct profile *profile, const struct profile_terms *terms, size_t kind,
                     const struct profiler_key *key, const struct profiler_site *site) {
    struct profile_site found = {.key = *key, .kind = kind};
    for (int b = 0; b < PROFILER_BATCHES; b++)
        found.ticks += site->ticks[b];
    if (found.ticks == 0)
        return;
    found.within = tick_within(site->late, limit_s(terms, &exit_kinds[kind], site) * 1e9);
    tick_add(&profile->hits[kind], site->ticks, found.within / (double)found.ticks);
    profile->too_late[kind] += (double)found.ticks - found.within;
    // These were taken for lost since they are later than ticks usually are.
    profile->in_exits += fmin(found.within - tick_within(site->late, terms->late_s * 1e9), site->lost);
    ARRAY_PUSH(profile->sites, profile->count, profile->capacity, found);
}

void profile_add_site(struct profile *profile, const struct profile_terms *terms, const struct profiler_key *key,
                      const struct profiler_site *site) {
    const enum instruction instruction = decode(site);
    for (size_t k = 0; k < EXIT_KINDS; k++) {
        if (exit_kinds[k].instruction == instruction && profile_kind_counts(terms, &exit_kinds[k])) {
            add_exit(profile, terms, k, key, site);
            return;
        }
    }
    if (!key->process && opens_interrupts(site)) {
        profile->shut_lost += site->lost;
        profile->shut_in_time += tick_within(site->late, terms->late_s * 1e9);
    }
}

void profile_free(struct profile *profile) {
    free(profile->sites);
    *profile = (struct profile){.sites = NULL};
}

double profile_in_guest(const struct profile *profile) {
    const double elsewhere_lost = tick_total(&profile->lost) - profile->shut_lost;
    const double elsewhere_in_time = tick_total(&profile->all) - (double)profile->gaps - profile->shut_in_time;
    if (elsewhere_in_time <= 0)
        return profile->shut_lost;
    return fmax(profile->shut_lost - elsewhere_lost * profile->shut_in_time / elsewhere_in_time, 0);
}

struct profile_hidden profile_hidden(const struct profile *profile, const struct profile_terms *terms) {
    struct tick_batches unpaid = profile->lost;
    for (int b = 0; b < PROFILER_BATCHES; b++)
        unpaid.ticks[b] -= profile->stolen.ticks[b]; // below 0 where steal was booked in another batch than the gap
    const double lost = tick_total(&profile->lost);
    const double n = tick_total(&profile->instants);
    const double host = lost > 0 ? fmax(1 - (profile->in_exits + profile_in_guest(profile)) / lost, 0) : 0;
    const struct tick_share share = tick_share(&unpaid, &profile->instants);
    const double hidden = host * fmax(share.value, 0) * n;
    return (struct profile_hidden){
        .seconds = hidden * terms->period_s,
        .se = fmax(host * share.se * n, sqrt(hidden + 1)) * terms->period_s,
        .count = lost > 0 ? (uint64_t)llround(hidden / lost * (double)profile->gaps) : 0,
    };
}

double profile_tick_s(const struct profile *profile, const struct profile_terms *terms) {
    return profile->runs ? (double)profile->run_ns * 1e-9 / (double)profile->runs + terms->interrupt_s : 0;
}
