// SPDX-License-Identifier: Apache-2.0
// What of a host can be recorded or watched: KVM's guests or Xen's, behind one set of callbacks that all give journal
// lines (docs/journal.md, "window"). Another kind of host is another file and another row in host_source.c.
#pragma once

#include "collectors/collectors.h"

struct host_source {
    const char *name;        // of the collector
    const char *about;       // what it says, one line
    const char *how_to_name; // the command that tells a guest's number

    // True if this machine is such a host. NULL: the last one, which every other machine is taken for.
    bool (*here)(void);
    // The number of a guest (pid, domain) by its name or number; -1: there is none, -2: several have this name.
    int (*find)(const char *name);
    // For one guest, or HOST_ALL. NULL if it is unavailable, which is one line in status->reason; else the first window
    // begins now.
    void *(*open)(int guest, struct collector_status *status);
    // Ends the window and begins the next: an array of lines that the caller owns.
    cJSON *(*next)(void *state);
    // What a reader must know of the whole recording: an array of strings that the caller owns.
    cJSON *(*notes)(void *state);
    void (*close)(void *state);
};

#define HOST_ALL (-1)

// {"name","state","reason","hint"}, as headers, `doctor` and `watch` have it. The caller owns it.
cJSON *host_state_to_json(const struct host_source *source, const struct collector_status *status);

// Why find() found none.
const char *host_not_found(int result);

extern const struct host_source host_source_kvm;
extern const struct host_source host_source_xen;

// All, the last one for machines that are none of the others; NULL at the end.
const struct host_source *host_source_by_index(size_t index);

// The one for this machine. Never NULL.
const struct host_source *host_source_here(void);
