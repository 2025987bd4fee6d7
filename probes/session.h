// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
// How user space tells eBPF programs which tasks count: by the number of their session.
#pragma once

#define SESSION_NOBODY    0U          // no sample is running
#define SESSION_EVERYBODY 0xffffffffU // all tasks but the idle ones: the whole machine is looked at
