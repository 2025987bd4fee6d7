// SPDX-License-Identifier: Apache-2.0
// From what each device did to observations. See io_path.h.
#include "collectors/io_path.h"

#include "core/hist.h"
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

static void add_arrivals(struct io_arrivals *into, const struct io_arrivals *from) {
    into->count += from->count;
    into->ns += from->ns;
    into->ready += from->ready;
    into->ready_ns += from->ready_ns;
}

static void add_row(struct io_row *into, const struct io_row *from) {
    into->requests += from->requests;
    into->own += from->own;
    into->timed += from->timed;
    into->ns += from->ns;
    into->bytes += from->bytes;
    into->remote += from->remote;
    into->waits += from->waits;
    into->blocked_ns += from->blocked_ns;
    into->polls += from->polls;
    into->polled += from->polled;
    into->submits += from->submits;
    into->submit_ns += from->submit_ns;
    into->queued += from->queued;
    into->queue_ns += from->queue_ns;
    into->wakes += from->wakes;
    into->wake_ns += from->wake_ns;
    add_arrivals(&into->endings, &from->endings);
    add_arrivals(&into->received, &from->received);
    for (int i = 0; i < IO_HIST; i++)
        into->hist[i] += from->hist[i];
}

void io_sum(const struct io_targets *targets, const struct io_cpu *cpus, size_t cpu_count, struct io_use *uses) {
    for (size_t cpu = 0; cpu < cpu_count; cpu++)
        for (size_t i = 0; i < targets->count; i++)
            add_row(&uses[i].row, &cpus[cpu].rows[i]);
}

// --- interrupts -----------------------------------------------------------------------------------------------------

static void add_interrupt(const struct interrupt *from, const struct interrupt *to, size_t columns, bool *at,
                          struct io_use *use) {
    use->interrupts_known = true;
    use->interrupts += to->count - from->count;
    for (size_t cpu = 0; cpu < columns; cpu++)
        at[cpu] |= to->by_cpu[cpu] > from->by_cpu[cpu];
}

void io_count_interrupts(const struct io_targets *targets, const struct interrupts *from, const struct interrupts *to,
                         struct io_use *uses) {
    bool at[CPU_SETSIZE];
    size_t columns = to->columns < CPU_SETSIZE ? to->columns : CPU_SETSIZE;
    for (size_t i = 0; i < targets->count && from->columns == to->columns; i++) {
        memset(at, 0, sizeof at);
        for (size_t k = 0; k < to->count; k++) {
            const struct interrupt *now = &to->items[k];
            const struct interrupt *before = interrupts_find(from, now->number);
            if (before && now->count >= before->count &&
                io_target_has_interrupt(&targets->items[i], now->number, now->name))
                add_interrupt(before, now, columns, at, &uses[i]);
        }
        for (size_t cpu = 0; cpu < columns; cpu++)
            uses[i].interrupt_cpus += at[cpu];
    }
}

// --- notifications --------------------------------------------------------------------------------------------------

void io_learn_channels(struct io_targets *targets, const struct io_channel *channels, const struct interrupts *now) {
    for (size_t i = 0; i < now->count; i++) {
        unsigned number = now->items[i].number;
        unsigned device = number < IO_IRQS ? channels[number].device : 0;
        bool learned = device && device <= targets->count && targets->items[device - 1].kick == KICK_XEN;
        if (learned && strncmp(now->items[i].name, "blkif", strlen("blkif")) == 0)
            targets->items[device - 1].irqs[number] = true;
    }
}

// The last part of a channel's name where each direction has its own: "eth0-q0-rx".
static bool ends_with(const char *name, const char *role) {
    size_t length = strlen(name);
    return length > strlen(role) && strcmp(name + length - strlen(role), role) == 0;
}

static bool only_sends(const char *name) {
    return ends_with(name, "-tx");
}

// Of what a network interface has told Dom0 there, the next event is no answer: it brings a packet, whenever one comes.
static bool only_receives(const char *name) {
    return ends_with(name, "-rx");
}

