// SPDX-License-Identifier: Apache-2.0
// Topology through hwloc. See topology.h.
#include "collectors/topology.h"

#include "core/memory.h"

#include <hwloc.h>
#include <unistd.h>

static const struct {
    hwloc_obj_type_t type;
    int level;
    const char *kind;
} cache_types[] = {
    {HWLOC_OBJ_L1CACHE, 1, "data"},    {HWLOC_OBJ_L1ICACHE, 1, "instruction"}, {HWLOC_OBJ_L2CACHE, 2, "unified"},
    {HWLOC_OBJ_L3CACHE, 3, "unified"}, {HWLOC_OBJ_L4CACHE, 4, "unified"},
};

static int count_of(hwloc_topology_t topology, hwloc_obj_type_t type) {
    int count = hwloc_get_nbobjs_by_type(topology, type);
    return count > 0 ? count : 0;
}

static int cpus_below(hwloc_obj_t object) {
    return object->cpuset ? hwloc_bitmap_weight(object->cpuset) : 0;
}

// The same number for all cores, or 0.
static int threads_per_core(hwloc_topology_t topology) {
    int threads = 0;
    for (hwloc_obj_t core = NULL; (core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core));) {
        if (threads && threads != cpus_below(core))
            return 0;
        threads = cpus_below(core);
    }
    return threads;
}

static cJSON *caches(hwloc_topology_t topology) {
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < ARRAY_LEN(cache_types); i++) {
        hwloc_obj_t first = hwloc_get_next_obj_by_type(topology, cache_types[i].type, NULL);
        if (!first || !first->attr)
            continue;
        cJSON *row = cJSON_CreateObject();
        json_add_u64(row, "level", (uint64_t)cache_types[i].level);
        json_add_string(row, "type", cache_types[i].kind);
        json_add_u64(row, "bytes", first->attr->cache.size);
        json_add_u64(row, "line_bytes", first->attr->cache.linesize);
        json_add_u64(row, "count", (uint64_t)count_of(topology, cache_types[i].type));
        json_add_u64(row, "cpus_sharing", (uint64_t)cpus_below(first));
        cJSON_AddItemToArray(list, row);
    }
    return list;
}

// The system's numbers of the CPUs, core by core: what tells which core the CPU that a job is bound to belongs to.
static cJSON *cpu_numbers(hwloc_topology_t topology) {
    cJSON *list = cJSON_CreateArray();
    for (hwloc_obj_t pu = NULL; (pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu));)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(pu->os_index));
    return list;
}

static cJSON *describe(hwloc_topology_t topology) {
    cJSON *object = cJSON_CreateObject();
    int numa = count_of(topology, HWLOC_OBJ_NUMANODE);
    json_add_u64(object, "cpus", (uint64_t)count_of(topology, HWLOC_OBJ_PU));
    json_add_u64(object, "cores", (uint64_t)count_of(topology, HWLOC_OBJ_CORE));
    json_add_u64(object, "packages", (uint64_t)count_of(topology, HWLOC_OBJ_PACKAGE));
    json_add_u64(object, "numa", (uint64_t)(numa ? numa : 1));
    json_add_u64(object, "smt", (uint64_t)threads_per_core(topology));
    cJSON_AddItemToObject(object, "cpu_numbers", cpu_numbers(topology));
    json_add_u64(object, "memory_bytes", hwloc_get_root_obj(topology)->total_memory);
    json_add_u64(object, "page_bytes", (uint64_t)sysconf(_SC_PAGESIZE));
    cJSON_AddItemToObject(object, "caches", caches(topology));
    return object;
}

cJSON *topology_to_json(struct error *err) {
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology)) {
        error_set(err, EXIT_CODE_INTERNAL, "reading the machine's topology");
        error_why(err, "hwloc cannot start");
        return NULL;
    }
    // The whole machine, not only the CPUs that this process may use; instruction caches are left out by default.
    hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    hwloc_topology_set_icache_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_ALL);
    cJSON *object = NULL;
    if (hwloc_topology_load(topology)) {
        error_set(err, EXIT_CODE_INTERNAL, "reading the machine's topology");
        error_why(err, "hwloc cannot read it");
        error_remedy(err, "lstopo from the package hwloc shows what is wrong");
    } else {
        object = describe(topology);
    }
    hwloc_topology_destroy(topology);
    return object;
}
