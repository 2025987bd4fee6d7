// SPDX-License-Identifier: Apache-2.0
// What a host's journal line says of the exits between two readings. See host_line.h.
#include "collectors/host_line.h"

#include "collectors/exit_reasons.h"
#include "core/memory.h"
#include "core/observation.h"

#include <math.h>
#include <stdlib.h>

#define PLACES_TOLD 6 // costliest ports, addresses and registers of a window
#define NS_PER_S    1e9

// --- one cause of one vCPU ------------------------------------------------------------------------------------------

static void subtract_row(const struct kvm_row *before, const struct kvm_row *now, struct kvm_row *out) {
    *out = (struct kvm_row){.code = now->code,
                            .kind = now->kind,
                            .count = now->count - before->count,
                            .untimed = now->untimed - before->untimed,
                            .ns = now->ns - before->ns,
                            .steal_ns = now->steal_ns - before->steal_ns,
                            .halted_ns = now->halted_ns - before->halted_ns,
                            .user_ns = now->user_ns - before->user_ns};
    for (int i = 0; i < KVM_HIST_BUCKETS; i++)
        out->hist[i] = now->hist[i] - before->hist[i];
}

static void add_seconds(cJSON *object, const char *key, uint64_t ns) {
    if (ns)
        json_add_double(object, key, (double)ns / NS_PER_S);
}

static void add_reason(struct observation *o, const struct kvm_row *row, enum exit_isa isa, bool overflow) {
    char name[64] = "no row was left for it";
    cJSON *reasons = cJSON_GetObjectItemCaseSensitive(o->detail, "reasons");
    cJSON *reason = cJSON_CreateObject();
    if (!overflow)
        exit_reason_name(isa, row->code, name, sizeof name);
    json_add_string(reason, "reason", name);
    if (!overflow)
        json_add_u64(reason, "code", row->code);
    json_add_u64(reason, "count", row->count);
    json_add_double(reason, "seconds", (double)row->ns / NS_PER_S);
    if (row->untimed)
        json_add_u64(reason, "untimed", row->untimed);
    add_seconds(reason, "monitor_s", row->user_ns);
    add_seconds(reason, "stolen_s", row->steal_ns);
    add_seconds(reason, "halted_s", row->halted_ns);
    cJSON_AddItemToArray(reasons, reason);
}

static void add_row(struct observation *all, const struct kvm_row *row, enum exit_isa isa, bool overflow) {
    enum cause cause = overflow ? CAUSE_EXIT_OTHER : exit_reason_cause(isa, row->code, (enum kvm_kind)row->kind);
    struct observation *o = &all[cause];
    if (!o->detail) {
        *o = (struct observation){.cause = cause, .scope = SCOPE_CPU, .basis = BASIS_TIMED, .has_hist = true};
        o->detail = cJSON_CreateObject();
        cJSON_AddArrayToObject(o->detail, "reasons");
    }
    o->count += row->count;
    o->seconds += (double)row->ns / NS_PER_S;
    for (int i = 0; i < KVM_HIST_BUCKETS; i++)
        o->hist.count[i] += row->hist[i];
    add_reason(o, row, isa, overflow);
}

static double ticks_per_s(const struct host_span *span) {
    const struct host_moment *from = span->from;
    const struct host_moment *to = span->to;
    return to->ns > from->ns ? (double)(to->tsc - from->tsc) / ((double)(to->ns - from->ns) / NS_PER_S) : 0;
}

double host_line_early_s(const struct host_span *span) {
    uint64_t ticks = span->now->early_ticks - span->before->early_ticks;
    double rate = ticks_per_s(span);
    return rate > 0 ? (double)ticks / rate : 0;
}

// KVM's waiting for the moment of a timer that it fired early: no exit of its own, but time that a timer takes.
static void add_early(struct observation *all, const struct host_span *span) {
    struct observation *o = &all[CAUSE_EXIT_TIMER];
    double seconds = host_line_early_s(span);
    if (!(seconds > 0))
        return;
    if (!o->detail) {
        *o = (struct observation){.cause = CAUSE_EXIT_TIMER, .scope = SCOPE_CPU, .basis = BASIS_TIMED};
        o->detail = cJSON_CreateObject();
        cJSON_AddArrayToObject(o->detail, "reasons");
    }
    o->seconds += seconds;
    json_add_u64(o->detail, "early", span->now->earlies - span->before->earlies);
    json_add_double(o->detail, "early_s", seconds);
}

