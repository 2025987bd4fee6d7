// SPDX-License-Identifier: Apache-2.0
// From two readings of a ring's sums to a journal line. See dom0_windows.h.
#include "collectors/dom0_windows.h"

#include "collectors/host_moment.h"
#include "collectors/xen_names.h"
#include "core/memory.h"
#include "core/observation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_AGAIN 10 // windows between two looks at which guests and disks there are
#define NS_PER_S   1e9

struct seat {
    uint64_t address; // of the ring; 0: nobody
    uint32_t tid;
    char backend[32]; // the thread's name
    char device[32];
    struct dom0_sums before;
};

// A disk of a guest's device.
struct disk {
    int slot; // of the collector
    uint32_t domid, vdev;
    char name[32];
    struct dom0_disk_sums before;
    struct dom0_disk_sums grown; // in this window
};

struct domain {
    uint32_t domid;
    char name[XEN_NAME_MAX];
};

struct dom0_windows {
    struct xen_dom0 *dom0;
    int only;
    struct host_moment begin;
    struct seat seats[DOM0_RINGS]; // by slot
    struct disk *disks;
    size_t disk_count, disk_capacity;
    struct domain *domains;
    size_t domain_count, domain_capacity;
    unsigned windows;
    struct dom0_sums seen[DOM0_KINDS]; // so far: requests, unannounced, answers, dropped
};

static struct domain *find_domain(struct dom0_windows *w, uint32_t domid) {
    for (size_t i = 0; i < w->domain_count; i++)
        if (w->domains[i].domid == domid)
            return &w->domains[i];
    struct domain domain = {.domid = domid};
    xen_domain_name(domid, domain.name, sizeof domain.name);
    ARRAY_PUSH(w->domains, w->domain_count, w->domain_capacity, domain);
    return &w->domains[w->domain_count - 1];
}

static bool knows_disk(const struct dom0_windows *w, const struct xen_place *place, int slot) {
    for (size_t i = 0; i < w->disk_count; i++) {
        const struct disk *d = &w->disks[i];
        if (d->slot == slot && d->domid == place->domid && d->vdev == place->vdev)
            return true;
    }
    return false;
}

static void add_disk(struct dom0_windows *w, const struct xen_place *place, uint32_t dev) {
    struct disk disk = {xen_dom0_add_disk(w->dom0, dev), place->domid, place->vdev, "", {0}, {0}};
    if (disk.slot < 0 || knows_disk(w, place, disk.slot))
        return;
    xen_disk_name("", dev, disk.name, sizeof disk.name);
    xen_dom0_read_disk(w->dom0, disk.slot, &disk.before);
    ARRAY_PUSH(w->disks, w->disk_count, w->disk_capacity, disk);
}

static void drop_domains_gone(struct dom0_windows *w, const struct xen_place *places, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < w->domain_count; i++) {
        bool there = false;
        for (size_t p = 0; p < count; p++)
            there |= places[p].domid == w->domains[i].domid;
        if (there)
            w->domains[kept++] = w->domains[i];
    }
    w->domain_count = kept;
}

static void look_around(struct dom0_windows *w) {
    struct xen_place *places;
    size_t count = xen_places("", &places);
    drop_domains_gone(w, places, count);
    for (size_t i = 0; i < count; i++) {
        if (w->only != XEN_DOM0_ALL && places[i].domid != (uint32_t)w->only)
            continue;
        find_domain(w, places[i].domid);
        for (size_t d = 0; d < places[i].disk_count; d++)
            add_disk(w, &places[i], places[i].disks[d]);
    }
    free(places);
}

struct dom0_windows *dom0_windows_begin(struct xen_dom0 *dom0, int domid) {
    struct dom0_windows *w = mem_alloc(sizeof *w);
    w->dom0 = dom0;
    w->only = domid;
    look_around(w);
    w->begin = host_moment_now();
    return w;
}

