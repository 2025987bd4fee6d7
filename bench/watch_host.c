// SPDX-License-Identifier: Apache-2.0
// Guests seen from their KVM host: what their vCPUs lost, by cause and exit reason. See watch.h.
#include "bench/watch.h"
#include "collectors/host_windows.h"
#include "collectors/vm_names.h"
#include "core/clock.h"
#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct host {
    struct kvm_host *kvm;
    struct host_windows *windows;
    cJSON *states;
    uint64_t begin_ns; // of the interval
};

static void host_close(void *state) {
    struct host *h = state;
    host_windows_end(h->windows);
    kvm_host_close(h->kvm);
    cJSON_Delete(h->states);
    free(h);
}

static int find_vm(const char *name, pid_t *pid, struct error *err) {
    *pid = strcmp(name, "all") == 0 ? 0 : vm_find(name);
    if (*pid > 0 || strcmp(name, "all") == 0)
        return 0;
    error_set(err, EXIT_CODE_LACKS, "looking at the virtual machine %s from its host", name);
    error_why(err, *pid ? "several have this name" : "no process has this pid, and no virtual machine this name");
    return error_remedy(err, "name it by its pid, or take all of them: --vm all");
}

static cJSON *states_of(const struct collector_status *status) {
    cJSON *list = cJSON_CreateArray();
    cJSON *row = cJSON_CreateObject();
    json_add_string(row, "name", "kvm_host");
    json_add_string(row, "state", collector_state_names[status->state]);
    json_add_string(row, "reason", status->reason[0] ? status->reason : NULL);
    json_add_string(row, "hint", status->hint[0] ? status->hint : NULL);
    cJSON_AddItemToArray(list, row);
    return list;
}

static void *host_open(const struct watch_options *options, struct error *err) {
    struct collector_status status = {.state = COLLECTOR_ACTIVE};
    pid_t vm;
    if (find_vm(options->vm, &vm, err))
        return NULL;
    struct kvm_host *kvm = kvm_host_open(vm, &status);
    if (!kvm) {
        error_set(err, EXIT_CODE_LACKS, "looking at the virtual machine %s from its host", options->vm);
        error_why(err, "%s", status.reason);
        error_remedy(err, "%s", status.hint);
        return NULL;
    }
    struct host *h = mem_alloc(sizeof *h);
    h->kvm = kvm;
    h->windows = host_windows_begin(kvm);
    h->states = states_of(&status);
    return h;
}

static int host_begin(void *state, struct error *err) {
    struct host *h = state;
    (void)err;
    h->begin_ns = clock_now_ns();                // a window ends when the next one is asked for
    cJSON_Delete(host_windows_next(h->windows)); // what went before
    return 0;
}

// --- the end of an interval ---------------------------------------------------------------------------------------

static double number(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static const char *text(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

// An exit reason of a virtual machine is the place where its time went.
static void add_reasons(struct watch_view *view, const struct observation *o, const char *vm) {
    const cJSON *reason;
    cJSON_ArrayForEach(reason, cJSON_GetObjectItemCaseSensitive(o->detail, "reasons")) {
        struct watch_site site = {.share = number(reason, "seconds")}; // of all time when the number of vCPUs is known
        snprintf(site.cause, sizeof site.cause, "%s", cause_info(o->cause)->id);
        snprintf(site.where, sizeof site.where, "%s", text(reason, "reason"));
        snprintf(site.module, sizeof site.module, "%s", vm);
        watch_add_site(view, &site);
    }
}

static void add_line(struct watch_view *view, const cJSON *line, cJSON *ran) {
    const cJSON *vm = cJSON_GetObjectItemCaseSensitive(line, "vm");
    const cJSON *item;
    char name[VM_NAME_MAX];
    snprintf(name, sizeof name, "%s", text(vm, "name"));
    if (!name[0])
        snprintf(name, sizeof name, "%.0f", number(vm, "pid"));
    view->cpus++;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(line, "obs")) {
        struct observation o;
        if (observation_from_json(item, &o, NULL) != 1)
            continue;
        const struct cause_info *cause = cause_info(o.cause);
        if (o.scope != SCOPE_LATENCY) {
            watch_add(view, cause->id, cause_family_is_direct(cause->family), &o);
            add_reasons(view, &o, name);
        }
    }
    if (!cJSON_HasObjectItem(line, "run_s")) // only counted here
        return;
    char vcpu[VM_NAME_MAX + 16];
    snprintf(vcpu, sizeof vcpu, "%s/%.0f", name, number(line, "vcpu"));
    json_add_double(ran, vcpu, fmin(number(line, "run_s") / view->interval_s, 1));
}

// As a reader of the journal gets the lines: large numbers are text until they have been printed.
static cJSON *next_lines(struct host *h) {
    cJSON *written = host_windows_next(h->windows);
    char *printed = json_print_line(written);
    cJSON *lines = cJSON_Parse(printed);
    free(printed);
    cJSON_Delete(written);
    return lines;
}

static int host_end(void *state, struct watch_view *view, struct error *err) {
    struct host *h = state;
    (void)err;
    *view = (struct watch_view){.of = "vCPUs", .circumstances = cJSON_CreateObject(), .sources = h->states};
    view->interval_s = fmax((double)(clock_now_ns() - h->begin_ns) * 1e-9, 1e-9);
    cJSON *lines = next_lines(h);
    view->notes = host_windows_notes(h->windows);
    cJSON *ran = cJSON_AddObjectToObject(view->circumstances, "busy");
    const cJSON *line;
    cJSON_ArrayForEach(line, lines) add_line(view, line, ran);
    cJSON_Delete(lines);
    for (size_t i = 0; i < view->site_count; i++)
        view->sites[i].share /= view->interval_s * view->cpus;
    watch_finish(view);
    return 0;
}

const struct watch_source watch_host = {
    .name = "host",
    .of_host = true,
    .open = host_open,
    .begin = host_begin,
    .end = host_end,
    .close = host_close,
};
