// SPDX-License-Identifier: Apache-2.0
// Counters to observations. See guest_counts.h.
#include "collectors/guest_counts.h"

#include "collectors/msr.h"
#include "core/arch.h"
#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X86 "x86_64"
#define ARM "aarch64"

// The columns: tracepoint, machine, event, cause, detail of, phase, needed.
const struct guest_source guest_sources[] = {
    {"write_msr", X86, EVENT_MSR_DEADLINE, CAUSE_EXIT_TIMER, CAUSE_COUNT, PHASE_ALWAYS, true},
    {"cpu_idle", NULL, EVENT_IDLE, CAUSE_EXIT_HALT, CAUSE_COUNT, PHASE_ALWAYS, true},
    {"local_timer_entry", X86, EVENT_LOCAL_TIMER, CAUSE_EXIT_IRQ, CAUSE_EXIT_IRQ, PHASE_ALWAYS, true},
    {"reschedule_entry", X86, EVENT_RESCHEDULE, CAUSE_EXIT_IRQ, CAUSE_EXIT_IRQ, PHASE_ALWAYS, true},
    {"call_function_entry", X86, EVENT_CALL_FUNCTION, CAUSE_EXIT_IRQ, CAUSE_EXIT_IRQ, PHASE_ALWAYS, true},
    {"call_function_single_entry", X86, EVENT_CALL_FUNCTION_SINGLE, CAUSE_EXIT_IRQ, CAUSE_EXIT_IRQ, PHASE_ALWAYS, true},
    {"irq_work_entry", X86, EVENT_IRQ_WORK, CAUSE_EXIT_IRQ, CAUSE_EXIT_IRQ, PHASE_ALWAYS, false},
    {"x86_platform_ipi_entry", X86, EVENT_PLATFORM_IPI, CAUSE_EXIT_IRQ, CAUSE_EXIT_IRQ, PHASE_ALWAYS, false},
    {"irq_handler_entry", NULL, EVENT_DEVICE_IRQ, CAUSE_EXIT_IRQ, CAUSE_EXIT_IRQ, PHASE_ALWAYS, true},
    {"ipi_raise", ARM, EVENT_IPI_RAISE, CAUSE_EXIT_IPI, CAUSE_EXIT_IPI, PHASE_ALWAYS, true},
    {"hyperv_send_ipi_one", X86, EVENT_HYPERV_IPI_ONE, CAUSE_EXIT_IPI, CAUSE_EXIT_IPI, PHASE_ALWAYS, false},
    {"hyperv_send_ipi_mask", X86, EVENT_HYPERV_IPI_MASK, CAUSE_EXIT_IPI, CAUSE_EXIT_IPI, PHASE_ALWAYS, false},
    {"xen_mc_flush", X86, EVENT_XEN_CALLS, CAUSE_EXIT_HYPERCALL, CAUSE_EXIT_HYPERCALL, PHASE_ATTRIBUTION, false},
    {"ipi_send_cpu", NULL, EVENT_IPI_SEND_CPU, CAUSE_COUNT, CAUSE_EXIT_IPI, PHASE_ATTRIBUTION, false},
    {"ipi_send_cpumask", NULL, EVENT_IPI_SEND_CPUMASK, CAUSE_COUNT, CAUSE_EXIT_IPI, PHASE_ATTRIBUTION, false},
    {"page_fault_user", X86, EVENT_FAULT_USER, CAUSE_GUEST_FAULT, CAUSE_GUEST_FAULT, PHASE_ATTRIBUTION, true},
    {"page_fault_kernel", X86, EVENT_FAULT_KERNEL, CAUSE_GUEST_FAULT, CAUSE_GUEST_FAULT, PHASE_ATTRIBUTION, true},
};
const size_t guest_source_count = ARRAY_LEN(guest_sources);
_Static_assert(ARRAY_LEN(guest_sources) <= ARRAY_LEN(((struct guest_facts *)0)->attached), "attached[] is too short");

// The trap whose calibration says what one event of a cause costs. Causes that are not here are counted only.
static const struct {
    enum cause cause;
    enum trap trap;
    enum trap base;   // the same operation without the exit; TRAP_COUNT: none
    bool upper_bound; // the trap contains more than the exit
} prices[] = {
    {CAUSE_EXIT_TIMER, TRAP_TIMER_ARM, TRAP_COUNT, false},
    // The calibration waits until the peer has acknowledged; a sender that does not wait loses the register write only.
    {CAUSE_EXIT_IPI, TRAP_IPI_PEER, TRAP_IPI_ALONE, true},
};

// --- sums ---------------------------------------------------------------------------------------------------------

static void add_register(struct guest_counts *out, uint32_t msr, uint64_t count) {
    if (count == 0)
        return;
    for (size_t i = 0; i < out->msr_count; i++) {
        if (out->msrs[i].msr == msr) {
            out->msrs[i].count += count;
            return;
        }
    }
    struct msr_slot slot = {.msr = msr, .count = count};
    ARRAY_PUSH(out->msrs, out->msr_count, out->msr_capacity, slot);
}

