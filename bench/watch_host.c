// SPDX-License-Identifier: Apache-2.0
// Guests seen from their host: what KVM's vCPUs lost, by cause and exit reason; the requests of Xen's guests in Dom0.
// See watch.h.
#include "bench/watch.h"
#include "bench/watch_dom0.h"
#include "collectors/host_source.h"
#include "collectors/vm_names.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct host {
    const struct host_source *source;
    void *open; // its state
    cJSON *states;
    uint64_t begin_ns; // of the interval
};

static void host_close(void *state) {
    struct host *h = state;
    h->source->close(h->open);
    cJSON_Delete(h->states);
    free(h);
}

static int find_vm(const struct host_source *source, const char *name, int *guest, struct error *err) {
    *guest = strcmp(name, "all") == 0 ? HOST_ALL : source->find(name);
    if (*guest >= 0 || strcmp(name, "all") == 0)
        return 0;
    error_set(err, EXIT_CODE_LACKS, "looking at the virtual machine %s from its host", name);
    error_why(err, "%s", host_not_found(*guest));
    return error_remedy(err, "name it by its number (%s), or take all of them: --vm all", source->how_to_name);
}

static void *host_open(const struct watch_options *options, struct error *err) {
    const struct host_source *source = host_source_here();
    struct collector_status status = {.state = COLLECTOR_ACTIVE};
    int guest;
    if (find_vm(source, options->vm, &guest, err))
        return NULL;
    void *open = source->open(guest, &status);
    if (!open) {
        error_set(err, EXIT_CODE_LACKS, "looking at the virtual machine %s from its host", options->vm);
        error_why(err, "%s", status.reason);
        error_remedy(err, "%s", status.hint);
        return NULL;
    }
    struct host *h = mem_alloc(sizeof *h);
    h->source = source;
    h->open = open;
    h->states = cJSON_CreateArray();
    cJSON_AddItemToArray(h->states, host_state_to_json(source, &status));
    return h;
}

static int host_begin(void *state, struct error *err) {
    struct host *h = state;
    (void)err;
    h->begin_ns = clock_now_ns();           // a window ends when the next one is asked for
    cJSON_Delete(h->source->next(h->open)); // what went before
    return 0;
}

// --- the end of an interval ---------------------------------------------------------------------------------------

// An exit reason of a virtual machine is the place where its time went.
static void add_reasons(struct watch_view *view, const struct observation *o, const char *vm) {
    const cJSON *reason;
    cJSON_ArrayForEach(reason, cJSON_GetObjectItemCaseSensitive(o->detail, "reasons")) {
        struct watch_site site = {.share =
                                      json_amount(reason, "seconds")}; // of all time when the number of vCPUs is known
        snprintf(site.cause, sizeof site.cause, "%s", cause_info(o->cause)->id);
        snprintf(site.where, sizeof site.where, "%s", json_text(reason, "reason"));
        snprintf(site.module, sizeof site.module, "%s", vm);
        watch_add_site(view, &site);
    }
}

static void add_line(struct watch_view *view, const cJSON *line, cJSON *ran) {
    const cJSON *vm = cJSON_GetObjectItemCaseSensitive(line, "vm");
    const cJSON *item;
    char name[VM_NAME_MAX];
    snprintf(name, sizeof name, "%s", json_text(vm, "name"));
    if (!name[0])
        snprintf(name, sizeof name, "%.0f", json_amount(vm, cJSON_HasObjectItem(vm, "domid") ? "domid" : "pid"));
    view->cpus++;
    if (cJSON_HasObjectItem(vm, "domid")) {
        watch_add_requests(view, line, name);
        return;
    }
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
    snprintf(vcpu, sizeof vcpu, "%s/%.0f", name, json_amount(line, "vcpu"));
    json_add_double(ran, vcpu, fmin(json_amount(line, "run_s") / view->interval_s, 1));
}

// As a reader of the journal gets the lines: large numbers are text until they have been printed.
static cJSON *next_lines(struct host *h) {
    cJSON *written = h->source->next(h->open);
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
    view->notes = h->source->notes(h->open);
    if (h->source == &host_source_xen)
        view->of = "guests";
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
