// SPDX-License-Identifier: Apache-2.0
// A machine seen from inside, through the collectors: a sample window without a job over all CPUs. See watch.h.
#include "bench/calibrate.h"
#include "bench/watch.h"
#include "collectors/collector.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALIBRATION_S 1.0        // prices of exits to some percent; nobody waits gladly for a live view
#define TICK_PERIOD_S 5.00313e-3 // of sampling: 200 ticks a second on each CPU; no small multiple shared with HZ

struct guest {
    struct calibration calibration;
    struct collector_set *collectors;
    cJSON *states;
    cpu_set_t cpus; // all that this process may use
    struct sample_window window;
    double spent_s; // CPU time of this process until the end of the interval before
};

static void guest_close(void *state) {
    struct guest *g = state;
    collector_set_close(g->collectors);
    cJSON_Delete(g->states);
    free(g);
}

static void *guest_open(const struct watch_options *options, struct error *err) {
    struct guest *g = mem_alloc(sizeof *g);
    fprintf(stderr, "measuring what VM exits cost here ...\n");
    sched_getaffinity(0, sizeof g->cpus, &g->cpus);
    const struct collect_options collect = {
        .calibration = &g->calibration, .platform = options->platform, .tick_period_s = TICK_PERIOD_S};
    if (!calibrate(&g->cpus, CALIBRATION_S, &g->calibration, err))
        g->collectors = collector_set_open("all", &collect, err);
    if (!g->collectors) {
        guest_close(g);
        return NULL;
    }
    g->states = collector_set_to_json(g->collectors);
    g->spent_s = clock_cpu_s();
    return g;
}

static int guest_begin(void *state, struct error *err) {
    struct guest *g = state;
    (void)err;
    g->window = (struct sample_window){
        .cpus = &g->cpus,
        .mode = MODE_ATTRIBUTION,
        .pass = PASS_ALL,
        .start_ns = clock_now_ns(),
    };
    collector_set_begin(g->collectors, &g->window);
    return 0;
}

// --- the end of an interval ---------------------------------------------------------------------------------------

static void copy_text(const cJSON *object, const char *key, char *out, size_t size) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    snprintf(out, size, "%s", cJSON_IsString(item) ? item->valuestring : "");
}

// The exit profiler's places: detail.sites of an observation, the one with most ticks first. Those in one function
// become one.
static void add_sites(struct watch_view *view, const struct observation *o) {
    const cJSON *found;
    cJSON_ArrayForEach(found, cJSON_GetObjectItemCaseSensitive(o->detail, "sites")) {
        struct watch_site site = {.share = 0};
        const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(found, "seconds");
        snprintf(site.cause, sizeof site.cause, "%s", cause_info(o->cause)->id);
        copy_text(found, "site", site.where, sizeof site.where);
        if (!site.where[0])
            copy_text(found, "address", site.where, sizeof site.where);
        if (site.where[0] != '+') // without a function only the offset tells places apart
            site.where[strcspn(site.where, "+")] = '\0';
        copy_text(found, "module", site.module, sizeof site.module);
        copy_text(found, "line", site.line, sizeof site.line);
        if (cJSON_IsNumber(seconds))
            site.share = seconds->valuedouble / (view->interval_s * view->cpus);
        watch_add_site(view, &site);
    }
}

// True if a source told the cause all the same, or it was named before for the same reason.
static bool needs_no_word(const struct observations *obs, size_t at) {
    const struct untold *what = &obs->untold[at];
    for (size_t i = 0; i < obs->count; i++)
        if (obs->items[i].cause == what->cause && obs->items[i].basis != BASIS_COUNTED)
            return true;
    for (size_t i = 0; i < at; i++)
        if (obs->untold[i].cause == what->cause && strcmp(obs->untold[i].why, what->why) == 0)
            return true;
    return false;
}

// What could not be told in this interval, those with one reason in one sentence.
static void add_untold(const struct observations *obs, struct watch_view *view) {
    for (size_t i = 0; i < obs->untold_count; i++) {
        const char *why = obs->untold[i].why;
        struct str text = {0};
        size_t first = 0;
        while (strcmp(obs->untold[first].why, why) != 0)
            first++;
        for (size_t k = i; first == i && k < obs->untold_count; k++)
            if (strcmp(obs->untold[k].why, why) == 0 && !needs_no_word(obs, k))
                str_printf(&text, "%s%s", text.length ? ", " : "", cause_info(obs->untold[k].cause)->id);
        if (text.length) {
            str_printf(&text, " not told: %s", why);
            cJSON_AddItemToArray(view->notes, cJSON_CreateString(str_text(&text)));
        }
        str_free(&text);
    }
}

// What collecting and showing cost since the interval before; the eBPF programs are told by their collectors.
static void add_own_time(struct guest *g, struct watch_view *view) {
    const double now_s = clock_cpu_s();
    const struct observation own = {.cause = CAUSE_OBSERVER, .basis = BASIS_TIMED, .seconds = now_s - g->spent_s};
    g->spent_s = now_s;
    watch_add(view, cause_info(own.cause)->id, false, &own);
}

static int guest_end(void *state, struct watch_view *view, struct error *err) {
    struct guest *g = state;
    struct observations obs = {0};
    (void)err;
    *view = (struct watch_view){.cpus = (unsigned)CPU_COUNT(&g->cpus),
                                .of = "CPUs",
                                .circumstances = cJSON_CreateObject(),
                                .notes = cJSON_CreateArray(),
                                .sources = g->states};
    struct collector_output out = {&obs, view->circumstances, view->notes};
    g->window.end_ns = clock_now_ns();
    g->window.roi_s = (double)(g->window.end_ns - g->window.start_ns) * 1e-9;
    view->interval_s = g->window.roi_s;
    collector_set_end(g->collectors, &g->window, &out);
    for (size_t i = 0; i < obs.count; i++) {
        const struct cause_info *cause = cause_info(obs.items[i].cause);
        if (obs.items[i].scope == SCOPE_LATENCY)
            continue;
        // A CPU that waits for a disk stands idle: nobody has taken it.
        bool taken = cause_family_is_direct(cause->family) && cause->family != FAMILY_HOP;
        watch_add(view, cause->id, taken, &obs.items[i]);
        add_sites(view, &obs.items[i]);
    }
    add_untold(&obs, view);
    observations_free(&obs);
    add_own_time(g, view);
    watch_finish(view);
    return 0;
}

const struct watch_source watch_guest = {
    .name = "guest",
    .open = guest_open,
    .begin = guest_begin,
    .end = guest_end,
    .close = guest_close,
};
