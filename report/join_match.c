// SPDX-License-Identifier: Apache-2.0
// Which virtual machine of a host a guest is, and how both counters relate; see the header. May include: core, report.
#include "report/join_match.h"

#include <math.h>
#include <string.h>

#define KNOCK_BEFORE_S    5.0  // a sample's knock comes at most so long before it: set-up of collectors
#define EARLY_KNOCK_SLACK 1e-3 // seconds

// The guest's counter, ticks per second, by any sample: good enough for how long ago a knock was. NaN without one.
static double clock_hz(const struct dataset *guest) {
    for (size_t i = 0; i < guest->case_count; i++)
        for (int mode = 0; mode < MODE_COUNT; mode++)
            for (size_t p = 0; p < guest->cases[i].mode[mode].count; p++) {
                const struct point *point = &guest->cases[i].mode[mode].point[p];
                if (point->end_tsc > point->start_tsc && point->wall_s > 0)
                    return (double)(point->end_tsc - point->start_tsc) / point->wall_s;
            }
    return NAN;
}

// The last knock at or before a moment of the guest's counter, if it is not too old. NULL if there is none.
static const struct host_knock *knock_before(const struct join_match *m, uint64_t guest_tsc) {
    const struct host_knock *best = NULL;
    double latest = (double)guest_tsc + EARLY_KNOCK_SLACK * m->hz;
    for (size_t i = 0; i < m->vm->knock_count; i++) {
        const struct host_knock *k = &m->vm->knocks[i];
        double age = (double)guest_tsc - (double)k->guest_tsc;
        if ((double)k->guest_tsc <= latest && age <= KNOCK_BEFORE_S * m->hz &&
            (!best || k->guest_tsc > best->guest_tsc))
            best = k;
    }
    return best;
}

size_t join_count_points(const struct dataset *guest) {
    size_t count = 0;
    for (size_t i = 0; i < guest->case_count; i++)
        for (int mode = 0; mode < MODE_COUNT; mode++)
            for (size_t p = 0; p < guest->cases[i].mode[mode].count; p++)
                count += guest->cases[i].mode[mode].point[p].end_tsc != 0;
    return count;
}

static size_t count_knocks(const struct dataset *guest, const struct join_match *m) {
    size_t count = 0;
    for (size_t i = 0; i < guest->case_count; i++)
        for (int mode = 0; mode < MODE_COUNT; mode++)
            for (size_t p = 0; p < guest->cases[i].mode[mode].count; p++) {
                const struct point *point = &guest->cases[i].mode[mode].point[p];
                count += point->end_tsc != 0 && knock_before(m, point->start_tsc) != NULL;
            }
    return count;
}

// The rate between both counters: from knocks far apart, else as KVM tells it, else one.
static double rate(const struct host_vm *vm) {
    if (vm->knock_count >= 2) {
        const struct host_knock *a = &vm->knocks[0];
        const struct host_knock *b = &vm->knocks[vm->knock_count - 1];
        double guest = (double)b->guest_tsc - (double)a->guest_tsc;
        double host = (double)b->host_tsc - (double)a->host_tsc;
        double error = (double)a->error_tsc + (double)b->error_tsc;
        if (guest > 0 && host > 0 && error < 1e-3 * host)
            return guest / host;
    }
    return vm->ratio;
}

static struct join_match try_vm(const struct dataset *guest, const struct host_journal *host,
                                const struct host_vm *vm) {
    struct join_match m = {.host = host, .vm = vm, .hz = clock_hz(guest), .ratio = rate(vm)};
    m.knocks = count_knocks(guest, &m);
    return m;
}

static bool named_alike(const struct dataset *guest, const struct host_vm *vm) {
    return *vm->name && (strcmp(vm->name, guest->host) == 0 || strcmp(vm->name, guest->label) == 0);
}

bool join_find_match(const struct dataset *guest, const struct host_journal *hosts, size_t host_count,
                     struct join_match *out) {
    size_t with_offset = 0;
    size_t named = 0;
    *out = (struct join_match){0};
    struct join_match by_offset = {0};
    struct join_match by_name = {0};
    for (size_t h = 0; h < host_count; h++)
        for (size_t v = 0; v < hosts[h].vm_count; v++) {
            struct join_match m = try_vm(guest, &hosts[h], &hosts[h].vms[v]);
            if (m.knocks > out->knocks)
                *out = m;
            if (!m.vm->has_offset)
                continue;
            with_offset++;
            by_offset = m;
            if (named_alike(guest, m.vm)) {
                named++;
                by_name = m;
            }
        }
    if (out->knocks)
        return true;
    if (named == 1)
        *out = by_name;
    else if (with_offset == 1)
        *out = by_offset;
    return out->vm != NULL;
}

double join_host_time(const struct join_match *m, uint64_t guest_tsc) {
    const struct host_knock *k = knock_before(m, guest_tsc);
    if (!k && m->knocks) { // in a run with knocks: the nearest one serves
        for (size_t i = 0; i < m->vm->knock_count; i++)
            if (!k || fabs((double)m->vm->knocks[i].guest_tsc - (double)guest_tsc) <
                          fabs((double)k->guest_tsc - (double)guest_tsc))
                k = &m->vm->knocks[i];
    }
    if (k)
        return (double)k->host_tsc + ((double)guest_tsc - (double)k->guest_tsc) / m->ratio;
    return ((double)guest_tsc - m->vm->offset) / m->ratio;
}
