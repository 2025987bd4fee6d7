// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Which process and session a task belongs to, for probes that tell the job apart; and the steal clock of its CPU.
#pragma once

#include <bpf/bpf_core_read.h>

#include "probes/kernel_types.h"

// A pid's number in the innermost PID namespace it is in, which is the one that the job's parent sees, too.
static __always_inline __u32 pid_number(const struct pid *pid) {
    unsigned int level = BPF_CORE_READ(pid, level);
    int number = 0;
    bpf_core_read(&number, sizeof number,
                  (const void *)pid + bpf_core_field_offset(struct pid, numbers) +
                      level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, nr));
    return number;
}

static __always_inline __u32 session_of(struct task_struct *task) {
    return pid_number(BPF_CORE_READ(task, signal, pids[PIDTYPE_SID]));
}

static __always_inline __u32 process_of(struct task_struct *task) {
    return pid_number(BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]));
}

// Can steal_time_of() be read on this kernel?
static __always_inline int steal_time_is_known(void) {
    return bpf_core_field_exists(((struct rq *)0)->prev_steal_time) &&
           bpf_core_field_exists(((struct sched_entity *)0)->cfs_rq);
}

// How much steal time the kernel has booked on the CPU that a running task is on, ns since boot. What the host took is
// booked with the next scheduler tick.
static __always_inline __u64 steal_time_of(struct task_struct *task) {
    return steal_time_is_known() ? BPF_CORE_READ(task, se.cfs_rq, rq, prev_steal_time) : 0;
}