void dom0_windows_end(struct dom0_windows *w) {
    if (!w)
        return;
    free(w->disks);
    free(w->domains);
    free(w);
}

// --- one ring -------------------------------------------------------------------------------------------------------

struct dom0_sums dom0_sums_since(const struct dom0_sums *before, const struct dom0_sums *now) {
    struct dom0_sums d = {.notices = now->notices - before->notices,
                          .requests = now->requests - before->requests,
                          .unannounced = now->unannounced - before->unannounced,
                          .answers = now->answers - before->answers,
                          .packets = now->packets - before->packets,
                          .dropped = now->dropped - before->dropped,
                          .thread_ns = now->thread_ns - before->thread_ns};
    for (int s = 0; s < DOM0_SEGMENTS; s++)
        d.ns[s] = now->ns[s] - before->ns[s];
    for (int b = 0; b < DOM0_HIST_BUCKETS; b++)
        d.hist[b] = now->hist[b] - before->hist[b];
    return d;
}

static uint64_t whole_ns(const struct dom0_sums *sums) {
    uint64_t ns = 0;
    for (int s = 0; s < DOM0_SEGMENTS; s++)
        ns += sums->ns[s];
    return ns;
}

// The segments that a ring has, and what else is told of it.
static const struct {
    const char *resource, *direction; // NULL: has none
    bool has[DOM0_SEGMENTS];
} kinds[DOM0_KINDS] = {
    [DOM0_BLOCK] = {"disk", NULL, {true, true, true, true, true}},
    [DOM0_SENDS] = {"nic", "send", {true, true, true, false, true}},
    [DOM0_RECEIVES] = {"nic", "receive", {false, true, true, false, true}},
};

cJSON *dom0_device_to_json(const char *device, const char *backend, enum dom0_kind kind, const struct dom0_sums *sums) {
    static const char *const keys[DOM0_SEGMENTS] = {"notify_s", "wakeup_s", "service_s", "device_s", "completion_s"};
    cJSON *object = cJSON_CreateObject();
    json_add_string(object, "device", device);
    json_add_string(object, "backend", backend);
    json_add_string(object, "resource", kinds[kind].resource);
    json_add_string(object, "direction", kinds[kind].direction);
    json_add_u64(object, "requests", sums->requests);
    json_add_u64(object, "answers", sums->answers);
    json_add_u64(object, "notifications", sums->notices);
    json_add_u64(object, "unannounced", sums->unannounced);
    json_add_double(object, "seconds", (double)whole_ns(sums) / NS_PER_S);
    cJSON *segments = cJSON_AddObjectToObject(object, "segments");
    for (int s = 0; s < DOM0_SEGMENTS; s++)
        if (kinds[kind].has[s])
            json_add_double(segments, keys[s], (double)sums->ns[s] / NS_PER_S);
    if (kind != DOM0_BLOCK) {
        json_add_u64(object, "packets", sums->packets);
        json_add_u64(object, "dropped", sums->dropped);
    }
    json_add_double(object, "cpu_s", (double)sums->thread_ns / NS_PER_S);
    return object;
}

static void read_disks(struct dom0_windows *w) {
    for (size_t i = 0; i < w->disk_count; i++) {
        struct disk *disk = &w->disks[i];
        struct dom0_disk_sums now;
        xen_dom0_read_disk(w->dom0, disk->slot, &now);
        disk->grown.issued = now.issued - disk->before.issued;
        disk->grown.completed = now.completed - disk->before.completed;
        disk->grown.ns = now.ns - disk->before.ns;
        disk->before = now;
    }
}

static bool is_active(const struct disk *disk, uint32_t domid, uint32_t vdev) {
    return disk->domid == domid && disk->vdev == vdev && (disk->grown.issued || disk->grown.completed);
}

static bool disks_are_active(const struct dom0_windows *w, uint32_t domid, uint32_t vdev) {
    for (size_t i = 0; i < w->disk_count; i++)
        if (is_active(&w->disks[i], domid, vdev))
            return true;
    return false;
}