void io_tell_channels(const struct io_targets *targets, struct io_channel *channels, const struct interrupts *now) {
    for (size_t i = 0; i < targets->count; i++)
        for (size_t k = 0; k < now->count && targets->items[i].vif != IO_NO_VIF; k++) {
            unsigned number = now->items[k].number;
            const char *name = now->items[k].name;
            if (number >= IO_IRQS || !io_target_has_interrupt(&targets->items[i], number, name))
                continue;
            if (!only_receives(name))
                channels[number].device = (unsigned)i + 1;
            if (!only_sends(name))
                channels[number].receiver = (unsigned)i + 1;
        }
}

static void add_channels(const struct io_target *target, const struct io_channel *channels,
                         const struct interrupts *now, struct io_use *use) {
    for (size_t i = 0; i < now->count; i++) {
        unsigned number = now->items[i].number;
        if (number >= IO_IRQS || !io_target_has_interrupt(target, number, now->items[i].name))
            continue;
        use->kicks += channels[number].kicks;
        if (only_receives(now->items[i].name))
            continue;
        use->answered += channels[number].answered;
        use->answer_ns += channels[number].ns;
    }
}

void io_count_kicks(const struct io_targets *targets, const struct io_cpu *cpus, size_t cpu_count,
                    const struct io_channel *channels, const struct interrupts *now, const bool seen[KICK_COUNT],
                    struct io_use *uses) {
    for (size_t i = 0; i < targets->count; i++) {
        const struct io_target *target = &targets->items[i];
        uses[i].kicks_known = target->kick == KICK_NONE || seen[target->kick];
        for (size_t cpu = 0; cpu < cpu_count && target->kick == KICK_VIRTIO; cpu++)
            uses[i].kicks += cpus[cpu].kicks[target->virtio];
        if (target->kick == KICK_XEN)
            add_channels(target, channels, now, &uses[i]);
    }
}

// --- observations ---------------------------------------------------------------------------------------------------

// What ended without its beginning having been seen took as long as the others.
static double request_seconds(const struct io_row *row) {
    return row->timed ? (double)row->ns * 1e-9 * (double)row->requests / (double)row->timed : 0;
}

static void add_hist(struct hist *into, const struct io_row *row) {
    for (int i = 0; i < IO_HIST; i++)
        into->count[i] += row->hist[i];
}

static cJSON *add_device(cJSON *list, const struct io_target *target) {
    cJSON *device = cJSON_CreateObject();
    json_add_string(device, "device", target->name);
    cJSON_AddItemToArray(list, device);
    return device;
}

static void add_mean(cJSON *device, const char *key, uint64_t ns, uint64_t count) {
    if (count)
        json_add_double(device, key, (double)ns / (double)count * 1e-9);
}

static void describe(cJSON *list, const struct io_target *target, const struct io_use *use) {
    const struct io_row *row = &use->row;
    struct hist hist = {{0}};
    cJSON *device = add_device(list, target);
    json_add_string(device, "resource", target->nic ? "nic" : "disk");
    json_add_string(device, "path", target->path);
    json_add_string(device, "via", target->via);
    json_add_string(device, "driver", target->driver);
    if (target->vif != IO_NO_VIF) { // as Dom0 calls it
        char *name = mem_printf("vif-%u", target->vif);
        json_add_string(device, "xenbus", name);
        free(name);
    }
    json_add_u64(device, "requests", row->requests);
    json_add_u64(device, "own", row->own);
    json_add_u64(device, "timed", row->timed);
    json_add_double(device, "seconds", request_seconds(row));
    json_add_u64(device, "bytes", row->bytes);
    if (use->kicks_known)
        json_add_u64(device, "kicks", use->kicks);
    if (use->interrupts_known) {
        json_add_u64(device, "interrupts", use->interrupts);
        json_add_u64(device, "interrupt_cpus", use->interrupt_cpus);
    }
    json_add_u64(device, "remote", row->remote);
    if (target->queues)
        json_add_u64(device, "queues", target->queues);
    add_mean(device, "queue_s", row->queue_ns, row->queued);
    add_mean(device, "notify_to_event_s", use->answer_ns, use->answered);
    add_mean(device, "submit_s", row->submit_ns, row->submits);
    add_mean(device, "cpu_wait_s", row->endings.ready_ns, row->endings.ready);
    add_mean(device, "complete_s", row->endings.ns, row->endings.count);
    add_mean(device, "wake_s", row->wake_ns, row->wakes);
    if (target->nic) {
        json_add_u64(device, "polls", row->polls);
        json_add_u64(device, "polled", row->polled);
        add_mean(device, "receive_cpu_wait_s", row->received.ready_ns, row->received.ready);
        add_mean(device, "receive_complete_s", row->received.ns, row->received.count);
    }
    add_hist(&hist, row);
    cJSON_AddItemToObject(device, "hist_ns", hist_to_json(&hist));
}

