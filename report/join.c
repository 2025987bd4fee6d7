// SPDX-License-Identifier: Apache-2.0
// Puts a host's times into a guest's data set; the header states how. May include: core, report.
#include "report/join.h"

#include "core/calibration.h"
#include "core/memory.h"
#include "report/join_edge.h"
#include "report/join_match.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ENOUGH_CPUIDS  100   // exits, for a mean
#define DISAGREE_SE    2.0   // standard errors
#define DISAGREE_FLOOR 0.001 // of the sample's time: less is not worth a warning

// --- one sample -----------------------------------------------------------------------------------------------------

// The host's mean of a CPUID exit. NaN if it has seen too few.
static double hosts_cpuid_s(const struct host_vm *vm) {
    double seconds = 0;
    double count = 0;
    for (size_t i = 0; i < vm->loss_count; i++)
        if (vm->losses[i].cause == CAUSE_EXIT_CPUID && vm->losses[i].scope == SCOPE_CPU) {
            seconds += vm->losses[i].seconds;
            count += (double)vm->losses[i].count;
        }
    return count >= ENOUGH_CPUIDS ? seconds / count : NAN;
}

// The guest has timed the same instruction from its side: the difference is what both tracepoints do not enclose.
static void measure_outside(const struct dataset *guest, struct join_match *m) {
    struct calibration calibration;
    const cJSON *object = cJSON_GetObjectItemCaseSensitive(guest->header, "calibration");
    if (!object || calibration_from_json(object, &calibration, NULL))
        return;
    const struct trap_cost *cpuid = &calibration.traps[TRAP_CPUID];
    double inside_s = hosts_cpuid_s(m->vm);
    if (!cpuid->measured || !(cpuid->mean_s - cpuid->native_s > inside_s))
        return;
    m->outside_s = cpuid->mean_s - cpuid->native_s - inside_s;
    m->outside_se = hypot(cpuid->se_s, cpuid->slope_s > 0 ? (cpuid->slope_s - cpuid->mean_s) / 2 : 0);
}

struct sum {
    double seconds, count, variance;
};

// What the host says of one sample.
struct word {
    struct sum of[CAUSE_COUNT][SCOPE_COUNT];
    double covered; // share of the sample
};

static void add_window(const struct join_match *m, const struct host_window *w, const struct join_edge *edge,
                       struct word *word, struct series *series) {
    for (size_t i = 0; i < w->count; i++) {
        const struct host_loss *loss = &m->vm->losses[w->first + i];
        double share = join_share(m->vm, edge, w->first + i);
        struct sum *sum = &word->of[loss->cause][loss->scope];
        sum->seconds += share * loss->seconds;
        sum->count += share * (double)loss->count;
        sum->variance += loss->seconds * loss->seconds * share * (1 - share);
        if (!series || share < 0.5 || loss->hist == SIZE_MAX)
            continue;
        if (!series->hist[loss->cause])
            series->hist[loss->cause] = mem_alloc(sizeof(struct hist));
        hist_merge(series->hist[loss->cause], &m->host->hists[loss->hist]);
    }
}

