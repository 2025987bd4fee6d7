// SPDX-License-Identifier: Apache-2.0
// Splits a guest's requests by Dom0's record; the header states how. May include: core, report.
#include "report/join_io.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME_COUNTER_S 0.05  // wall clocks further apart than this are not kept together by anybody
#define SHIFT_MOST_S   0.5   // between the wall clocks
#define SHIFT_STEP_S   0.005 //
#define FITS_AS_WELL   0.002 // of all requests
#define COUNTS_DIFFER  0.01  // of the requests: less is the edges of the windows

// From the guest's counter to the host's.
struct clock {
    double guest_at, host_at; // the same moment by both
    double ratio;             // guest's ticks per host's tick
    double hz;                // the host's
    bool same;                // one counter
    double error_s;
};

struct domain {
    const struct host_journal *host;
    const struct host_vm *vm;
    struct clock clock;
};

// --- which domain ---------------------------------------------------------------------------------------------------

static bool named_alike(const struct dataset *guest, const struct host_vm *vm) {
    return *vm->name && (strcmp(vm->name, guest->host) == 0 || strcmp(vm->name, guest->label) == 0);
}

static bool find_domain(const struct dataset *guest, const struct host_journal *hosts, size_t host_count,
                        struct domain *out) {
    struct domain alone = {0};
    size_t named = 0;
    size_t all = 0;
    *out = (struct domain){0};
    for (size_t h = 0; h < host_count; h++)
        for (size_t v = 0; hosts[h].is_dom0 && v < hosts[h].vm_count; v++) {
            alone = (struct domain){.host = &hosts[h], .vm = &hosts[h].vms[v]};
            all++;
            if (!named_alike(guest, alone.vm))
                continue;
            named++;
            *out = alone;
        }
    if (named == 0 && all == 1)
        *out = alone;
    return named == 1 || (named == 0 && all == 1);
}

// --- when -----------------------------------------------------------------------------------------------------------