static struct observation begin(enum cause cause, enum obs_scope scope, cJSON **devices) {
    struct observation o = {.cause = cause, .scope = scope, .basis = BASIS_TIMED, .detail = cJSON_CreateObject()};
    // A hop's wait holds the device's own time, which bare metal waits for, too.
    if (scope == SCOPE_BLOCKED && cause_info(cause)->family == FAMILY_HOP)
        cJSON_AddTrueToObject(o.detail, "upper_bound");
    *devices = cJSON_AddArrayToObject(o.detail, "devices");
    return o;
}

// True if a device's requests cost time that is not known: none of them was seen whole.
static bool untimed(const struct io_targets *targets, const struct io_use *uses, enum cause cause) {
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i].cause == cause && uses[i].row.requests && !uses[i].row.timed)
            return true;
    return false;
}

static void report_latency(const struct io_targets *targets, const struct io_use *uses, enum cause cause,
                           struct collector_output *out) {
    cJSON *devices;
    struct observation o = begin(cause, SCOPE_LATENCY, &devices);
    for (size_t i = 0; i < targets->count; i++) {
        if (targets->items[i].cause != cause)
            continue;
        o.count += uses[i].row.requests;
        o.seconds += request_seconds(&uses[i].row);
        add_hist(&o.hist, &uses[i].row);
        describe(devices, &targets->items[i], &uses[i]);
    }
    o.has_hist = hist_total(&o.hist) > 0;
    if (o.count && untimed(targets, uses, cause)) // the devices' counts are known all the same
        observations_untold(out->obs, (struct untold){cause, SCOPE_LATENCY, BASIS_TIMED,
                                                      "requests ended of which no beginning was seen"});
    if (o.count)
        observations_add(out->obs, o);
    else
        cJSON_Delete(o.detail);
}

static void report_blocked(const struct io_targets *targets, const struct io_use *uses, enum cause cause,
                           struct collector_output *out) {
    cJSON *devices;
    struct observation o = begin(cause, SCOPE_BLOCKED, &devices);
    for (size_t i = 0; i < targets->count; i++) {
        const struct io_row *row = &uses[i].row;
        if (targets->items[i].cause != cause || targets->items[i].nic)
            continue;
        cJSON *device = add_device(devices, &targets->items[i]);
        json_add_u64(device, "waits", row->waits);
        json_add_double(device, "seconds", (double)row->blocked_ns * 1e-9);
        o.count += row->waits;
        o.seconds += (double)row->blocked_ns * 1e-9;
    }
    if (cJSON_GetArraySize(devices))
        observations_add(out->obs, o);
    else
        cJSON_Delete(o.detail);
}

void io_path_report(const struct io_targets *targets, const struct io_use *uses, struct collector_output *out) {
    for (int cause = 0; cause < CAUSE_COUNT; cause++) {
        bool has = false;
        for (size_t i = 0; i < targets->count; i++)
            has |= (int)targets->items[i].cause == cause;
        if (!has)
            continue;
        report_latency(targets, uses, (enum cause)cause, out);
        report_blocked(targets, uses, (enum cause)cause, out);
    }
}
