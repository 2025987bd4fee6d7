// SPDX-License-Identifier: Apache-2.0
// Looking at a whole machine, interval by interval: who takes its CPUs now. A watch source turns what it sees into the
// one view that all ways of showing it share. Sources are listed in watch.c: `watch_guest` looks at the machine itself
// through the collectors, `watch_host` at KVM guests from their host. Another one is another file and another row.
#pragma once

#include "core/json.h"
#include "core/observation.h"

// One reason for taken time.
struct watch_row {
    char name[48]; // a cause's id, or what the source calls it
    bool direct;   // the hypervisor's doing
    enum obs_basis basis;
    uint64_t count;  // in the interval
    double per_s;    // count per second
    double seconds;  // CPU-seconds in the interval; 0 with basis "counted", which knows none
    double se;       // standard error of seconds
    double share;    // of all CPU time of the interval
    double share_se; // standard error of share
};

// A place in a program where time went.
struct watch_site {
    char cause[48];
    char where[160];  // function, or an address, or an offset in the module; from a host the exit reason
    char module[128]; // file of the program or library; from a host the virtual machine
    char line[160];   // source file and line of the address with most time, or ""
    double share;     // of all CPU time of the interval
};

// One interval. Owned by its user: watch_view_free().
struct watch_view {
    double interval_s;
    unsigned cpus;
    const char *of;         // what `cpus` are: "CPUs", or "vCPUs" of guests
    struct watch_row *rows; // most time first; those with counts only behind them, most frequent first
    size_t row_count;
    size_t row_capacity;
    struct watch_site *sites; // most time first
    size_t site_count;
    size_t site_capacity;
    double taken;         // share of all CPU time that the hypervisor is seen to take
    double taken_se;      // its standard error
    cJSON *circumstances; // what else the source knows; a guest: "busy" {"cpu0": share}, "cpu_pressure"
    cJSON *notes;         // array of strings
    const cJSON *sources; // [{"name","state","reason","hint"}]; the source's
};
void watch_view_free(struct watch_view *view); // also makes it empty again

struct watch_options {
    const char *vm;        // a host's view of this virtual machine (pid or name) or of "all"; NULL: the machine itself
    const cJSON *platform; // of this machine (metalgap.platform/1), for its collectors
};

struct watch_source {
    const char *name;
    bool of_host; // it looks at guests from outside, and knows `vm`

    // Starts looking. Its state, owned by it until close(), or NULL with `err` (code 4: not here).
    void *(*open)(const struct watch_options *options, struct error *err);
    // Begins and ends an interval. end() fills `view`. 0, or -1 with `err`.
    int (*begin)(void *state, struct error *err);
    int (*end)(void *state, struct watch_view *view, struct error *err);
    void (*close)(void *state);
};

extern const struct watch_source watch_guest;
extern const struct watch_source watch_host;

// The source for these options. Never NULL.
const struct watch_source *watch_choose(const struct watch_options *options);

// For sources: adds an observation to the view's rows. Of several of one cause the best basis stands, and those of the
// same basis are added; what measuring costs (family observer) is always added.
void watch_add(struct watch_view *view, const char *name, bool direct, const struct observation *o);

// For sources: adds a place; the same place (cause, where, module) becomes one, with the line of the first.
void watch_add_site(struct watch_view *view, const struct watch_site *site);

// For sources: when all is added, calculates shares from `interval_s` and `cpus`, and sorts.
void watch_finish(struct watch_view *view);

// The form of `metalgap watch --json` (metalgap.watch/1, docs/metalgap-watch.1). `time` is ISO 8601. The caller owns
// it.
cJSON *watch_view_to_json(const struct watch_view *view, const char *time);