static void add_row(struct guest_counts *out, const struct guest_exits_row *from, const struct guest_exits_row *to) {
    for (int e = 0; e < EVENT_COUNT; e++)
        out->events[e] += to->events[e] - from->events[e];
    for (int i = 0; i < MSR_SLOTS; i++)
        add_register(out, to->msrs[i].msr, to->msrs[i].count - from->msrs[i].count);
}

void guest_counts_sum(const struct guest_exits_cpu *from, const struct guest_exits_cpu *to, size_t count,
                      const cpu_set_t *cpus, enum probe_whose whose, struct guest_counts *out) {
    static const struct guest_exits_cpu zero;
    *out = (struct guest_counts){0};
    for (size_t cpu = 0; cpu < count; cpu++) {
        if (cpus && !CPU_ISSET(cpu, cpus))
            continue;
        const struct guest_exits_cpu *start = from ? &from[cpu] : &zero;
        for (int w = 0; w < WHOSE_COUNT; w++) {
            if (whose == WHOSE_COUNT || (int)whose == w)
                add_row(out, &start->whose[w], &to[cpu].whose[w]);
        }
        out->ended_wait_ns += to[cpu].ended_wait_ns - start->ended_wait_ns;
    }
    add_register(out, MSR_TSC_DEADLINE, out->events[EVENT_MSR_DEADLINE]);
    add_register(out, MSR_X2APIC_ICR, out->events[EVENT_MSR_ICR]);
}

// --- prices -------------------------------------------------------------------------------------------------------

void guest_price(const struct calibration *calibration, enum trap trap, enum trap base, struct observation *o) {
    const struct trap_cost *cost = calibration ? &calibration->traps[trap] : NULL;
    if (!cost || !cost->measured)
        return;
    const struct trap_cost none = {0};
    const struct trap_cost *without = base < TRAP_COUNT ? &calibration->traps[base] : &none;
    // A kind that does not leave the guest here happened, and cost nothing more than on bare metal.
    double unit_s = cost->exits ? fmax(cost->mean_s - cost->native_s - without->mean_s, 0) : 0;
    o->basis = BASIS_CALIBRATED;
    o->seconds = (double)o->count * unit_s;
    o->se = cost->exits ? (double)o->count * hypot(cost->se_s, without->se_s) : 0;
    json_add_string(o->detail, "unit", trap_name(trap));
    json_add_double(o->detail, "unit_s", unit_s);
    cJSON_AddBoolToObject(o->detail, "exits", cost->exits);
}

static void price(const struct guest_facts *facts, struct observation *o) {
    if (!facts->hypervisor) {
        o->basis = BASIS_CALIBRATED; // nothing to leave to: known to be 0
        cJSON_AddBoolToObject(o->detail, "exits", false);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(prices); i++) {
        if (prices[i].cause != o->cause)
            continue;
        guest_price(facts->calibration, prices[i].trap, prices[i].base, o);
        if (prices[i].upper_bound && o->basis == BASIS_CALIBRATED)
            cJSON_AddBoolToObject(o->detail, "upper_bound", true);
    }
}

// --- the report ---------------------------------------------------------------------------------------------------

// What is known of one cause before it becomes an observation.
struct tally {
    bool seen;       // some source of it was on: then 0 is a statement
    const char *why; // it cannot be told in this sample; NULL: it can
    uint64_t count;
    cJSON *detail;
};

static cJSON *detail_of(struct tally *t) {
    if (!t->detail)
        t->detail = cJSON_CreateObject();
    return t->detail;
}

static void tally_sources(const struct guest_counts *counts, const struct guest_facts *facts, struct tally *tallies) {
    for (size_t i = 0; i < guest_source_count; i++) {
        const struct guest_source *s = &guest_sources[i];
        if (facts->lost[i] && s->cause != CAUSE_COUNT)
            tallies[s->cause].why = "a tracepoint that counts it could not be attached again";
        if (!facts->attached[i] || s->event == EVENT_MSR_DEADLINE)
            continue;
        if (s->cause != CAUSE_COUNT) {
            tallies[s->cause].seen = true;
            tallies[s->cause].count += counts->events[s->event];
        }
        if (s->detail_of != CAUSE_COUNT && counts->events[s->event])
            json_add_u64(detail_of(&tallies[s->detail_of]), s->tracepoint, counts->events[s->event]);
    }
}

