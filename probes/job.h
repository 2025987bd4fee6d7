// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
// Whom the probes' programs count apart, told by user space.
#pragma once

struct probe_job {
    unsigned int session; // session number of the job's tasks, or one of probes/session.h
    unsigned int unused;
    unsigned long long leader; // the kernel's pid of that session, once a program has seen it; 0 before
};

// Whose time an event fell into: that of the task which runs on the CPU.
enum probe_whose { WHOSE_OTHERS, WHOSE_JOB, WHOSE_COUNT };