// Told with the first of a device's rings.
static void add_disks(struct dom0_windows *w, cJSON *device, uint32_t domid, uint32_t vdev) {
    cJSON *list = NULL;
    for (size_t i = 0; i < w->disk_count; i++) {
        struct disk *disk = &w->disks[i];
        if (!is_active(disk, domid, vdev))
            continue;
        cJSON *item = cJSON_CreateObject();
        json_add_string(item, "disk", disk->name);
        json_add_u64(item, "issued", disk->grown.issued);
        json_add_u64(item, "completed", disk->grown.completed);
        json_add_double(item, "seconds", (double)disk->grown.ns / NS_PER_S);
        disk->grown = (struct dom0_disk_sums){0};
        list = list ? list : cJSON_AddArrayToObject(device, "disks");
        cJSON_AddItemToArray(list, item);
    }
}

static void take_seat(struct seat *seat, const struct dom0_ring *ring) {
    char path[64];
    *seat = (struct seat){.address = ring->address, .tid = ring->tid};
    snprintf(path, sizeof path, "/proc/%u/comm", ring->tid);
    size_t length;
    char *name = json_read_file(path, 256, &length, NULL);
    snprintf(seat->backend, sizeof seat->backend, "%.*s", (int)(name ? strcspn(name, "\n") : 0), name ? name : "");
    free(name);
    if (ring->kind == DOM0_BLOCK) {
        xen_device_name(ring->vdev, seat->backend, seat->device, sizeof seat->device);
        return;
    }
    // The thread's name begins with the queue's: "vif1.0-q0-guest-rx".
    char *role = strstr(seat->backend, "-guest-rx");
    if (role && ring->kind == DOM0_SENDS)
        *role = '\0';
    snprintf(seat->device, sizeof seat->device, "vif-%u", ring->vdev);
}

static bool thread_is_gone(uint32_t tid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%u", tid);
    return access(path, F_OK) != 0;
}

// --- one domain -----------------------------------------------------------------------------------------------------

// Some packets were on their way or went through.
static bool was_active(const struct dom0_sums *sums) {
    return sums->answers || sums->notices || sums->requests || sums->packets || sums->dropped;
}

static void count_in(struct dom0_sums *seen, const struct dom0_sums *sums) {
    seen->requests += sums->requests;
    seen->unannounced += sums->unannounced;
    seen->answers += sums->answers;
    seen->dropped += sums->dropped;
}

static void add_ring(struct dom0_windows *w, uint32_t slot, uint32_t domid, struct observation *o) {
    struct seat *seat = &w->seats[slot];
    struct dom0_ring ring;
    struct dom0_sums now;
    if (!xen_dom0_read(w->dom0, slot, &ring, &now) || ring.domid != domid)
        return;
    if (seat->address != ring.address || seat->tid != ring.tid)
        take_seat(seat, &ring);
    struct dom0_sums sums = dom0_sums_since(&seat->before, &now);
    seat->before = now;
    bool has_disks = ring.kind == DOM0_BLOCK && disks_are_active(w, domid, ring.vdev);
    if (ring.kind >= DOM0_KINDS)
        return;
    if (!was_active(&sums) && !has_disks) {
        if (thread_is_gone(ring.tid)) {
            xen_dom0_forget(w->dom0, slot);
            *seat = (struct seat){0};
        }
        return;
    }
    o->count += sums.requests;
    o->seconds += (double)whole_ns(&sums) / NS_PER_S;
    for (int b = 0; b < DOM0_HIST_BUCKETS; b++)
        o->hist.count[b] += sums.hist[b];
    count_in(&w->seen[ring.kind], &sums);
    cJSON *device = dom0_device_to_json(seat->device, seat->backend, (enum dom0_kind)ring.kind, &sums);
    if (has_disks)
        add_disks(w, device, domid, ring.vdev);
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(o->detail, "devices"), device);
}