static void tally_registers(const struct guest_counts *counts, struct tally *tallies) {
    static const enum cause by_register[] = {CAUSE_EXIT_TIMER, CAUSE_EXIT_IPI, CAUSE_EXIT_MSR};
    for (size_t i = 0; i < ARRAY_LEN(by_register); i++)
        tallies[by_register[i]].seen = true;
    for (size_t i = 0; i < counts->msr_count; i++) {
        const struct msr_slot *slot = &counts->msrs[i];
        enum cause cause = msr_cause(slot->msr);
        char key[64];
        const char *name = msr_name(slot->msr);
        snprintf(key, sizeof key, "msr_0x%x%s%s", slot->msr, name ? "_" : "", name ? name : "");
        // Registers that pass are told with exit.msr, and not counted.
        struct tally *t = &tallies[cause == CAUSE_COUNT ? CAUSE_EXIT_MSR : cause];
        t->seen = true;
        t->count += cause == CAUSE_COUNT ? 0 : slot->count;
        cJSON *where = detail_of(t);
        if (cause == CAUSE_COUNT) {
            cJSON *passed = cJSON_GetObjectItemCaseSensitive(where, "no_exit");
            where = passed ? passed : cJSON_AddObjectToObject(where, "no_exit");
        }
        json_add_u64(where, key, slot->count);
    }
    tallies[CAUSE_EXIT_MSR].count += counts->events[EVENT_MSR_OVERFLOW];
    if (counts->events[EVENT_MSR_OVERFLOW])
        json_add_u64(detail_of(&tallies[CAUSE_EXIT_MSR]), "other_registers", counts->events[EVENT_MSR_OVERFLOW]);
}

static uint64_t writes_for(const struct guest_counts *counts, enum cause cause) {
    uint64_t sum = 0;
    for (size_t i = 0; i < counts->msr_count; i++)
        sum += msr_cause(counts->msrs[i].msr) == cause ? counts->msrs[i].count : 0;
    return sum;
}

static bool has_synthetic_timer(const struct guest_counts *counts) {
    for (size_t i = 0; i < counts->msr_count; i++)
        if (counts->msrs[i].msr >= MSR_HV_STIMER_FIRST && counts->msrs[i].msr <= MSR_HV_STIMER_LAST)
            return true;
    return false;
}

void guest_find_blind_spots(const struct guest_counts *since_attach, unsigned armed, struct guest_facts *facts) {
    enum { ENOUGH = 20 }; // a few are left over from before the programs were attached
    const uint64_t *e = since_attach->events;
    uint64_t arrived = e[EVENT_RESCHEDULE] + e[EVENT_CALL_FUNCTION] + e[EVENT_CALL_FUNCTION_SINGLE];
    uint64_t sent = writes_for(since_attach, CAUSE_EXIT_IPI) + e[EVENT_IPI_RAISE] + e[EVENT_HYPERV_IPI_ONE] +
                    e[EVENT_HYPERV_IPI_MASK];
    // Timers that fire through another interrupt (Xen's event channels) are no local_timer.
    bool timers = e[EVENT_LOCAL_TIMER] >= ENOUGH || armed >= ENOUGH;
    facts->blind_timer = timers && writes_for(since_attach, CAUSE_EXIT_TIMER) == 0;
    facts->blind_ipi = arrived >= ENOUGH && sent == 0;
    facts->doubtful_ipi = arrived > 0 && sent == 0;
    facts->blind_irq = has_synthetic_timer(since_attach);
}

// Run-queue delay is time in which the job could have run and did not, because something else had its CPU.
static void report_ended_wait(const struct guest_counts *counts, struct collector_output *out) {
    struct observation o = {
        .cause = CAUSE_GUEST_THREADS,
        .scope = SCOPE_CPU,
        .basis = BASIS_TIMED,
        .seconds = (double)counts->ended_wait_ns * 1e-9,
    };
    observations_add(out->obs, o);
}

static void report_tally(const struct guest_facts *facts, enum cause cause, struct tally *t,
                         struct collector_output *out) {
    struct observation o = {
        .cause = cause, .scope = SCOPE_CPU, .basis = BASIS_COUNTED, .count = t->count, .detail = detail_of(t)};
    price(facts, &o);
    if (!t->why) {
        observations_add(out->obs, o);
        return;
    }
    observations_untold(out->obs, (struct untold){cause, SCOPE_CPU, o.basis, (char *)t->why}); // copied
    cJSON_Delete(o.detail);
}

void guest_counts_report(const struct guest_counts *counts, const struct guest_facts *facts,
                         struct collector_output *out) {
    struct tally tallies[CAUSE_COUNT] = {{0}};
    tally_sources(counts, facts, tallies);
    for (size_t i = 0; i < guest_source_count; i++) {
        if (facts->attached[i] && guest_sources[i].event == EVENT_MSR_DEADLINE)
            tally_registers(counts, tallies);
    }
    if (facts->blind_timer)
        tallies[CAUSE_EXIT_TIMER].why = "timers are armed without a register write that is traced";
    if (facts->doubtful_ipi)
        tallies[CAUSE_EXIT_IPI].why = "too few IPIs arrived so far to tell whether those that are sent are seen";
    if (facts->blind_ipi)
        tallies[CAUSE_EXIT_IPI].why =
            "IPIs arrive, but none is seen being sent (a memory-mapped APIC, or IPIs by "
            "hypercall)";
    if (facts->blind_irq)
        tallies[CAUSE_EXIT_IRQ].why = "Hyper-V's timer interrupts have no tracepoint";
    for (int cause = 0; cause < CAUSE_COUNT; cause++) {
        struct tally *t = &tallies[cause];
        if (t->seen || t->why)
            report_tally(facts, (enum cause)cause, t, out);
        else
            cJSON_Delete(t->detail);
    }
    if (facts->tells_jobs_apart && counts->ended_wait_ns)
        report_ended_wait(counts, out);
}
