// SPDX-License-Identifier: Apache-2.0
// Reading what a process has in memory. Formats: Documentation/filesystems/proc.rst (smaps_rollup) and
// Documentation/admin-guide/mm/numaperf.rst, numa_maps in proc(5).
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct footprint {
    uint64_t resident_bytes;
    uint64_t huge_bytes; // of these: transparent huge pages of any kind; hugetlbfs pages come on top of both
};

#define FOOTPRINT_NODES 64

// Parses the text of /proc/PID/smaps_rollup. hugetlbfs pages count as resident and as huge. False if it says nothing of
// resident memory.
bool footprint_parse(const char *smaps, struct footprint *out);

// Adds up a text of /proc/PID/numa_maps: bytes on each node. False if no line names a node.
bool footprint_parse_nodes(const char *numa_maps, uint64_t bytes[FOOTPRINT_NODES]);