static cJSON *line_of(struct dom0_windows *w, const struct domain *domain, const struct host_moment *end) {
    struct observation o = {.cause = CAUSE_HOP_DOM0,
                            .scope = SCOPE_LATENCY,
                            .basis = BASIS_TIMED,
                            .has_hist = true,
                            .detail = cJSON_CreateObject()};
    cJSON *devices = cJSON_AddArrayToObject(o.detail, "devices");
    for (uint32_t slot = 0; slot < DOM0_RINGS; slot++)
        add_ring(w, slot, domain->domid, &o);
    cJSON *line = cJSON_CreateObject();
    json_add_string(line, "t", "window");
    json_add_u64(line, "start_tsc", w->begin.tsc);
    json_add_u64(line, "end_tsc", end->tsc);
    cJSON *vm = cJSON_AddObjectToObject(line, "vm");
    json_add_u64(vm, "domid", domain->domid);
    json_add_string(vm, "name", domain->name);
    cJSON *list = cJSON_AddArrayToObject(line, "obs");
    if (cJSON_GetArraySize(devices))
        cJSON_AddItemToArray(list, observation_to_json(&o));
    cJSON_Delete(o.detail);
    return line;
}

cJSON *dom0_windows_next(struct dom0_windows *w) {
    struct host_moment end = host_moment_now();
    cJSON *lines = cJSON_CreateArray();
    if (++w->windows % LOOK_AGAIN == 0)
        look_around(w);
    read_disks(w);
    for (size_t i = 0; i < w->domain_count; i++)
        cJSON_AddItemToArray(lines, line_of(w, &w->domains[i], &end));
    w->begin = end;
    return lines;
}

static void note(cJSON *notes, char *text) {
    cJSON_AddItemToArray(notes, cJSON_CreateString(text));
    free(text);
}

cJSON *dom0_windows_notes(const struct dom0_windows *w) {
    cJSON *notes = cJSON_CreateArray();
    struct dom0_totals totals = xen_dom0_totals(w->dom0);
    uint64_t misses = xen_dom0_misses(w->dom0);
    const struct dom0_sums *blocks = &w->seen[DOM0_BLOCK];
    const struct dom0_sums *sent = &w->seen[DOM0_SENDS];
    if (blocks->unannounced)
        note(notes, mem_printf("%lu of %lu requests came without a notification, while the backend's thread was awake: "
                               "how long they waited on the ring is not told",
                               (unsigned long)blocks->unannounced, (unsigned long)blocks->requests));
    if (blocks->answers > blocks->requests)
        note(notes, mem_printf("%lu of %lu answers were not timed: their requests did no I/O (discards, errors) or had "
                               "begun before the recording",
                               (unsigned long)(blocks->answers - blocks->requests), (unsigned long)blocks->answers));
    if (sent->answers > sent->requests)
        note(notes, mem_printf("%lu of %lu answers to packets were not timed: Dom0 used their memory in place, and a "
                               "thread answered when that was over",
                               (unsigned long)(sent->answers - sent->requests), (unsigned long)sent->answers));
    if (w->seen[DOM0_RECEIVES].dropped)
        note(notes, mem_printf("%lu packets for guests were dropped in Dom0: the guest had not taken those before them",
                               (unsigned long)w->seen[DOM0_RECEIVES].dropped));
    if (totals.rings_lost)
        note(notes, mem_printf("%lu events were lost: there are more rings than the %d that are provided for",
                               (unsigned long)totals.rings_lost, DOM0_RINGS));
    if (totals.requests_lost)
        note(notes, mem_printf("%lu requests were not timed: more than %d were in flight",
                               (unsigned long)totals.requests_lost, DOM0_IN_FLIGHT));
    if (misses)
        note(notes, mem_printf("%lu events were lost: the kernel skipped a program that was running already",
                               (unsigned long)misses));
    return notes;
}