// Behind a halt it is latency, as the guest tells the steal of its idle CPUs (collectors/steal.c): nothing that could
// run was kept from running before the wake-up.
static void add_steal(cJSON *list, const struct kvm_vcpu_state *before, const struct kvm_vcpu_state *now) {
    uint64_t wakes = now->wakes - before->wakes;
    uint64_t wake_ns = now->wake_ns - before->wake_ns;
    struct observation o = {.cause = CAUSE_HOST_STEAL,
                            .scope = SCOPE_CPU,
                            .basis = BASIS_TIMED,
                            .count = now->steals - before->steals - wakes,
                            .seconds = (double)(now->steal_ns - before->steal_ns - wake_ns) / NS_PER_S};
    if (o.count)
        cJSON_AddItemToArray(list, observation_to_json(&o));
    if (wakes == 0)
        return;
    o.scope = SCOPE_LATENCY;
    o.count = wakes;
    o.seconds = (double)wake_ns / NS_PER_S;
    o.detail = cJSON_CreateObject();
    cJSON_AddTrueToObject(o.detail, "idle");
    cJSON_AddItemToArray(list, observation_to_json(&o));
    cJSON_Delete(o.detail);
}

// Where kvm_exit never fires, accesses are only counted.
static void add_counted(cJSON *list, const struct kvm_vcpu_state *before, const struct kvm_vcpu_state *now) {
    static const enum cause causes[] = {
        [KVM_PLACE_PORT] = CAUSE_EXIT_PIO, [KVM_PLACE_MMIO] = CAUSE_EXIT_MMIO, [KVM_PLACE_MSR] = CAUSE_EXIT_MSR};
    for (size_t type = KVM_PLACE_PORT; now->since == 0 && type < ARRAY_LEN(causes); type++) {
        struct observation o = {.cause = causes[type],
                                .scope = SCOPE_CPU,
                                .basis = BASIS_COUNTED,
                                .count = now->accesses[type] - before->accesses[type]};
        if (o.count)
            cJSON_AddItemToArray(list, observation_to_json(&o));
    }
}

cJSON *host_line_observations(const struct host_span *span, struct host_tally *tally) {
    const struct kvm_vcpu_state *before = span->before;
    const struct kvm_vcpu_state *now = span->now;
    struct observation all[CAUSE_COUNT] = {0};
    cJSON *list = cJSON_CreateArray();
    for (unsigned i = 0; i < now->rows_used && i < KVM_ROWS; i++) {
        struct kvm_row row;
        subtract_row(&before->rows[i], &now->rows[i], &row);
        if (row.count == 0)
            continue;
        add_row(all, &row, (enum exit_isa)now->isa, i == 0);
        tally->exits += row.count;
        tally->untimed += row.untimed;
        tally->row_overflow += i == 0 ? row.count : 0;
    }
    add_early(all, span);
    for (int i = 0; i < CAUSE_COUNT; i++) {
        if (!all[i].detail)
            continue;
        cJSON_AddItemToArray(list, observation_to_json(&all[i]));
        cJSON_Delete(all[i].detail);
    }
    add_steal(list, before, now);
    add_counted(list, before, now);
    return list;
}

// --- the rest of a line ---------------------------------------------------------------------------------------------

// What an access has grown by. Another one may have had its place before.
static struct kvm_place grown_place(const struct kvm_vcpu_state *before, const struct kvm_vcpu_state *now, size_t i) {
    const struct kvm_place *old = &before->places[i];
    struct kvm_place grown = now->places[i];
    if (old->key == grown.key && old->count <= grown.count) {
        grown.count -= old->count;
        grown.ns -= old->ns;
    }
    return grown;
}