// The first row that may reach beyond a moment of the host's counter.
static size_t first_row(const struct host_vm *vm, double moment) {
    size_t low = 0;
    size_t high = vm->io.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((double)vm->io.rows[middle].start_tsc + (double)vm->longest > moment)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static double host_time(const struct clock *clock, double guest_tsc, double shift_s) {
    return clock->host_at + (guest_tsc - clock->guest_at) / clock->ratio + shift_s * clock->hz;
}

// A window's share that lies in a sample.
static double share_of(const struct host_io_row *row, double begin, double end) {
    double from = fmax((double)row->start_tsc, begin);
    double to = fmin((double)row->end_tsc, end);
    return to > from ? (to - from) / (double)(row->end_tsc - row->start_tsc) : 0;
}

// How many requests Dom0 answered in a sample: at least those of the windows that lie in it, at most those of all that
// overlap it.
struct range {
    double low, high;
};

static bool is_of(const struct host_io_row *row, const char *key, bool receives) {
    return row->receives == receives && strcmp(row->device, key) == 0;
}

static struct range answers_in(const struct domain *d, const struct io_sample *s, const struct point *point,
                               double shift_s) {
    double begin = host_time(&d->clock, (double)point->start_tsc, shift_s);
    double end = host_time(&d->clock, (double)point->end_tsc, shift_s);
    struct range sum = {0, 0};
    for (size_t i = first_row(d->vm, begin); i < d->vm->io.count; i++) {
        const struct host_io_row *row = &d->vm->io.rows[i];
        if ((double)row->start_tsc >= end)
            break;
        double share = is_of(row, s->key, s->receives) ? share_of(row, begin, end) : 0;
        sum.high += share > 0 ? row->answers : 0;
        sum.low += share >= 1 ? row->answers : 0;
    }
    return sum;
}

static const struct point *find_point(const struct dataset_case *c, enum sample_mode mode, uint64_t seq) {
    const struct series *series = &c->mode[mode];
    for (size_t i = 0; i < series->count; i++)
        if (series->point[i].seq == seq && series->point[i].end_tsc > series->point[i].start_tsc)
            return &series->point[i];
    return NULL;
}

// By how many requests the counts of both sides contradict each other when the host's clock is shifted.
static double misfit(const struct dataset *guest, const struct domain *d, double shift_s, double *all) {
    double sum = 0;
    *all = 0;
    for (size_t i = 0; i < guest->case_count; i++) {
        const struct dataset_case *c = &guest->cases[i];
        for (size_t k = 0; k < c->io.count; k++) {
            const struct io_sample *s = &c->io.items[k];
            const struct point *point = find_point(c, s->mode, s->seq);
            if (!point)
                continue;
            struct range answers = answers_in(d, s, point, shift_s);
            sum += fmax(0, fmax(answers.low - s->requests, s->requests - answers.high));
            *all += s->requests;
        }
    }
    return sum;
}

// The clock stays if the counts allow it, else goes to the middle of the shifts that fit best. How far it could be
// shifted besides is its error.
static void fit_clock(const struct dataset *guest, struct domain *d, double *shifted_s) {
    enum { STEPS = (int)(SHIFT_MOST_S / SHIFT_STEP_S) };
    double all;
    double best = INFINITY;
    double fits[2 * STEPS + 1];
    for (int i = -STEPS; i <= STEPS; i++) {
        fits[i + STEPS] = misfit(guest, d, i * SHIFT_STEP_S, &all);
        best = fmin(best, fits[i + STEPS]);
    }
    double limit = best + FITS_AS_WELL * all;
    int at = 0;
    while (at < STEPS && fits[STEPS + at] > limit && fits[STEPS - at] > limit)
        at++;
    if (fits[STEPS + at] > limit)
        at = -at;
    int low = at;
    int high = at;
    while (low > -STEPS && fits[STEPS + low - 1] <= limit)
        low--;
    while (high < STEPS && fits[STEPS + high + 1] <= limit)
        high++;
    at = at ? (low + high) / 2 : 0;
    *shifted_s = at * SHIFT_STEP_S;
    d->clock.host_at += *shifted_s * d->clock.hz;
    d->clock.error_s = fmax(high - at, at - low) * SHIFT_STEP_S + SHIFT_STEP_S;
}

static bool find_clock(const struct dataset *guest, struct domain *d) {
    const cJSON *clock = cJSON_GetObjectItemCaseSensitive(guest->header, "clock");
    const struct host_clock *host = &d->host->clock;
    uint64_t at_tsc = 0;
    uint64_t at_ns = 0;
    double hz = NAN;
    if (!clock || json_get_ticks(clock, "at_tsc", JSON_OPTIONAL, &at_tsc, NULL) <= 0 ||
        json_get_ticks(clock, "at_unix_ns", JSON_OPTIONAL, &at_ns, NULL) <= 0 ||
        json_get_double(clock, "tsc_hz", JSON_OPTIONAL, &hz, NULL) <= 0 || !(hz > 0) || !(host->hz > 0))
        return false;
    double wall_s = ((double)at_ns - host->unix_ns) * 1e-9;
    d->clock = (struct clock){
        .guest_at = (double)at_tsc, .host_at = host->tsc + wall_s * host->hz, .ratio = hz / host->hz, .hz = host->hz};
    d->clock.same =
        fabs(d->clock.host_at - (double)at_tsc) < SAME_COUNTER_S * host->hz && fabs(d->clock.ratio - 1) < 1e-3;
    if (d->clock.same) {
        d->clock.host_at = (double)at_tsc;
        d->clock.ratio = 1;
    }
    return true;
}

// --- one case -------------------------------------------------------------------------------------------------------

static struct io_split *split_of(struct dataset_case *c, const struct io_sample *s) {
    for (size_t i = 0; i < c->splits.count; i++)
        if (c->splits.items[i].receives == s->receives && strcmp(c->splits.items[i].device, s->device) == 0)
            return &c->splits.items[i];
    struct io_split split = {
        .device = mem_strdup(s->device), .key = mem_strdup(s->key), .nic = s->nic, .receives = s->receives};
    ARRAY_PUSH(c->splits.items, c->splits.count, c->splits.capacity, split);
    return &c->splits.items[c->splits.count - 1];
}

// Adds what Dom0 saw of a device in a sample: sums, until finish() makes means of them.
static void add_host(const struct domain *d, struct io_split *split, const struct point *point) {
    double begin = host_time(&d->clock, (double)point->start_tsc, 0);
    double end = host_time(&d->clock, (double)point->end_tsc, 0);
    for (size_t i = first_row(d->vm, begin); i < d->vm->io.count; i++) {
        const struct host_io_row *row = &d->vm->io.rows[i];
        if ((double)row->start_tsc >= end)
            break;
        double share = is_of(row, split->key, split->receives) ? share_of(row, begin, end) : 0;
        if (share <= 0)
            continue;
        if (!split->backend)
            split->backend = mem_strdup(row->backend);
        split->timed += share * row->requests;
        split->answers += share * row->answers;
        split->unannounced += share * row->unannounced;
        split->disk_requests += share * row->disk_requests;
        split->disk_s += share * row->disk_s;
        for (int s = 0; s < IO_SEGMENTS; s++)
            split->segment_s[s] += share * row->segment_s[s];
    }
}

static void finish(struct io_split *split) {
    for (int s = 0; s < IO_SEGMENTS; s++)
        split->segment_s[s] = split->timed > 0 ? split->segment_s[s] / split->timed : NAN;
    for (int part = 0; part < GUEST_PARTS; part++)
        split->part_s[part] = split->requests > 0 ? split->part_s[part] / split->requests : 0;
    split->disk_s = split->disk_requests > 0 ? split->disk_s / split->disk_requests : NAN;
    split->whole_s = split->requests > 0 ? split->whole_s / split->requests : NAN;
    split->rest_s = split->whole_s - io_split_timed_s(split);
    if (!split->backend)
        split->backend = mem_strdup("");
}

// A device of which Dom0 timed nothing is not split.
static void finish_case(struct dataset *guest, struct dataset_case *c) {
    size_t kept = 0;
    for (size_t i = 0; i < c->splits.count; i++) {
        struct io_split *split = &c->splits.items[i];
        finish(split);
        if (split->timed > 0) {
            c->splits.items[kept++] = *split;
            continue;
        }
        dataset_add_note(guest, true, "%s: %s: Dom0 timed none of its %.0f %s", c->name, split->device, split->requests,
                         split->receives ? "received packets"
                         : split->nic    ? "packets"
                                         : "requests (is its disk served by a process?)");
        io_split_free(split);
    }
    c->splits.count = kept;
}

static bool covered(const struct domain *d, const struct point *point) {
    const struct host_vm *vm = d->vm;
    return vm->window_count && host_time(&d->clock, (double)point->start_tsc, 0) >= (double)vm->windows[0].start_tsc &&
           host_time(&d->clock, (double)point->end_tsc, 0) <= (double)vm->windows[vm->window_count - 1].end_tsc;
}

static void split_case(struct dataset *guest, struct dataset_case *c, const struct domain *d) {
    size_t outside = 0;
    for (size_t i = 0; i < c->io.count; i++) {
        const struct io_sample *s = &c->io.items[i];
        const struct point *point = find_point(c, s->mode, s->seq);
        if (s->requests <= 0 || !point)
            continue;
        if (!covered(d, point)) {
            outside++;
            continue;
        }
        struct io_split *split = split_of(c, s);
        split->samples++;
        split->requests += s->requests;
        split->whole_s += s->seconds;
        for (int part = 0; part < GUEST_PARTS; part++)
            split->part_s[part] += s->part_s[part];
        split->blocked_s += s->blocked_s;
        struct range answers = answers_in(d, s, point, 0);
        split->answers_low += answers.low;
        split->answers_high += answers.high;
        add_host(d, split, point);
    }
    finish_case(guest, c);
    if (outside)
        dataset_add_note(guest, true,
                         "%s: Dom0's windows do not cover %zu of its samples: their requests are not split", c->name,
                         outside);
}

static void compare_counts(struct dataset *guest, const struct dataset_case *c) {
    for (size_t i = 0; i < c->splits.count; i++) {
        const struct io_split *split = &c->splits.items[i];
        double gap = fmax(split->answers_low - split->requests, split->requests - split->answers_high);
        if (gap > 1 && gap > COUNTS_DIFFER * split->requests)
            dataset_add_note(guest, true,
                             "%s: %s: the guest completed %.0f requests, Dom0 answered %.0f: the guest's driver splits "
                             "or joins them, or the clocks of both sides do not fit",
                             c->name, split->device, split->requests, split->answers);
        double outside_s = split->rest_s + split->part_s[GUEST_CPU_WAIT];
        if (split->timed > 0 && outside_s < 0)
            dataset_add_note(
                guest, true,
                "%s: %s: what Dom0 timed of a request is more than the guest saw of it (by %.3g us): requests "
                "that are split in Dom0's ring overlap",
                c->name, split->device, -1e6 * outside_s);
    }
}

// --- the whole journal ----------------------------------------------------------------------------------------------

static bool has_requests(const struct dataset *guest) {
    for (size_t i = 0; i < guest->case_count; i++)
        if (guest->cases[i].io.count)
            return true;
    return false;
}

static void tell_clock(struct dataset *guest, const struct domain *d, double shifted_s) {
    char *clocks = d->clock.same ? mem_strdup("both read the same TSC")
                                 : mem_printf(
                                       "matched by the wall clocks; the requests' counts fit best with Dom0's "
                                       "shifted by %.0f ms, to within %.0f ms",
                                       1e3 * shifted_s, 1e3 * d->clock.error_s);
    char *before = guest->joined;
    guest->joined =
        mem_printf("%s%sThe requests of %s were timed in Dom0 %s (domain %llu, %s; %s).", before ? before : "",
                   before ? " " : "", guest->name, d->host->label, (unsigned long long)d->vm->pid, d->vm->name, clocks);
    free(before);
    free(clocks);
}

void join_io(struct dataset *guest, const struct host_journal *hosts, size_t host_count) {
    struct domain d;
    double shifted_s = 0;
    if (!has_requests(guest)) {
        dataset_add_note(
            guest, true,
            "not joined with Dom0: the guest's journal has no requests of Xen's devices (collector io_path)");
        return;
    }
    if (!find_domain(guest, hosts, host_count, &d)) {
        dataset_add_note(
            guest, true,
            "not joined with Dom0: none of the recorded domains has the name of this guest (its label or host "
            "name): metalgap run --label DOMAIN");
        return;
    }
    if (!find_clock(guest, &d)) {
        dataset_add_note(guest, true,
                         "not joined with Dom0: one of the journals does not tell its clock (at_tsc, at_unix_ns)");
        return;
    }
    if (!d.clock.same)
        fit_clock(guest, &d, &shifted_s);
    tell_clock(guest, &d, shifted_s);
    for (size_t i = 0; i < guest->case_count; i++) {
        split_case(guest, &guest->cases[i], &d);
        compare_counts(guest, &guest->cases[i]);
    }
}
