// SPDX-License-Identifier: Apache-2.0
// Dom0's names and disks, read from a made-up sysfs, and the arithmetic of its windows.
#include "collectors/dom0_windows.h"
#include "collectors/xen_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEV(major, minor) ((major) << 20 | (minor))

static char root[] = "/tmp/metalgap-xen-test-XXXXXX";

// Makes the file and the folders before it. No text: a symbolic link's target.
static void put(const char *path, const char *text) {
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = strchr(full + sizeof root, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void point(const char *path, const char *target) {
    char full[512];
    put(path, "");
    snprintf(full, sizeof full, "%s/%s", root, path);
    unlink(full);
    assert_int_equal(symlink(target, full), 0);
}

static int make_root(void **state) {
    (void)state;
    if (!mkdtemp(root))
        return -1;
    put("sys/hypervisor/type", "xen\n");
    put("sys/hypervisor/properties/features", "00002705\n"); // no bit 11 yet
    // A loop device, a partition, and a logical volume over two partitions of different disks.
    put("sys/bus/xen-backend/devices/vbd-1-51712/physical_device", "7:2\n");
    put("sys/bus/xen-backend/devices/vbd-1-51728/physical_device", "8:5\n");
    put("sys/bus/xen-backend/devices/vbd-12-51712/physical_device", "fd:0\n");
    put("sys/bus/xen-backend/devices/vif-1-0/nodename", "backend/vif/1/0\n");
    put("sys/devices/loop2/dev", "7:2\n");
    put("sys/devices/sda/dev", "8:0\n");
    put("sys/devices/sda/sda5/dev", "8:5\n");
    put("sys/devices/sda/sda5/partition", "5\n");
    put("sys/devices/sdb/dev", "8:16\n");
    put("sys/devices/sdb/sdb1/dev", "8:17\n");
    put("sys/devices/sdb/sdb1/partition", "1\n");
    put("sys/devices/dm-0/dev", "253:0\n");
    point("sys/devices/dm-0/slaves/sda5", "../../sda/sda5");
    point("sys/devices/dm-0/slaves/sdb1", "../../sdb/sdb1");
    point("sys/dev/block/7:2", "../../devices/loop2");
    point("sys/dev/block/8:0", "../../devices/sda");
    point("sys/dev/block/8:5", "../../devices/sda/sda5");
    point("sys/dev/block/8:17", "../../devices/sdb/sdb1");
    point("sys/dev/block/253:0", "../../devices/dm-0");
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int remove_root(void **state) {
    (void)state;
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_dom0_is_told_by_its_feature(void **state) {
    (void)state;
    assert_false(xen_is_dom0(root));
    put("sys/hypervisor/properties/features", "00002f05\n");
    assert_true(xen_is_dom0(root));
    assert_false(xen_is_dom0("/nonexistent"));
}

static const struct xen_place *find(const struct xen_place *all, size_t count, uint32_t domid, uint32_t vdev) {
    for (size_t i = 0; i < count; i++)
        if (all[i].domid == domid && all[i].vdev == vdev)
            return &all[i];
    fail();
    return NULL;
}

static void test_devices_lead_to_whole_disks(void **state) {
    (void)state;
    struct xen_place *all;
    size_t count = xen_places(root, &all);
    assert_int_equal(count, 4);
    assert_int_equal(find(all, count, 1, 0)->disk_count, 0); // a network interface
    const struct xen_place *loop = find(all, count, 1, 51712);
    assert_int_equal(loop->disk_count, 1);
    assert_int_equal(loop->disks[0], DEV(7U, 2U));
    const struct xen_place *partition = find(all, count, 1, 51728);
    assert_int_equal(partition->disk_count, 1);
    assert_int_equal(partition->disks[0], DEV(8U, 0U));
    const struct xen_place *volume = find(all, count, 12, 51712);
    assert_int_equal(volume->disk_count, 2);
    assert_int_equal(volume->disks[0] + volume->disks[1], DEV(8U, 0U) + DEV(8U, 16U));
    free(all);
    char name[32];
    xen_disk_name(root, DEV(7U, 2U), name, sizeof name);
    assert_string_equal(name, "loop2");
    xen_disk_name(root, DEV(9U, 9U), name, sizeof name);
    assert_string_equal(name, "9:9");
}

static void test_devices_are_called_as_the_guest_calls_them(void **state) {
    (void)state;
    static const struct {
        uint32_t vdev;
        const char *thread, *name;
    } cases[] = {{51712, "1.xvda-0", "xvda"},
                 {51712, "12.my-disk-3", "my-disk"},
                 {51712, "", "xvda"},
                 {51729, "", "xvdb1"},
                 {2048, "", "sda"},
                 {2065, "", "sdb1"},
                 {768, "", "hda"},
                 {5696, "", "hdd"},
                 {0x10000000 | 16 << 8, "", "xvdq"},
                 {0x10000000 | 3, "", "xvda3"},
                 {12345678, "", "12345678"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[32];
        xen_device_name(cases[i].vdev, cases[i].thread, name, sizeof name);
        assert_string_equal(name, cases[i].name);
    }
}

static void test_a_window_is_what_the_sums_have_grown(void **state) {
    (void)state;
    struct dom0_sums before = {.notices = 5, .requests = 10, .answers = 11, .ns = {1, 2, 3, 4, 5}};
    struct dom0_sums now = {.notices = 6, .requests = 30, .answers = 33, .unannounced = 2, .thread_ns = 7000000};
    now.ns[DOM0_NOTIFY] = 1000001;
    now.ns[DOM0_WAKEUP] = 2000002;
    now.ns[DOM0_SERVICE] = 3000003;
    now.ns[DOM0_DEVICE] = 4000004;
    now.ns[DOM0_COMPLETION] = 5000005;
    now.hist[20] = 20;
    struct dom0_sums grown = dom0_sums_since(&before, &now);
    assert_int_equal(grown.hist[20], 20);
    cJSON *device = dom0_device_to_json("xvda", "1.xvda-0", DOM0_BLOCK, &grown);
    char *written = json_print_line(device);
    cJSON_Delete(device);
    device = cJSON_Parse(written);
    free(written);
    assert_int_equal(cJSON_GetObjectItem(device, "requests")->valueint, 20);
    assert_int_equal(cJSON_GetObjectItem(device, "answers")->valueint, 22);
    assert_int_equal(cJSON_GetObjectItem(device, "notifications")->valueint, 1);
    assert_float_equal(cJSON_GetObjectItem(device, "seconds")->valuedouble, 0.015, 1e-12);
    const cJSON *segments = cJSON_GetObjectItem(device, "segments");
    static const char *const keys[] = {"notify_s", "wakeup_s", "service_s", "device_s", "completion_s"};
    for (int i = 0; i < DOM0_SEGMENTS; i++)
        assert_float_equal(cJSON_GetObjectItem(segments, keys[i])->valuedouble, 0.001 * (i + 1), 1e-12);
    assert_float_equal(cJSON_GetObjectItem(device, "cpu_s")->valuedouble, 0.007, 1e-12);
    cJSON_Delete(device);
}

static void test_packets_have_no_device_and_come_without_notification(void **state) {
    (void)state;
    struct dom0_sums before = {.packets = 3, .dropped = 1};
    struct dom0_sums now = {.requests = 5, .answers = 6, .packets = 8, .dropped = 3, .ns = {1, 2, 3, 4, 5}};
    struct dom0_sums grown = dom0_sums_since(&before, &now);
    static const struct {
        enum dom0_kind kind;
        const char *direction;
        int segments;
    } cases[] = {{DOM0_SENDS, "send", 4}, {DOM0_RECEIVES, "receive", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *device = dom0_device_to_json("vif-0", "vif1.0-q0", cases[i].kind, &grown);
        assert_string_equal(cJSON_GetObjectItem(device, "direction")->valuestring, cases[i].direction);
        assert_string_equal(cJSON_GetObjectItem(device, "resource")->valuestring, "nic");
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(device, "segments")), cases[i].segments);
        char *written = json_print_line(device);
        assert_non_null(strstr(written, "\"packets\":5"));
        assert_non_null(strstr(written, "\"dropped\":2"));
        assert_null(strstr(written, "device_s"));
        free(written);
        cJSON_Delete(device);
    }
}

static void test_elsewhere_one_line_says_so(void **state) {
    (void)state;
    struct collector_status status = {.state = COLLECTOR_ACTIVE};
    if (xen_is_dom0(""))
        skip();
    assert_null(xen_dom0_open(XEN_DOM0_ALL, &status));
    assert_int_equal(status.state, COLLECTOR_UNAVAILABLE);
    assert_string_equal(status.reason, "this is not Xen's Dom0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dom0_is_told_by_its_feature),
        cmocka_unit_test(test_devices_lead_to_whole_disks),
        cmocka_unit_test(test_devices_are_called_as_the_guest_calls_them),
        cmocka_unit_test(test_a_window_is_what_the_sums_have_grown),
        cmocka_unit_test(test_packets_have_no_device_and_come_without_notification),
        cmocka_unit_test(test_elsewhere_one_line_says_so),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
