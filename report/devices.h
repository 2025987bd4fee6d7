// SPDX-License-Identifier: Apache-2.0
// What each disk and network interface did, and which way its requests went: the devices that the collector io_path
// told (`devices` in an observation's detail), summed over the attribution samples of a case. May include: core.
#pragma once

#include "core/journal.h"

#include <stddef.h>

struct device {
    char *name;
    char *resource; // "disk", "nic", or "" if not told
    char *path;     // words of metalgap.platform/1; "" if not told
    char *via;      // or ""
    char *driver;   // or ""
    enum cause cause;
    double samples; // that told it
    double requests, seconds, bytes, remote;
    double own;         // requests that the job's threads asked for
    double timed;       // requests that were seen from beginning to end
    double kicks;       // NaN: not counted in one sample at least
    double interrupts;  // the same
    double queues;      // hardware queues; 0: not told
    double cpus;        // most CPUs at which interrupts came in
    double event_s;     // from a notification to the next event, summed over the samples that told it
    double event_count; // those samples
    double waits;       // threads of the job that a completion woke
    double blocked_s;   // for which the job's CPUs stood idle
    struct hist hist;   // issue to completion
};

struct devices {
    struct device *items; // in the order of the journal
    size_t count;
    size_t capacity;
};

// Takes one line of the journal in.
void devices_add(struct devices *devices, const struct journal_sample *s);
void devices_free(struct devices *devices);

// Of one device, NaN where it is not known. Seconds a request; quantiles are good to a factor of 2.
double device_mean_s(const struct device *device);
double device_quantile_s(const struct device *device, double q);
double device_per_request(const struct device *device, double number);

// Percent of the time for which the job's CPUs stood idle waiting for any of the devices; NaN: for none.
double device_wait_pct(const struct devices *devices, const struct device *device);

// "paravirtual via dom0". `out` is terminated.
void device_path(const struct device *device, char *out, size_t size);

// Is there one that did anything?
bool devices_used(const struct devices *devices);

// Did the job ask it for anything, or wait for it? What a device did for others only is for the JSON; a reader has no
// use for it. devices_serve_job: does one of them? NULL: none.
bool device_serves_job(const struct device *device);
bool devices_serve_job(const struct devices *devices);

// "waiting for disks, idle: 12 ms a sample, 92 % of it hop.vmm (vda), 8 % offload.nvme (nvme0n1)"; NULL: there was
// none. free() it.
char *devices_sentence(const struct devices *devices);
