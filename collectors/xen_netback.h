// SPDX-License-Identifier: Apache-2.0
// Packets of Xen's guests in Dom0: the eBPF programs of probes/xen_netback.bpf.c, which count in the maps of
// xen_dom0.h's. May include: core, probes.
#pragma once

#include "core/str.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdint.h>

struct xen_netback;

// Loads and attaches for one domain (~0: all), with the maps of an object that is loaded. NULL if packets are not
// seen; what is not, and why, is added to *missing in either case (", " between two parts).
struct xen_netback *xen_netback_open(const struct bpf_object *maps, struct btf *kernel, uint32_t domid,
                                     struct str *missing);

// Detaches and frees. NULL is fine.
void xen_netback_close(struct xen_netback *n);

// The object, whose programs' costs and misses can be asked for. NULL if `n` is.
const struct bpf_object *xen_netback_programs(const struct xen_netback *n);
