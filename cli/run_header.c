// SPDX-License-Identifier: Apache-2.0
// The header of a run. See run_header.h.
#include "cli/run_header.h"

#include "collectors/circumstances.h"
#include "collectors/topology.h"
#include "core/arch.h"
#include "core/clock.h"
#include "core/json.h"
#include "detect/detect.h"
#include "version.h"

#include <math.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

static cJSON *tool_json(void) {
    cJSON *tool = cJSON_CreateObject();
    cJSON_AddStringToObject(tool, "version", METALGAP_VERSION);
    cJSON_AddStringToObject(tool, "commit", METALGAP_COMMIT);
    return tool;
}

static cJSON *kernel_json(const struct utsname *name) {
    cJSON *kernel = cJSON_CreateObject();
    json_add_string(kernel, "release", name->release);
    json_add_string(kernel, "version", name->version);
    json_add_string(kernel, "machine", name->machine);
    return kernel;
}

// The same moment by the counter and by the wall clock: what joins journals of machines whose counters differ.
static void add_anchor(cJSON *clock) {
    struct timespec wall;
    uint64_t before = arch_ticks();
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t after = arch_ticks();
    json_add_u64(clock, "at_tsc", before + (after - before) / 2);
    json_add_u64(clock, "at_unix_ns", (uint64_t)wall.tv_sec * 1000000000 + (uint64_t)wall.tv_nsec);
}

static cJSON *clock_json(const cJSON *circumstances) {
    struct clock_ticks ticks;
    clock_calibrate(0.05, &ticks);
    cJSON *clock = cJSON_CreateObject();
    const cJSON *source = cJSON_GetObjectItemCaseSensitive(circumstances, "clocksource");
    json_add_string(clock, "source", cJSON_IsString(source) ? source->valuestring : NULL);
    json_add_double(clock, "tsc_hz", ticks.hz > 0 ? ticks.hz : NAN);
    json_add_double(clock, "tsc_hz_se", ticks.hz > 0 ? ticks.hz_se : NAN);
    cJSON_AddBoolToObject(clock, "tsc_stated", ticks.stated);
    cJSON_AddBoolToObject(clock, "tsc_invariant", ticks.invariant);
    add_anchor(clock);
    return clock;
}

// A machine of its own is metal, a hypervisor's host is a host, everything else is a guest.
static const char *role_of(const cJSON *platform) {
    const char *kind = json_text(platform, "kind");
    const char *hypervisor = json_text(platform, "hypervisor");
    if (strcmp(kind, "host") == 0)
        return "host";
    if (strcmp(kind, "bare-metal") == 0)
        return "metal";
    if (strcmp(kind, "container") == 0 && strcmp(hypervisor, "none") == 0)
        return "metal";
    return "guest";
}

cJSON *run_header(const char *label, const char *role, int argc, char **argv) {
    struct utsname name = {0};
    cJSON *header = cJSON_CreateObject();
    cJSON *platform_object = detect_live_json(true);
    cJSON *topology = topology_to_json(NULL);
    cJSON *circumstances = circumstances_to_json();
    uname(&name);
    const char *instance = json_text(platform_object, "instance_type");
    cJSON_AddItemToObject(header, "tool", tool_json());
    json_add_string(header, "label", label ? label : instance[0] ? instance : name.nodename);
    json_add_string(header, "role", role ? role : role_of(platform_object));
    json_add_string(header, "host", name.nodename);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(header, "nodes"), cJSON_CreateString(name.nodename));
    cJSON_AddItemToObject(header, "platform", platform_object);
    cJSON_AddItemToObject(header, "topology", topology ? topology : cJSON_CreateObject());
    cJSON_AddItemToObject(header, "kernel", kernel_json(&name));
    cJSON_AddItemToObject(header, "clock", clock_json(circumstances));
    cJSON_AddItemToObject(header, "circumstances", circumstances);
    cJSON *command = cJSON_AddArrayToObject(header, "command");
    cJSON_AddItemToArray(command, cJSON_CreateString("metalgap"));
    for (int i = 0; i < argc; i++)
        cJSON_AddItemToArray(command, cJSON_CreateString(argv[i]));
    return header;
}
