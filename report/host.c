// SPDX-License-Identifier: Apache-2.0
// Reads host journals; see the header. May include: core.
#include "report/host.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// KVM allows 4096 (KVM_MAX_VCPUS); a journal that says more is not one.
#define MAX_VCPUS 65536U

static const cJSON *member(const cJSON *object, const char *key) {
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static void keep_header(struct host_journal *host, const cJSON *json) {
    const cJSON *label = member(json, "label");
    host->label = mem_strdup(cJSON_IsString(label) ? label->valuestring : host->path);
    const cJSON *clock = member(json, "clock");
    uint64_t tsc = 0;
    uint64_t unix_ns = 0;
    double hz = 0;
    if (clock && json_get_ticks(clock, "at_tsc", JSON_OPTIONAL, &tsc, NULL) > 0 &&
        json_get_ticks(clock, "at_unix_ns", JSON_OPTIONAL, &unix_ns, NULL) > 0 &&
        json_get_double(clock, "tsc_hz", JSON_OPTIONAL, &hz, NULL) > 0)
        host->clock = (struct host_clock){(double)tsc, (double)unix_ns, hz};
}

static struct host_vm *find_vm(struct host_journal *host, uint64_t pid, const char *name) {
    for (size_t i = 0; i < host->vm_count; i++)
        if (host->vms[i].pid == pid)
            return &host->vms[i];
    struct host_vm vm = {.pid = pid, .name = mem_strdup(name ? name : ""), .ratio = 1};
    ARRAY_PUSH(host->vms, host->vm_count, host->vm_capacity, vm);
    return &host->vms[host->vm_count - 1];
}

static int read_vm(struct host_journal *host, const cJSON *line, struct host_vm **out, struct error *err) {
    const cJSON *object = NULL;
    const char *name = NULL;
    uint64_t pid = 0;
    double offset = NAN;
    double ratio = 1;
    if (json_get_object(line, "vm", JSON_REQUIRED, &object, err) < 0)
        return -1;
    bool is_domain = member(object, "domid") != NULL;
    if (json_get_u64(object, is_domain ? "domid" : "pid", JSON_REQUIRED, &pid, err) < 0 ||
        json_get_string(object, "name", JSON_OPTIONAL, &name, err) < 0 ||
        json_get_double(object, "tsc_offset", JSON_OPTIONAL, &offset, err) < 0 ||
        json_get_double(object, "tsc_ratio", JSON_OPTIONAL, &ratio, err) < 0)
        return -1;
    struct host_vm *vm = find_vm(host, pid, name);
    host->is_dom0 |= is_domain;
    if (isfinite(offset) && ratio > 0) {
        vm->offset_changed |= vm->has_offset && vm->offset != offset;
        vm->has_offset = true;
        vm->offset = offset;
        vm->ratio = ratio;
    }
    *out = vm;
    return 0;
}

static int read_knock(struct host_vm *vm, const cJSON *line, struct error *err) {
    const cJSON *object = NULL;
    struct host_knock knock;
    int found = json_get_object(line, "knock", JSON_OPTIONAL, &object, err);
    if (found <= 0)
        return found;
    if (json_get_ticks(object, "guest_tsc", JSON_REQUIRED, &knock.guest_tsc, err) < 0 ||
        json_get_ticks(object, "host_tsc", JSON_REQUIRED, &knock.host_tsc, err) < 0 ||
        json_get_ticks(object, "error_tsc", JSON_REQUIRED, &knock.error_tsc, err) < 0)
        return -1;
    ARRAY_PUSH(vm->knocks, vm->knock_count, vm->knock_capacity, knock);
    return 0;
}

static void keep_losses(struct host_journal *host, struct host_vm *vm, const struct observations *obs) {
    for (size_t i = 0; i < obs->count; i++) {
        const struct observation *o = &obs->items[i];
        struct host_loss loss = {o->cause, o->scope, o->count, o->seconds, SIZE_MAX};
        if (o->basis != BASIS_TIMED)
            continue;
        if (o->has_hist) {
            loss.hist = host->hist_count;
            ARRAY_PUSH(host->hists, host->hist_count, host->hist_capacity, o->hist);
        }
        ARRAY_PUSH(vm->losses, vm->loss_count, vm->loss_capacity, loss);
    }
}

static int keep_window(struct host_journal *host, const struct journal_record *record, struct error *err) {
    struct host_vm *vm;
    struct host_window w = {0};
    uint64_t vcpu = 0;
    if (read_vm(host, record->json, &vm, err) || read_knock(vm, record->json, err) < 0 ||
        json_get_ticks(record->json, "start_tsc", JSON_REQUIRED, &w.start_tsc, err) < 0 ||
        json_get_ticks(record->json, "end_tsc", JSON_REQUIRED, &w.end_tsc, err) < 0 ||
        json_get_u64(record->json, "vcpu", JSON_OPTIONAL, &vcpu, err) < 0)
        return -1;
    if (vcpu >= MAX_VCPUS) {
        error_set(err, EXIT_CODE_INPUT, "reading the key \"vcpu\"");
        return error_why(err, "%llu is not below %u", (unsigned long long)vcpu, MAX_VCPUS);
    }
    if (w.end_tsc <= w.start_tsc)
        return 0;
    w.vcpu = (unsigned)vcpu;
    w.first = vm->loss_count;
    host_io_add(&vm->io, w.start_tsc, w.end_tsc, &record->window_obs);
    keep_losses(host, vm, &record->window_obs);
    w.count = vm->loss_count - w.first;
    if (w.vcpu >= vm->vcpus)
        vm->vcpus = w.vcpu + 1;
    vm->timed |= member(record->json, "run_s") != NULL;
    if (w.end_tsc - w.start_tsc > vm->longest)
        vm->longest = w.end_tsc - w.start_tsc;
    ARRAY_PUSH(vm->windows, vm->window_count, vm->window_capacity, w);
    return 0;
}

static void keep_note(struct host_journal *host, const cJSON *json) {
    const cJSON *level = member(json, "level");
    const cJSON *text = member(json, "text");
    if (cJSON_IsString(level) && strcmp(level->valuestring, "warn") == 0 && cJSON_IsString(text))
        ARRAY_PUSH(host->warnings, host->warning_count, host->warning_capacity, mem_strdup(text->valuestring));
}

static int keep(struct host_journal *host, const struct journal_record *record, struct error *err) {
    if (record->type == JOURNAL_HEADER)
        keep_header(host, record->json);
    else if (record->type == JOURNAL_NOTE)
        keep_note(host, record->json);
    else if (record->type == JOURNAL_WINDOW)
        return keep_window(host, record, err);
    return 0;
}

static int compare_windows(const void *a, const void *b) {
    const struct host_window *x = a;
    const struct host_window *y = b;
    return (x->start_tsc > y->start_tsc) - (x->start_tsc < y->start_tsc);
}

static int compare_knocks(const void *a, const void *b) {
    const struct host_knock *x = a;
    const struct host_knock *y = b;
    return (x->host_tsc > y->host_tsc) - (x->host_tsc < y->host_tsc);
}

static int check(const struct host_journal *host, struct error *err) {
    if (host->vm_count > 0)
        return 0;
    error_set(err, EXIT_CODE_INPUT, "reading the host's journal %s", host->path);
    error_why(err, "no virtual machine was recorded in it");
    return error_remedy(err, "run `metalgap run --role host -o host.jsonl` on the host while the guest's run goes on");
}

int host_load(struct host_journal *host, const char *path, struct error *err) {
    *host = (struct host_journal){.path = mem_strdup(path)};
    struct journal_reader *reader = journal_read(path, err);
    if (!reader)
        return -1;
    struct journal_record record;
    int got;
    while ((got = journal_next(reader, &record, err)) > 0) {
        if (keep(host, &record, err)) {
            error_at(err, path, record.line, 0);
            got = -1;
            break;
        }
    }
    host->truncated = journal_was_truncated(reader);
    journal_end_reading(reader);
    for (size_t i = 0; got == 0 && i < host->vm_count; i++) {
        struct host_vm *vm = &host->vms[i];
        if (vm->window_count)
            qsort(vm->windows, vm->window_count, sizeof *vm->windows, compare_windows);
        host_io_sort(&vm->io);
        if (vm->knock_count)
            qsort(vm->knocks, vm->knock_count, sizeof *vm->knocks, compare_knocks);
    }
    return got ? got : check(host, err);
}

void host_free(struct host_journal *host) {
    for (size_t i = 0; i < host->vm_count; i++) {
        free(host->vms[i].name);
        free(host->vms[i].windows);
        free(host->vms[i].losses);
        free(host->vms[i].knocks);
        host_io_free(&host->vms[i].io);
    }
    for (size_t i = 0; i < host->warning_count; i++)
        free(host->warnings[i]);
    free(host->warnings);
    free(host->vms);
    free(host->hists);
    free(host->label);
    free(host->path);
    *host = (struct host_journal){0};
}
