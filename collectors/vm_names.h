// SPDX-License-Identifier: Apache-2.0
// The name of a virtual machine, from the command line of the process that runs it: QEMU (also under libvirt),
// Firecracker, Cloud Hypervisor, crosvm, kvmtool. May include: core.
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define VM_NAME_MAX 128

// Reads the name out of a command line as /proc/PID/cmdline has it: arguments that each end with a NUL. Stores "" if
// the program is none of those above, the program's own name if it is one but was given no name. `out` is terminated.
void vm_name_from_arguments(const char *arguments, size_t length, char *out, size_t size);

// The name of a running process: as above, else what the kernel calls it (comm), else "".
void vm_name_of_process(pid_t pid, char *out, size_t size);

// The process of a virtual machine that the user named by its pid or its name. 0 if there is none, -1 if several have
// this name.
pid_t vm_find(const char *pid_or_name);
