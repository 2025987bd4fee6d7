// SPDX-License-Identifier: Apache-2.0
// Limits that control groups set to this process, of a container, a batch job or a service. May include: core.
#pragma once

#include <cjson/cJSON.h>

// Adds a text for each limit that is set, as the kernel writes it, of the control group that allows least: the
// process's own or one above (Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/). `proc` and `sys` are /proc and
// /sys.
void cgroup_limits_add(cJSON *object, const char *proc, const char *sys);
