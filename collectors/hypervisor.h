// SPDX-License-Identifier: Apache-2.0
// Is there a hypervisor below this kernel that it could leave the CPU to? May include: core.
#pragma once

#include <stdbool.h>

// The hypervisor bit of CPUID (leaf 1, ECX 31: Intel SDM vol. 2A, AMD APM vol. 3), or what the kernel says of Xen,
// whose PV guests do not see that bit. Processors without CPUID cannot say: taken for a guest.
bool hypervisor_below(void);

// Is it Xen, by the kernel's word (/sys/hypervisor/type)?
bool hypervisor_is_xen(void);
