// SPDX-License-Identifier: Apache-2.0
// Where block requests and packets of Xen's guests spend their time in Dom0: the eBPF programs of
// probes/xen_dom0.bpf.c, with those of xen_netback.h, loaded, attached and read. What they sum up becomes windows in
// dom0_windows.h. May include: core, probes.
#pragma once

#include "collectors/collectors.h"
#include "probes/xen_dom0.h"

#include <sys/types.h>

struct xen_dom0;

#define XEN_DOM0_ALL (-1) // domains

// Loads and attaches for one domain, or for all of them. Fills *status in any case: degraded names what is missing.
// NULL if and only if it is unavailable, which is one line in status->reason.
struct xen_dom0 *xen_dom0_open(int domid, struct collector_status *status);

// Detaches and frees everything. NULL is fine. If the process dies instead, the kernel does the same.
void xen_dom0_close(struct xen_dom0 *h);

// A ring and its sums over all CPUs. False if the slot (0 to DOM0_RINGS - 1) is free.
bool xen_dom0_read(const struct xen_dom0 *h, uint32_t slot, struct dom0_ring *ring, struct dom0_sums *sums);

// Frees the slot of a ring that is gone.
void xen_dom0_forget(struct xen_dom0 *h, uint32_t slot);

// Starts to count a disk's requests, by the kernel's device number; nothing changes if it does already. Its slot, or -1
// if none is left.
int xen_dom0_add_disk(struct xen_dom0 *h, uint32_t dev);
void xen_dom0_read_disk(const struct xen_dom0 *h, int slot, struct dom0_disk_sums *sums);

struct dom0_totals xen_dom0_totals(const struct xen_dom0 *h);

// Times that the kernel did not run one of the programs since it was running on that CPU already.
uint64_t xen_dom0_misses(const struct xen_dom0 *h);
