// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Does a task belong to the job? For programs with BTF-typed arguments.
#pragma once

#include "probes/job.h"
#include "probes/session.h"
#include "probes/task.bpf.h"

// The number is looked up until it is found once; from then on the kernel's pid itself is compared, which is what keeps
// context switches cheap. The session's leader lives as long as the sample, so its pid is not given away meanwhile.
static __always_inline int is_jobs_session(struct probe_job *job, const struct pid *session) {
    if (job->leader)
        return job->leader == (__u64)session;
    if (pid_number(session) != job->session)
        return 0;
    job->leader = (__u64)session;
    return 1;
}

static __always_inline int is_of_job(struct probe_job *job, struct task_struct *task) {
    if (!job || job->session == SESSION_NOBODY)
        return 0;
    if (job->session == SESSION_EVERYBODY)
        return task->pid != 0;
    return is_jobs_session(job, task->signal->pids[PIDTYPE_SID]);
}

// Whose task runs on this CPU? For programs that user space runs on a CPU when a sample begins (probe_look() in
// collectors/probe.h): a task that runs already, and goes on running, is not switched in any more. They run in an
// interrupt from another CPU, which no context switch is amid.
static __always_inline enum probe_whose whose_turn(struct probe_job *job) {
    struct task_struct *task = (void *)bpf_get_current_task(); // its BTF-typed sister is missing on Linux 5.10
    if (!job || job->session == SESSION_NOBODY)
        return WHOSE_OTHERS;
    int jobs = job->session == SESSION_EVERYBODY ? BPF_CORE_READ(task, pid) != 0
                                                 : is_jobs_session(job, BPF_CORE_READ(task, signal, pids[PIDTYPE_SID]));
    return jobs ? WHOSE_JOB : WHOSE_OTHERS;
}
