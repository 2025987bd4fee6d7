// SPDX-License-Identifier: Apache-2.0
// CPU time of a virtual machine's threads that are no vCPUs: the monitor's own, its I/O threads, and the kernel's vhost
// workers for it. May include: core.
#pragma once

#include "core/json.h"

#include <sys/types.h>

struct vm_threads;

// Starts to watch the process of a virtual machine.
struct vm_threads *vm_threads_new(pid_t vm);
void vm_threads_free(struct vm_threads *threads); // NULL is fine

enum vm_thread_kind { VM_THREAD_MONITOR, VM_THREAD_VHOST, VM_THREAD_KINDS };

struct vm_thread_time {
    double seconds; // CPU time since the last call
    cJSON *threads; // object: seconds by thread name, of those that ran; NULL if none did. The caller owns it
};

// CPU time since the last call (since the beginning at the first one, which therefore tells nothing).
// `is_vcpu` says which threads to leave out.
void vm_threads_read(struct vm_threads *threads, bool (*is_vcpu)(const void *context, pid_t tid), const void *context,
                     struct vm_thread_time out[VM_THREAD_KINDS]);