// The first window that may reach beyond this moment of the host's counter.
static size_t first_window(const struct host_vm *vm, double moment) {
    size_t low = 0;
    size_t high = vm->window_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((double)vm->windows[middle].start_tsc + (double)vm->longest > moment)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

// `series` gets the durations; NULL: not wanted.
static struct word ask(const struct join_match *m, const struct point *point, struct series *series) {
    struct word word = {0};
    double begin = join_host_time(m, point->start_tsc);
    double end = begin + (double)(point->end_tsc - point->start_tsc) / m->ratio;
    double *covered = mem_alloc((m->vm->vcpus + 1) * sizeof *covered);
    for (size_t i = first_window(m->vm, begin); i < m->vm->window_count; i++) {
        const struct host_window *w = &m->vm->windows[i];
        if ((double)w->start_tsc >= end)
            break;
        struct join_edge edge = join_edge(m->vm, i, begin, end);
        if (edge.part <= 0)
            continue;
        covered[w->vcpu] += edge.part * (double)(w->end_tsc - w->start_tsc);
        add_window(m, w, &edge, &word, series);
    }
    for (unsigned v = 0; v < m->vm->vcpus; v++)
        word.covered = fmax(word.covered, end > begin ? covered[v] / (end - begin) : 0);
    free(covered);
    for (int cause = 0; cause < CAUSE_COUNT; cause++) {
        struct sum *sum = &word.of[cause][SCOPE_CPU];
        if (cause_info((enum cause)cause)->family != FAMILY_EXIT)
            continue;
        sum->seconds += sum->count * m->outside_s;
        sum->variance += pow(sum->count * m->outside_se, 2);
    }
    return word;
}

// --- one case and mode ----------------------------------------------------------------------------------------------

static bool is_hosts_word(enum cause cause, enum obs_scope scope) {
    enum cause_family family = cause_info(cause)->family;
    return scope == SCOPE_CPU && (family == FAMILY_EXIT || family == FAMILY_HOST);
}

// True if windows cover every sample that counts.
static bool all_covered(const struct join_match *m, const struct series *series, size_t *covered, size_t *counting) {
    *covered = *counting = 0;
    for (size_t i = 0; i < series->count; i++) {
        const struct point *point = &series->point[i];
        if (!point_counts(point))
            continue;
        (*counting)++;
        if (point->end_tsc > point->start_tsc && ask(m, point, NULL).covered >= JOIN_COVERED)
            (*covered)++;
    }
    return *counting > 0 && *covered == *counting;
}

// The best of the guest's own seconds of a cause, summed over the samples: what the ledger would take.
static bool guests_word(const struct series *series, enum cause cause, struct sum *out, bool *at_most) {
    static const enum obs_basis order[] = {BASIS_TIMED, BASIS_SAMPLED, BASIS_CALIBRATED};
    for (size_t b = 0; b < ARRAY_LEN(order); b++) {
        bool found = false;
        *out = (struct sum){0};
        *at_most = false;
        for (size_t i = 0; i < series->loss_count; i++) {
            const struct loss *loss = &series->loss[i];
            if (loss->cause != cause || loss->scope != SCOPE_CPU || loss->basis != order[b])
                continue;
            found = true;
            out->seconds += loss->seconds;
            out->count += (double)loss->count;
            // A calibrated unit cost is wrong in all samples alike: its errors add, others' squares do.
            out->variance = order[b] == BASIS_CALIBRATED ? pow(sqrt(out->variance) + loss->se, 2)
                                                         : out->variance + loss->se * loss->se;
            *at_most |= loss->at_most;
        }
        if (found)
            return true;
    }
    return false;
}

static void compare_words(struct dataset *guest, const struct dataset_case *c, const struct series *series,
                          const struct sum *host, double time_s) {
    for (int cause = 0; cause < CAUSE_COUNT; cause++) {
        struct sum own;
        bool at_most;
        // Halts: the guest knows how often, the host what waking took. Hidden time is what no clock tells the guest.
        if (!is_hosts_word((enum cause)cause, SCOPE_CPU) || cause == CAUSE_EXIT_HALT || cause == CAUSE_HOST_HIDDEN ||
            !guests_word(series, (enum cause)cause, &own, &at_most))
            continue;
        double gap = own.seconds - host[cause].seconds;
        double error = sqrt(own.variance + host[cause].variance);
        if (fabs(gap) <= DISAGREE_SE * error || fabs(gap) <= DISAGREE_FLOOR * time_s || (at_most && gap > 0))
            continue;
        dataset_add_note(
            guest, true,
            "%s: %s: the guest's own estimate, %.3g s (%.0f times), and what the host timed, %.3g s (%.0f times), "
            "differ by more than both errors together (%.2g s); the host's is used",
            c->name, cause_info((enum cause)cause)->id, own.seconds, own.count, host[cause].seconds, host[cause].count,
            DISAGREE_SE * error);
    }
}

static void drop_guests_word(struct series *series) {
    size_t kept = 0;
    for (size_t i = 0; i < series->loss_count; i++) {
        const struct loss *loss = &series->loss[i];
        if (!is_hosts_word((enum cause)loss->cause, (enum obs_scope)loss->scope))
            series->loss[kept++] = *loss;
    }
    series->loss_count = kept;
    kept = 0;
    for (size_t i = 0; i < series->gap_count; i++) {
        const struct gap *gap = &series->gap[i];
        if (!is_hosts_word((enum cause)gap->cause, (enum obs_scope)gap->scope))
            series->gap[kept++] = *gap;
    }
    series->gap_count = kept;
    for (int cause = 0; cause < CAUSE_COUNT; cause++)
        if (is_hosts_word((enum cause)cause, SCOPE_CPU)) {
            free(series->hist[cause]);
            series->hist[cause] = NULL;
        }
}

static int compare_losses(const void *a, const void *b) {
    uint64_t x = ((const struct loss *)a)->seq;
    uint64_t y = ((const struct loss *)b)->seq;
    return (x > y) - (x < y);
}

static void add_losses(struct series *series, uint64_t seq, const struct word *word, bool at_most,
                       const bool told[CAUSE_COUNT][SCOPE_COUNT]) {
    for (int cause = 0; cause < CAUSE_COUNT; cause++)
        for (int scope = 0; scope < SCOPE_COUNT; scope++) {
            const struct sum *sum = &word->of[cause][scope];
            if (!told[cause][scope])
                continue;
            struct loss loss = {.seq = seq,
                                .count = (uint64_t)llround(sum->count),
                                .seconds = sum->seconds,
                                .se = sqrt(sum->variance),
                                .cause = (uint8_t)cause,
                                .scope = (uint8_t)scope,
                                .basis = BASIS_TIMED,
                                .at_most = at_most && scope == SCOPE_CPU,
                                .by_host = true};
            ARRAY_PUSH(series->loss, series->loss_count, series->loss_capacity, loss);
        }
}

// What the host is to speak of: what it or the guest saw of its own families, and backends if the guest saw none.
static void what_to_tell(const struct series *series, const struct sum total[CAUSE_COUNT][SCOPE_COUNT],
                         bool told[CAUSE_COUNT][SCOPE_COUNT]) {
    bool guest[CAUSE_COUNT] = {false};
    for (size_t i = 0; i < series->loss_count; i++)
        guest[series->loss[i].cause] = true;
    for (int cause = 0; cause < CAUSE_COUNT; cause++)
        for (int scope = 0; scope < SCOPE_COUNT; scope++) {
            bool seen = total[cause][scope].count > 0 || total[cause][scope].seconds > 0;
            if (is_hosts_word((enum cause)cause, (enum obs_scope)scope))
                told[cause][scope] = seen || (guest[cause] && cause != CAUSE_HOST_HIDDEN);
            else
                told[cause][scope] = seen && !guest[cause];
        }
}

static void join_series(struct dataset *guest, struct dataset_case *c, struct series *series,
                        const struct join_match *m) {
    struct sum total[CAUSE_COUNT][SCOPE_COUNT] = {{{0}}};
    struct sum cpu[CAUSE_COUNT] = {{0}};
    bool told[CAUSE_COUNT][SCOPE_COUNT];
    bool at_most = c->cpus > 0 && c->cpus < m->vm->vcpus;
    double time_s = 0;
    struct word *words = mem_alloc((series->count + 1) * sizeof *words);
    struct series durations = {0};
    for (size_t i = 0; i < series->count; i++) {
        if (series->point[i].end_tsc > series->point[i].start_tsc)
            words[i] = ask(m, &series->point[i], &durations);
        time_s += series->point[i].wall_s;
        for (int cause = 0; cause < CAUSE_COUNT; cause++)
            for (int scope = 0; scope < SCOPE_COUNT; scope++) {
                total[cause][scope].seconds += words[i].of[cause][scope].seconds;
                total[cause][scope].count += words[i].of[cause][scope].count;
                total[cause][scope].variance += words[i].of[cause][scope].variance;
            }
    }
    for (int cause = 0; cause < CAUSE_COUNT; cause++)
        cpu[cause] = total[cause][SCOPE_CPU];
    if (!at_most)
        compare_words(guest, c, series, cpu, time_s);
    what_to_tell(series, total, told);
    drop_guests_word(series);
    for (size_t i = 0; i < series->count; i++) {
        add_losses(series, series->point[i].seq, &words[i], at_most, told);
        series->point[i].steal_s = words[i].of[CAUSE_HOST_STEAL][SCOPE_CPU].seconds;
    }
    qsort(series->loss, series->loss_count, sizeof *series->loss, compare_losses);
    for (int cause = 0; cause < CAUSE_COUNT; cause++) {
        if (durations.hist[cause] && !series->hist[cause])
            series->hist[cause] = durations.hist[cause];
        else
            free(durations.hist[cause]);
    }
    free(words);
}

// --- the whole journal ----------------------------------------------------------------------------------------------

static void tell_match(struct dataset *guest, const struct join_match *m) {
    const struct host_vm *vm = m->vm;
    const char *label = m->host->label;
    unsigned long long pid = vm->pid;
    if (m->knocks) {
        double worst = 0;
        for (size_t i = 0; i < vm->knock_count; i++)
            worst = fmax(worst, (double)vm->knocks[i].error_tsc);
        const struct host_knock *k = &vm->knocks[vm->knock_count - 1];
        guest->joined = mem_printf(
            "The exits of %s were timed on its host %s (virtual machine %s, pid %llu, known by "
            "its knocks before %zu samples; its TSC is %.0f ticks from the host's, to within "
            "%.3g us).",
            guest->name, label, vm->name, pid, m->knocks, (double)k->guest_tsc - (double)k->host_tsc * m->ratio,
            worst / m->hz * 1e6);
        return;
    }
    guest->joined = mem_printf(
        "The exits of %s were timed on its host %s (virtual machine %s, pid %llu, by KVM's own "
        "tsc_offset of %.0f ticks, since no knocks of it were recorded).",
        guest->name, label, vm->name, pid, vm->offset);
    if (vm->offset_changed)
        dataset_add_note(guest, true, "the virtual machine's tsc_offset changed while the host was recorded");
}

static void tell_outside(struct dataset *guest, const struct join_match *m) {
    if (!(m->outside_s > 0)) {
        dataset_add_note(
            guest, false,
            "what an exit takes before the host's kvm_exit and after its kvm_entry is not known: the exits' times are "
            "lower bounds");
        return;
    }
    char *longer = mem_printf(
        "%s To each exit %.3g us (standard error %.2g) are added, by which the guest's own CPUID "
        "takes longer than the host's handling of it.",
        guest->joined, 1e6 * m->outside_s, 1e6 * m->outside_se);
    free(guest->joined);
    guest->joined = longer;
}

static void join_case(struct dataset *guest, struct dataset_case *c, const struct join_match *m) {
    size_t covered[MODE_COUNT];
    size_t counting[MODE_COUNT];
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        struct series *series = &c->mode[mode];
        if (all_covered(m, series, &covered[mode], &counting[mode]))
            join_series(guest, c, series, m);
        else if (counting[mode])
            dataset_add_note(
                guest, true,
                "%s: the host's windows cover %zu of %zu %s samples: the guest's own estimates are kept there", c->name,
                covered[mode], counting[mode], sample_mode_names[mode]);
    }
    if (c->cpus > 0 && c->cpus < m->vm->vcpus)
        dataset_add_note(guest, false,
                         "%s ran on %g of %u vCPUs, and the host's times are of all of them: they are upper bounds",
                         c->name, c->cpus, m->vm->vcpus);
}

