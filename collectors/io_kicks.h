// SPDX-License-Identifier: Apache-2.0
// Which kernel functions notify virtual devices, and counting their calls by device (probes/io_path_kick.bpf.c), where
// the kernel lets functions be traced. May include: core, probes.
#pragma once

#include "collectors/io_path.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

struct io_kicks;

// Loads the programs for the functions that this kernel has, with the maps of io_path.bpf.c, which must outlive them.
// `refused` gets the errno of the first that could not be traced, 0 if there is none. Never NULL.
struct io_kicks *io_kicks_open(const struct bpf_map *cpus, const struct bpf_map *channels, struct btf *types,
                               int *refused);
void io_kicks_close(struct io_kicks *kicks); // NULL is fine

// May load programs anew: what io_kicks_programs() told before is gone. False: one that could be traced when they were
// opened cannot be any more; then nothing is counted.
bool io_kicks_attach(struct io_kicks *kicks);
void io_kicks_detach(struct io_kicks *kicks);

// Are notifications of this kind seen?
bool io_kicks_see(const struct io_kicks *kicks, enum io_kick kind);

// The programs, for what they cost: at most `capacity` are stored; how many there are.
size_t io_kicks_programs(const struct io_kicks *kicks, struct bpf_program **out, size_t capacity);