static void add_places(cJSON *line, const struct kvm_vcpu_state *before, const struct kvm_vcpu_state *now) {
    static const char *const types[] = {
        [KVM_PLACE_PORT] = "port", [KVM_PLACE_MMIO] = "address", [KVM_PLACE_MSR] = "msr"};
    bool told[KVM_PLACES] = {false};
    cJSON *list = NULL;
    for (int n = 0; n < PLACES_TOLD; n++) {
        size_t best = KVM_PLACES;
        uint64_t most = 0; // by time, then by count
        for (size_t i = 0; i < KVM_PLACES; i++) {
            struct kvm_place place = grown_place(before, now, i);
            uint64_t weight = place.ns + place.count;
            if (!told[i] && weight > most) {
                most = weight;
                best = i;
            }
        }
        if (best == KVM_PLACES)
            break;
        told[best] = true;
        struct kvm_place place = grown_place(before, now, best);
        uint64_t type = place.key >> 60;
        if (type >= ARRAY_LEN(types) || !types[type])
            continue;
        char *address = mem_printf("0x%lx", (unsigned long)(place.key & ((1ULL << 59) - 1)));
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, types[type], address);
        cJSON_AddBoolToObject(item, "write", (place.key >> 59) & 1);
        json_add_u64(item, "count", place.count);
        json_add_double(item, "seconds", (double)place.ns / NS_PER_S);
        list = list ? list : cJSON_AddArrayToObject(line, "places");
        cJSON_AddItemToArray(list, item);
        free(address);
    }
}

static void add_monitor(cJSON *line, const struct kvm_vcpu_state *before, const struct kvm_vcpu_state *now,
                        struct host_tally *tally) {
    cJSON *list = NULL;
    for (unsigned i = 0; i < KVM_USER_REASONS; i++) {
        uint64_t count = now->user[i].count - before->user[i].count;
        if (!count)
            continue;
        char name[32];
        cJSON *item = cJSON_CreateObject();
        exit_user_reason_name(i, name, sizeof name);
        json_add_string(item, "reason", name);
        json_add_u64(item, "count", count);
        json_add_double(item, "seconds", (double)(now->user[i].ns - before->user[i].ns) / NS_PER_S);
        list = list ? list : cJSON_AddArrayToObject(line, "monitor");
        cJSON_AddItemToArray(list, item);
        tally->user_exits += count;
    }
}

static void add_halts(cJSON *line, const struct kvm_vcpu_state *before, const struct kvm_vcpu_state *now) {
    uint64_t polled = now->halts_polled - before->halts_polled;
    uint64_t waited = now->halts_waited - before->halts_waited;
    if (!polled && !waited)
        return;
    cJSON *halts = cJSON_AddObjectToObject(line, "halts");
    json_add_u64(halts, "polled", polled);
    json_add_u64(halts, "slept", waited);
    json_add_u64(halts, "window_grown", now->polls_grown - before->polls_grown);
    json_add_u64(halts, "window_shrunk", now->polls_shrunk - before->polls_shrunk);
    json_add_u64(halts, "window_ns", now->poll_window_ns);
}

// A knock's time by the host's counter, between the two ends of the window.
static void add_knock(cJSON *line, const struct host_span *span) {
    const struct host_moment *to = span->to;
    const struct kvm_knock *knock = &span->now->knock;
    if (knock->count == span->before->knock.count || !(ticks_per_s(span) > 0))
        return;
    double since_end = ((double)knock->ns - (double)to->ns) / NS_PER_S * ticks_per_s(span);
    cJSON *object = cJSON_AddObjectToObject(line, "knock");
    json_add_u64(object, "guest_tsc", ((uint64_t)knock->high << 32 | knock->low) + knock->span / 2);
    json_add_u64(object, "host_tsc", (uint64_t)((int64_t)to->tsc + (int64_t)llround(since_end)));
    json_add_u64(object, "error_tsc", knock->span / 2 + 1);
}

void host_line_rest(const struct host_span *span, cJSON *line, struct host_tally *tally) {
    add_halts(line, span->before, span->now);
    add_monitor(line, span->before, span->now, tally);
    add_places(line, span->before, span->now);
    add_knock(line, span);
    tally->places_lost += span->now->places_lost - span->before->places_lost;
}