static void tell_host(struct dataset *guest, const struct host_journal *host) {
    if (host->truncated)
        dataset_add_note(guest, true, "%s: the last line is cut off and was dropped", host->path);
    for (size_t i = 0; i < host->warning_count; i++)
        dataset_add_note(guest, true, "host %s: %s", host->label, host->warnings[i]);
}

void join_guest(struct dataset *guest, const struct host_journal *hosts, size_t host_count) {
    struct join_match m;
    const cJSON *nodes = cJSON_GetObjectItemCaseSensitive(guest->header, "nodes");
    if (join_count_points(guest) == 0) {
        dataset_add_note(guest, true, "not joined with a host: its samples have no TSC stamps");
        return;
    }
    if (cJSON_GetArraySize(nodes) > 1) {
        dataset_add_note(guest, true, "not joined with a host: it ran on several nodes, whose counters differ");
        return;
    }
    if (!join_find_match(guest, hosts, host_count, &m)) {
        dataset_add_note(
            guest, true,
            "not joined with a host: none of its virtual machines saw this guest's knocks, and none can be told "
            "by its name and tsc_offset");
        return;
    }
    tell_host(guest, m.host);
    if (!m.vm->timed) {
        dataset_add_note(
            guest, true,
            "not joined with the host %s: it only counted, since kvm_exit never fired there; the guest's own "
            "estimates are kept",
            m.host->label);
        return;
    }
    measure_outside(guest, &m);
    tell_match(guest, &m);
    tell_outside(guest, &m);
    for (size_t i = 0; i < guest->case_count; i++)
        join_case(guest, &guest->cases[i], &m);
}
