// SPDX-License-Identifier: Apache-2.0
// Chooses the CPUs of a case. See place.h.
#include "bench/place.h"

#include <errno.h>
#include <hwloc.h>
#include <string.h>

static int allowed_cpus(const cpu_set_t *only, cpu_set_t *out, struct error *err) {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed)) {
        error_set(err, EXIT_CODE_LACKS, "asking which CPUs may be used");
        return error_why(err, "%s", strerror(errno));
    }
    if (!only) {
        *out = allowed;
        return 0;
    }
    CPU_AND(out, only, &allowed);
    if (CPU_EQUAL(out, only))
        return 0;
    error_set(err, EXIT_CODE_USAGE, "binding to the chosen CPUs");
    error_why(err, "this process may use only %d of the %d CPUs in the list", CPU_COUNT(out), CPU_COUNT(only));
    return error_remedy(err, "see the allowed ones in the line Cpus_allowed_list of /proc/self/status");
}

// hwloc orders processing units core by core; taking the first one of every core, then the second ones, spreads the
// threads so that SMT siblings are used last.
static void spread(hwloc_topology_t topology, const cpu_set_t *from, unsigned threads, cpu_set_t *out) {
    CPU_ZERO(out);
    for (unsigned sibling = 0; (unsigned)CPU_COUNT(out) < threads && sibling < CPU_SETSIZE; sibling++) {
        hwloc_obj_t core = NULL;
        while ((core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core)) != NULL) {
            hwloc_obj_t pu = hwloc_get_obj_inside_cpuset_by_type(topology, core->cpuset, HWLOC_OBJ_PU, sibling);
            if (pu && pu->os_index < CPU_SETSIZE && CPU_ISSET(pu->os_index, from) && (unsigned)CPU_COUNT(out) < threads)
                CPU_SET(pu->os_index, out);
        }
    }
}

int place_choose(const cpu_set_t *only, unsigned threads, cpu_set_t *out, struct error *err) {
    cpu_set_t from;
    if (allowed_cpus(only, &from, err))
        return -1;
    unsigned count = (unsigned)CPU_COUNT(&from);
    if (threads == 0 || threads == count) {
        *out = from;
        return 0;
    }
    if (threads > count) {
        error_set(err, EXIT_CODE_LACKS, "placing %u threads", threads);
        error_why(err, "there are only %u CPUs to use", count);
        return error_remedy(err, "use fewer threads, or more CPUs (--cpus, taskset, cpusets)");
    }
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) || hwloc_topology_load(topology)) {
        error_set(err, EXIT_CODE_LACKS, "reading the machine's topology with hwloc");
        return error_why(err, "%s", strerror(errno));
    }
    spread(topology, &from, threads, out);
    hwloc_topology_destroy(topology);
    return 0;
}
