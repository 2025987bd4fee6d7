// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The maps that all programs of I/O paths count in.
#pragma once

#include "probes/io_path.h"
#include "probes/maps.bpf.h"

ROWS_BY_CPU(struct io_cpu)

MAPPED_ARRAY(channels, struct io_channel);
