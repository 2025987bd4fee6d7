// SPDX-License-Identifier: Apache-2.0
// Fuzzes detection over a sysroot in memory: no evidence may crash it, and what it says is well-formed.
// Input: files as "@PATH\n" and their bytes, up to the next "\n@"; or, if the first byte is below ' ', the rest of the
// input as the content of every file there is.
#include "core/json.h"
#include "core/memory.h"
#include "detect/detect.h"
#include "detect/view.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { FILES_MAX = 48, PATH_MAX_LENGTH = 128 };

struct folder {
    struct memory_file files[FILES_MAX];
    char paths[FILES_MAX][PATH_MAX_LENGTH];
    size_t count;
};

static const char *const all_files[] = {
    "cpuid.txt",
    "uname_m.txt",
    "dmesg.txt",
    "proc/cpuinfo",
    "proc/sysinfo",
    "proc/modules",
    "proc/version",
    "proc/interrupts",
    "proc/1/environ",
    "proc/1/cgroup",
    "proc/self/cgroup",
    "proc/self/status",
    "proc/self/mountinfo",
    "proc/self/ns/pid",
    "proc/bus/pci/devices",
    "proc/xen/capabilities",
    "proc/ppc64/lparcfg",
    "proc/device-tree/compatible",
    "proc/device-tree/hypervisor/compatible",
    "sys/hypervisor/type",
    "sys/hypervisor/guest_type",
    "sys/hypervisor/properties/features",
    "sys/class/dmi/id/sys_vendor",
    "sys/class/dmi/id/product_name",
    "sys/class/dmi/id/product_version",
    "sys/class/dmi/id/product_uuid",
    "sys/class/dmi/id/chassis_asset_tag",
    "sys/class/dmi/id/chassis_vendor",
    "sys/class/dmi/id/bios_vendor",
    "sys/firmware/acpi/tables/FACP",
    "sys/firmware/dmi/entries/0-0/raw",
    "sys/devices/system/clocksource/clocksource0/current_clocksource",
    "sys/class/tty/console/active",
    "sys/class/block/nvme0n1",
    "sys/class/nvme/nvme0",
    "sys/class/nvme/nvme0/model",
    "sys/class/net/eth0",
    "sys/bus/pci/devices/0000:00:01.0",
    "sys/bus/pci/devices/0000:00:02.0/uevent",
    "sys/bus/pci/devices/0000:00:03.0/vendor",
    "sys/bus/pci/devices/0000:00:03.0/device",
    "sys/bus/virtio/devices/virtio0/device",
    "sys/bus/vmbus/devices/a/class_id",
    "run/systemd/container",
    "msr/0xc0010131",
};

static void add(struct folder *folder, const char *path, size_t length, const uint8_t *data, size_t size) {
    if (folder->count == FILES_MAX || length >= PATH_MAX_LENGTH)
        return;
    memcpy(folder->paths[folder->count], path, length);
    folder->files[folder->count] =
        (struct memory_file){.path = folder->paths[folder->count], .data = (const char *)data, .size = size};
    folder->count++;
}

static void split(struct folder *folder, const uint8_t *data, size_t size) {
    const uint8_t *end = data + size;
    while (data < end && *data == '@') {
        const uint8_t *line = memchr(data, '\n', (size_t)(end - data));
        if (!line)
            return;
        const uint8_t *next = memmem(line, (size_t)(end - line), "\n@", 2);
        const uint8_t *stop = next ? next : end;
        const uint8_t *content = line + 1 < stop ? line + 1 : stop;
        add(folder, (const char *)data + 1, (size_t)(line - data - 1), content, (size_t)(stop - content));
        data = next ? next + 1 : end;
    }
}

static void check(const struct platform *p) {
    FUZZ_CHECK(p->kind && p->hypervisor && p->cvm && p->type_reason);
    FUZZ_CHECK(p->confidence >= 0 && p->confidence <= 1);
    cJSON *json = platform_to_json(p);
    char *line = json_print_line(json);
    struct error err = {0};
    cJSON *again = json_parse(line, strlen(line), (struct json_origin){"platform", 1}, &err);
    FUZZ_CHECK(again);
    cJSON_Delete(again);
    cJSON_Delete(json);
    free(line);
    struct str text = {0};
    platform_view(p, &text);
    platform_explain(p, &text);
    FUZZ_CHECK(text.length > 0);
    str_free(&text);
    FUZZ_CHECK(platform_is(p, p->kind) == 1 || platform_is(p, p->kind) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct folder folder;
    memset(&folder, 0, sizeof folder);
    if (size && data[0] < ' ')
        for (size_t i = 0; i < ARRAY_LEN(all_files); i++)
            add(&folder, all_files[i], strlen(all_files[i]), data + 1, size - 1);
    else
        split(&folder, data, size);
    struct sysroot root;
    struct platform p;
    sysroot_open_memory(&root, folder.files, folder.count);
    detect_sysroot(&root, true, &p, NULL);
    // Printing takes longer than detecting; its input are the same short strings again and again.
    if (size % 8 == 0)
        check(&p);
    platform_free(&p);
    sysroot_close(&root);
    return 0;
}
