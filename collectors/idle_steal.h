// SPDX-License-Identifier: Apache-2.0
// Steal of idle CPUs: the part of the stolen time in which a virtual CPU was not missed, since it was only being woken
// (probes/idle_steal.bpf.c). Known on Xen and KVM where eBPF works and the kernel's types are there. May include: core,
// probes.
#pragma once

#include "collectors/probe.h"

#include <sched.h>

struct idle_steal;

struct idle_steal *idle_steal_open(void);    // NULL: not to be told here
void idle_steal_close(struct idle_steal *s); // NULL is fine

// Seconds on these CPUs since it was opened; callers take differences. 0 if `s` is NULL.
double idle_steal_seconds(const struct idle_steal *s, const cpu_set_t *cpus);

// What its program has cost since then, by the kernel's statistics. Zeros if `s` is NULL.
struct probe_cost idle_steal_cost(const struct idle_steal *s);
