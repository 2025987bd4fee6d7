// SPDX-License-Identifier: Apache-2.0
// Collectors: each turns one source (an eBPF probe, the PMU, /proc, sysfs) into observations of a sample.
// Adding one = one file that defines a `const struct collector_ops`, and one row in registry.c.
// May include: core, and the skeletons that are built from probes/.
#pragma once

#include "collectors/live_threads.h"
#include "core/calibration.h"
#include "core/journal.h"

#include <sched.h>
#include <sys/types.h>

#define COLLECTOR_ABI 1

enum collector_state {
    COLLECTOR_ACTIVE,     // everything works
    COLLECTOR_DEGRADED,   // some of it works; the reason says what does not
    COLLECTOR_UNAVAILABLE // nothing works
};
extern const char *const collector_state_names[]; // "active", "degraded", "unavailable"

// Why a source is not fully there, and what would enable it. Both empty when active.
struct collector_status {
    enum collector_state state;
    char reason[256];
    char hint[256];
};

// What a collector may know when it is opened. Valid as long as the collector is open.
struct collect_options {
    const struct calibration *calibration; // unit costs on this subject; NULL: none, then only count
    const cJSON *platform;                 // metalgap.platform/1, for which way a device's requests go; NULL: not known
    double tick_period_s;                  // at least so long between the ticks of those that sample; 0: as they like
    double tick_budget;                    // share of the time (0 to 1) that such ticks may take; 0: 1 %
};

// One sample. `job` is stopped before the work when begin() is called and has finished the work when end() is called.
struct sample_window {
    pid_t job;             // root process of the job and leader of its session; its children belong to the job, too;
                           // 0: there is no job apart, all that runs on `cpus` counts (metalgap watch)
    const cpu_set_t *cpus; // CPUs the job may run on
    enum sample_mode mode; // what a collector sees: MODE_TIMING also in attribution passes that belong to another one
    size_t pass;           // attribution samples: which pass, below collector_set_passes(); 0 in timing samples
    uint64_t start_ns;     // CLOCK_MONOTONIC: when begin() was called
    uint64_t end_ns;       // when the work was done; 0 in begin()
    double roi_s;          // the window that the figure of merit covers; 0 in begin()
    double cpu_s;          // user + system CPU-seconds of the job inside the window; 0 in begin()
    struct live_threads live; // the same of the job's root process alone, with its waiting; 0 in begin()
};

// Which tasks count in this window, as eBPF programs are told (probes/session.h).
unsigned window_session(const struct sample_window *window);

// The same for what a collector does itself when it is opened: this process's session, or all tasks where its leader is
// outside this pid namespace (`docker exec`, a command of init), which has the number 0 here.
unsigned own_session(void);

// Where end() puts what it found.
struct collector_output {
    struct observations *obs;
    cJSON *circumstances; // object: keys with units in their names, such as foreign_cpu (share, 0..1)
    cJSON *notes;         // array of strings: what a reader must know (lost events, a scaled counter)
};

struct collector_ops {
    unsigned abi;        // COLLECTOR_ABI
    const char *name;    // lower case, unique
    const char *summary; // one line for `list collectors`
    bool in_timing;      // cheap enough to be on in timing samples; otherwise in attribution samples only
    bool perturbs;       // changes what other sources see (its own exits, say): gets attribution samples of its own
    double least_cpu_s;  // of a sample in a pass of its own: what a sampler needs to say anything; 0: any will do
    bool only_by_name;   // not part of "all": it has to be asked for

    // Starts the source. Fills *status in any case. Returns the collector's state, owned by it until close(), or NULL
    // if and only if status->state is COLLECTOR_UNAVAILABLE. Never fails the run.
    void *(*open)(const struct collect_options *options, struct collector_status *status);

    // Before and after the work of each sample. 0, or -1 with `err`: the sample goes on without this source and the
    // error becomes a note. begin() and end() are paired; end() is called after each begin() that returned 0.
    int (*begin)(void *state, const struct sample_window *window, struct error *err);
    int (*end)(void *state, const struct sample_window *window, struct collector_output *out, struct error *err);

    // Detaches and frees everything. Called once for each open() that did not return NULL.
    void (*close)(void *state);
};

// The registry: NULL-terminated (registry.c).
extern const struct collector_ops *const collector_registry[];

// Checks the contract of one collector: ABI, name, callbacks. 0, or -1 with `err` (code 5) that says what is wrong.
int collector_check(const struct collector_ops *ops, struct error *err);

// --- a set of open collectors, as the runner uses it --------------------------------------------------------------

struct collector_set;

// Opens the collectors of a selection: "all", "none" or a comma-separated list of names. A name that does not exist is
// an error (code 2); one that was asked for by name but is unavailable is, too (code 4). With "all", what is
// unavailable only shows in its status. NULL on failure.
struct collector_set *collector_set_open(const char *selection, const struct collect_options *options,
                                         struct error *err);
void collector_set_close(struct collector_set *set); // NULL is fine

// Attribution samples go round over passes: "common" has all collectors on that are not in timing samples and do not
// perturb others (there is none without such a collector), and each one that perturbs has a pass of its name. The
// cheap ones (in_timing) are on in every sample, and do what they do in timing samples while another one's pass runs.
// 0: no attribution samples are needed.
#define PASS_ALL SIZE_MAX // all at once, whatever they do to each other: for looking, not for measuring
size_t collector_set_passes(const struct collector_set *set);
const char *collector_set_pass_name(const struct collector_set *set, size_t pass); // static text
double collector_set_pass_cpu_s(const struct collector_set *set, size_t pass);     // its collector's least_cpu_s, or 0

// Begins and ends all collectors that take part in a sample of this mode and pass. Failures become notes in
// out->notes.
void collector_set_begin(struct collector_set *set, const struct sample_window *window);
void collector_set_end(struct collector_set *set, const struct sample_window *window, struct collector_output *out);

// The journal header's form: [{"name","state","reason","hint"}, ...]. The caller owns it.
cJSON *collector_set_to_json(const struct collector_set *set);
