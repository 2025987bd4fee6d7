// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Does a task belong to the job? For programs with BTF-typed arguments.
#pragma once

#include "probes/job.h"
#include "probes/session.h"
#include "probes/task.bpf.h"

// The number is looked up until it is found once; from then on the kernel's pid itself is compared, which is what keeps
// context switches cheap. The session's leader lives as long as the sample, so its pid is not given away meanwhile.
static __always_inline int is_of_job(struct probe_job *job, struct task_struct *task) {
    if (!job || job->session == SESSION_NOBODY)
        return 0;
    if (job->session == SESSION_EVERYBODY)
        return task->pid != 0;
    struct pid *session = task->signal->pids[PIDTYPE_SID];
    if (job->leader)
        return job->leader == (__u64)session;
    if (pid_number(session) != job->session)
        return 0;
    job->leader = (__u64)session;
    return 1;
}
