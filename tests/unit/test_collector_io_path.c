// SPDX-License-Identifier: Apache-2.0
// Which device is which, and from what the probe saw of it to observations: a made-up sysfs, made-up rows. And
// the collector's beginning, where eBPF is permitted.
#include "collectors/io_path.h"
#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

// --- a made-up machine ----------------------------------------------------------------------------------------------

static char sys[] = "/tmp/metalgap-sys-XXXXXX";

static void folder(const char *path) {
    char *full = mem_printf("%s/%s", sys, path);
    for (char *slash = strchr(full + strlen(sys) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    mkdir(full, 0755);
    free(full);
}

static void file(const char *path, const char *text) {
    char *full = mem_printf("%s/%s", sys, path);
    FILE *f = fopen(full, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    free(full);
}

// A device as sysfs has it: its folder, its number, and a link in its class.
static void device(const char *class, const char *name, const char *below, const char *number_file,
                   const char *number) {
    char *path = mem_printf("devices/%s/%s", below, name);
    char *number_path = mem_printf("%s/%s", path, number_file);
    char *link = mem_printf("%s/class/%s/%s", sys, class, name);
    char *target = mem_printf("../../%s", path);
    folder(path);
    file(number_path, number);
    assert_int_equal(symlink(target, link), 0);
    free(path);
    free(number_path);
    free(link);
    free(target);
}

static int make_machine(void **state) {
    (void)state;
    if (!mkdtemp(sys))
        return -1;
    folder("class/block");
    folder("class/net");
    folder("devices/pci0000:00/0000:00:02.0/msi_irqs/36");
    device("block", "vda", "pci0000:00/0000:00:02.0/virtio1/block", "dev", "254:16\n");
    folder("devices/pci0000:00/0000:00:02.0/virtio1/block/vda/mq/0");
    folder("devices/pci0000:00/0000:00:02.0/virtio1/block/vda/mq/1");
    device("block", "nvme0n1", "pci0000:00/0000:00:03.0/nvme/nvme0", "dev", "259:0\n");
    device("block", "xvda", "vbd-51712/block", "dev", "202:0\n");
    device("net", "eth0", "vif-0/net", "ifindex", "2\n");
    device("net", "eth1", "platform/virtio3/net", "ifindex", "3\n");
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk) {
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int remove_machine(void **state) {
    (void)state;
    return nftw(sys, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

#define DISK(name, path, via) "{\"resource\":\"disk\",\"device\":\"" name "\",\"path\":\"" path "\",\"via\":" via "}"
#define NIC(name, path, via)  "{\"resource\":\"nic\",\"device\":\"" name "\",\"path\":\"" path "\",\"via\":" via "}"
static const char platform_text[] =
    "{\"paths\":[{\"resource\":\"cpu\",\"device\":null,\"path\":\"hardware\"}," DISK("vda", "paravirtual", "\"vmm\"") ","
    DISK("nvme0n1", "offload", "\"nitro-card\"") "," DISK("xvda", "paravirtual", "\"dom0\"") ","
    NIC("eth0", "paravirtual", "\"dom0\"") "," NIC("eth1", "offload", "\"vf\"") ","
    DISK("gone", "paravirtual", "\"vmm\"") "]}";

static struct io_targets find(const char *text) {
    struct io_targets targets = {0};
    cJSON *platform = cJSON_Parse(text);
    assert_non_null(platform);
    io_targets_find(platform, sys, &targets);
    cJSON_Delete(platform);
    return targets;
}

// --- which device is which ------------------------------------------------------------------------------------------

static void the_path_picks_the_cause(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum cause cause;
        enum io_kick kick;
        unsigned number;
    } expected[] = {
        {"vda", CAUSE_HOP_VMM, KICK_VIRTIO, 254U << 20 | 16}, {"nvme0n1", CAUSE_OFFLOAD_NVME, KICK_NONE, 259U << 20},
        {"xvda", CAUSE_HOP_DOM0, KICK_XEN, 202U << 20},       {"eth0", CAUSE_HOP_DOM0, KICK_XEN, 2},
        {"eth1", CAUSE_OFFLOAD_VF, KICK_VIRTIO, 3},
    };
    struct io_targets targets = find(platform_text);
    assert_int_equal(targets.count, ARRAY_LEN(expected)); // one that is gone is none
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_string_equal(targets.items[i].name, expected[i].name);
        assert_int_equal(targets.items[i].cause, expected[i].cause);
        assert_int_equal(targets.items[i].kick, expected[i].kick);
        assert_int_equal(targets.items[i].number, expected[i].number);
    }
    assert_int_equal(targets.items[0].virtio, 1);
    assert_int_equal(targets.items[0].queues, 2);
    assert_true(targets.items[0].irqs[36]);
    io_targets_free(&targets);
}

static void each_way_has_its_cause(void **state) {
    (void)state;
    static const struct {
        const char *path, *via;
        enum cause cause;
    } rows[] = {
        {"paravirtual", "\"vhost\"", CAUSE_HOP_VHOST}, {"paravirtual", "null", CAUSE_HOP_VMM},
        {"paravirtual", "\"vmm\"", CAUSE_HOP_VMM},     {"emulated", "\"vmm\"", CAUSE_HOP_VMM},
        {"offload", "\"vf\"", CAUSE_OFFLOAD_NVME},     {"passthrough", "null", CAUSE_OFFLOAD_NVME},
        {"native", "null", CAUSE_OFFLOAD_NVME},        {"unknown", "null", CAUSE_COUNT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *text = mem_printf("{\"paths\":[" DISK("nvme0n1", "%s", "%s") "]}", rows[i].path, rows[i].via);
        struct io_targets targets = find(text);
        assert_int_equal(targets.count, rows[i].cause != CAUSE_COUNT);
        if (targets.count)
            assert_int_equal(targets.items[0].cause, rows[i].cause);
        io_targets_free(&targets);
        free(text);
    }
    struct io_targets none = {0};
    io_targets_find(NULL, sys, &none);
    assert_int_equal(none.count, 0);
}

static void interrupts_belong_by_number_and_by_name(void **state) {
    (void)state;
    struct io_targets t = find(platform_text);
    assert_true(io_target_has_interrupt(&t.items[0], 36, "whatever"));
    assert_true(io_target_has_interrupt(&t.items[0], 99, "virtio1-req.0"));
    assert_true(io_target_has_interrupt(&t.items[0], 99, "virtio1"));
    assert_false(io_target_has_interrupt(&t.items[0], 99, "virtio10-req.0"));
    assert_true(io_target_has_interrupt(&t.items[1], 99, "nvme0q1"));
    assert_false(io_target_has_interrupt(&t.items[1], 99, "nvme01"));
    assert_false(io_target_has_interrupt(&t.items[2], 99, "blkif"));     // whose it is has to be learned
    assert_true(io_target_has_interrupt(&t.items[3], 99, "vif0-q0-tx")); // its number in Xen, whatever it is called
    assert_false(io_target_has_interrupt(&t.items[3], 99, "vif01-q0-tx"));
    assert_false(io_target_has_interrupt(&t.items[4], 99, "vif1-q0-tx"));
    assert_false(io_target_has_interrupt(&t.items[3], 5000, "eth1-q0-rx"));
    io_targets_free(&t);
}

static const char before_text[] =
    "           CPU0       CPU2       \n"
    " 36:        100          5   PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0\n"
    " 50:          7          0   xen-dyn    -event     blkif\n"
    " 51:          1          1   xen-dyn    -event     vif0-q0-tx\n"
    " 52:          1          1   xen-dyn    -event     vif0-q0-rx\n"
    "LOC:     203278     192773   Local timer interrupts\n"
    "ERR:          0\n";
static const char after_text[] =
    "           CPU0       CPU2       \n"
    " 36:        100         25   PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0\n"
    " 50:         12          2   xen-dyn    -event     blkif\n"
    " 51:          1          1   xen-dyn    -event     vif0-q0-tx\n"
    " 52:          1          1   xen-dyn    -event     vif0-q0-rx\n"
    "LOC:     203278     192773   Local timer interrupts\n";

static void the_interrupt_table_is_read(void **state) {
    (void)state;
    struct interrupts list = {0};
    interrupts_parse(before_text, &list);
    assert_int_equal(list.count, 4);
    assert_int_equal(list.columns, 2);
    assert_int_equal(list.items[0].count, 105);
    assert_int_equal(list.items[0].by_cpu[1], 5);
    assert_string_equal(list.items[0].name, "virtio1-req.0");
    assert_ptr_equal(interrupts_find(&list, 50), &list.items[1]);
    assert_null(interrupts_find(&list, 37));
    interrupts_free(&list);
    static const char *const broken[] = {"", "CPU0", "CPU0\n", "CPU0 CPU1\n 1: 2\n", "\n1: 2 x\n", "CPU0\n1: x y\n"};
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        interrupts_parse(broken[i], &list);
        assert_int_equal(list.count, 0);
        interrupts_free(&list);
    }
}

// --- what they did --------------------------------------------------------------------------------------------------

struct sample {
    struct observations obs;
    struct collector_output out;
};

static const struct observation *seen(const struct sample *s, enum cause cause, enum obs_scope scope) {
    const struct observation *found = NULL;
    for (size_t i = 0; i < s->obs.count; i++) {
        if (s->obs.items[i].cause != cause || s->obs.items[i].scope != scope)
            continue;
        assert_null(found); // one for a cause and scope
        found = &s->obs.items[i];
    }
    return found;
}

static const cJSON *device_of(const struct observation *o, int at) {
    return cJSON_GetArrayItem(cJSON_GetObjectItem(o->detail, "devices"), at);
}

// Whole numbers are kept as text.
static double number(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItem(object, key);
    return !item ? NAN : cJSON_IsRaw(item) ? strtod(item->valuestring, NULL) : item->valuedouble;
}

static void near(double value, double expected) {
    assert_true(fabs(value - expected) <= 1e-9 * fabs(expected) + 1e-15);
}

static void all_of_it_becomes_observations(void **state) {
    (void)state;
    static struct io_cpu cpus[2];
    static struct io_channel channels[IO_IRQS];
    struct sample s = {{0}, {0}};
    struct io_targets targets = find(platform_text);
    struct io_use uses[8];
    struct interrupts before = {0};
    struct interrupts after = {0};
    const bool sees_all[KICK_COUNT] = {true, true, true, true};
    memset(uses, 0, sizeof uses);
    s.out.obs = &s.obs;
    interrupts_parse(before_text, &before);
    interrupts_parse(after_text, &after);
    // vda: 20 requests on two CPUs, of which one was not seen to begin; two waits.
    cpus[0].rows[0] = (struct io_row){.requests = 15, .own = 10, .timed = 14, .ns = 14000, .bytes = 15 * 4096ULL};
    cpus[0].rows[0].hist[9] = 14;
    cpus[1].rows[0] =
        (struct io_row){.requests = 5, .own = 5, .timed = 5, .ns = 5000, .bytes = 5 * 4096ULL, .remote = 4};
    cpus[1].rows[0].hist[10] = 5;
    cpus[1].rows[0].waits = 2;
    cpus[1].rows[0].blocked_ns = 3000;
    cpus[0].kicks[1] = 12;
    cpus[1].kicks[1] = 8;
    cpus[0].kicks[3] = 77; // another device's
    // nvme0n1: one.
    cpus[0].rows[1] = (struct io_row){.requests = 1, .timed = 1, .ns = 500, .bytes = 512};
    // xvda: 4, with 3 notifications, answered twice. Its parts are means of as many requests as each was seen of.
    cpus[1].rows[2] = (struct io_row){.requests = 4,
                                      .timed = 4,
                                      .ns = 8000,
                                      .queued = 2,
                                      .queue_ns = 600,
                                      .submits = 3,
                                      .submit_ns = 600,
                                      .endings = {.count = 3, .ns = 300, .ready = 3, .ready_ns = 1500},
                                      .wakes = 1,
                                      .wake_ns = 700};
    cpus[0].rows[2].endings = (struct io_arrivals){.count = 1, .ns = 300, .ready = 1, .ready_ns = 500};
    channels[50] = (struct io_channel){.kicks = 3, .answered = 2, .ns = 4000, .device = 3};
    channels[51] = (struct io_channel){.kicks = 100, .answered = 10, .ns = 50000}; // eth0's
    channels[52] = (struct io_channel){.kicks = 1, .answered = 1, .ns = 10000000}; // the same; no answer, but a packet
    cpus[0].rows[3] = (struct io_row){.requests = 5,
                                      .timed = 5,
                                      .ns = 5000,
                                      .polled = 8,
                                      .received = {.count = 4, .ns = 1200, .ready = 4, .ready_ns = 2000}};
    io_learn_channels(&targets, channels, &after);
    assert_true(targets.items[2].irqs[50]);
    io_sum(&targets, cpus, 2, uses);
    io_count_kicks(&targets, cpus, 2, channels, &after, sees_all, uses);
    io_count_interrupts(&targets, &before, &after, uses);
    io_path_report(&targets, uses, &s.out);

    const struct observation *o = seen(&s, CAUSE_HOP_VMM, SCOPE_LATENCY);
    assert_non_null(o);
    assert_int_equal(o->basis, BASIS_TIMED);
    assert_int_equal(o->count, 20);
    near(o->seconds, 20e-6); // the one that was not timed took as long as the others
    assert_int_equal(o->hist.count[9], 14);
    assert_int_equal(o->hist.count[10], 5);
    const cJSON *vda = device_of(o, 0);
    assert_string_equal(cJSON_GetObjectItem(vda, "device")->valuestring, "vda");
    assert_string_equal(cJSON_GetObjectItem(vda, "via")->valuestring, "vmm");
    near(number(vda, "requests"), 20);
    near(number(vda, "own"), 15);
    near(number(vda, "seconds"), 20e-6);
    near(number(vda, "bytes"), 20 * 4096);
    near(number(vda, "kicks"), 20);
    near(number(vda, "interrupts"), 20);
    near(number(vda, "interrupt_cpus"), 1);
    near(number(vda, "remote"), 4);
    o = seen(&s, CAUSE_HOP_VMM, SCOPE_BLOCKED);
    assert_int_equal(o->count, 2);
    near(o->seconds, 3e-6);
    near(number(device_of(o, 0), "waits"), 2);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(o->detail, "upper_bound"))); // it holds the device's own time

    const cJSON *nvme = device_of(seen(&s, CAUSE_OFFLOAD_NVME, SCOPE_LATENCY), 0);
    near(number(nvme, "kicks"), 0); // known to need none
    assert_true(isnan(number(nvme, "interrupts")));
    assert_null(cJSON_GetObjectItem(seen(&s, CAUSE_OFFLOAD_NVME, SCOPE_BLOCKED)->detail, "upper_bound"));

    const cJSON *xvda = device_of(seen(&s, CAUSE_HOP_DOM0, SCOPE_LATENCY), 0);
    near(number(xvda, "kicks"), 3);
    near(number(xvda, "interrupts"), 7);
    near(number(xvda, "interrupt_cpus"), 2);
    near(number(xvda, "notify_to_event_s"), 2e-6);
    near(number(xvda, "queue_s"), 300e-9);
    near(number(xvda, "submit_s"), 200e-9);
    near(number(xvda, "cpu_wait_s"), 500e-9);
    near(number(xvda, "complete_s"), 150e-9);
    near(number(xvda, "wake_s"), 700e-9);
    assert_true(isnan(number(xvda, "receive_complete_s")));
    assert_true(isnan(number(vda, "cpu_wait_s"))); // nobody timed it
    const cJSON *eth0 = device_of(seen(&s, CAUSE_HOP_DOM0, SCOPE_LATENCY), 1);
    near(number(eth0, "kicks"), 101);
    near(number(eth0, "notify_to_event_s"), 5e-6);
    assert_string_equal(cJSON_GetObjectItem(eth0, "xenbus")->valuestring, "vif-0");
    near(number(eth0, "polled"), 8);
    near(number(eth0, "receive_cpu_wait_s"), 500e-9);
    near(number(eth0, "receive_complete_s"), 300e-9);
    assert_null(cJSON_GetObjectItem(xvda, "xenbus"));

    assert_null(seen(&s, CAUSE_OFFLOAD_VF, SCOPE_LATENCY)); // nothing was sent
    assert_null(seen(&s, CAUSE_OFFLOAD_VF, SCOPE_BLOCKED)); // nobody can say who waits for a packet
    observations_free(&s.obs);
    interrupts_free(&before);
    interrupts_free(&after);
    io_targets_free(&targets);
}

// By their names; a disk's have none that tells.
static void interfaces_have_their_channels(void **state) {
    (void)state;
    static struct io_channel channels[IO_IRQS];
    static const char table[] =
        "           CPU0\n"
        " 50:          7   xen-dyn    -event     blkif\n"
        " 51:          1   xen-dyn    -event     vif0-q0-tx\n"
        " 52:          1   xen-dyn    -event     eth0-q0-rx\n"
        " 53:          1   xen-dyn    -event     eth0\n"
        " 54:          1   xen-dyn    -event     eth7-q0-rx\n";
    static const unsigned wanted[][3] = {{50, 0, 0}, {51, 4, 0}, {52, 0, 4}, {53, 4, 4}, {54, 0, 0}};
    struct io_targets targets = find(platform_text);
    struct interrupts now = {0};
    interrupts_parse(table, &now);
    assert_int_equal(now.count, ARRAY_LEN(wanted));
    io_tell_channels(&targets, channels, &now);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        assert_int_equal(channels[wanted[i][0]].device, wanted[i][1]);
        assert_int_equal(channels[wanted[i][0]].receiver, wanted[i][2]);
    }
    interrupts_free(&now);
    io_targets_free(&targets);
}

static void what_was_not_counted_is_not_zero(void **state) {
    (void)state;
    static struct io_cpu cpus[1];
    static struct io_channel channels[IO_IRQS];
    struct io_targets targets = find(platform_text);
    struct io_use uses[8];
    struct interrupts now = {0};
    const bool sees_none[KICK_COUNT] = {false};
    memset(uses, 0, sizeof uses);
    io_count_kicks(&targets, cpus, 1, channels, &now, sees_none, uses);
    io_count_interrupts(&targets, &now, &now, uses);
    assert_false(uses[0].kicks_known);
    assert_true(uses[1].kicks_known);
    assert_false(uses[2].kicks_known);
    assert_false(uses[0].interrupts_known);
    io_targets_free(&targets);
}

// Files that this process has open.
static int open_files(void) {
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

// Begins a sample while this process may open so many more files; its programs take one each.
static int begin_with_files(void *collector, int more) {
    struct error err;
    struct rlimit old;
    cpu_set_t cpus;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    struct sample_window w = {.job = getpid(), .cpus = &cpus, .mode = MODE_ATTRIBUTION, .start_ns = 1};
    int next = dup(STDOUT_FILENO);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit few = {(rlim_t)(next + more), old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int result = collector_io_path.begin(collector, &w, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    return result;
}

// end() does not follow a begin() that failed: nothing may be left of it, and the next one works.
static void a_beginning_that_fails_leaves_nothing_open(void **state) {
    (void)state;
    struct collector_status status = {0};
    cJSON *platform =
        cJSON_Parse("{\"paths\": [{\"resource\": \"nic\", \"device\": \"lo\", \"path\": \"paravirtual\"}]}");
    const struct collect_options options = {.platform = platform};
    void *collector = collector_io_path.open(&options, &status);
    cJSON_Delete(platform);
    if (!collector) {
        print_message("skipped: %s\n", status.reason);
        skip();
    }
    int before = open_files();
    for (int more = 0; more < 4; more++) {
        assert_int_equal(begin_with_files(collector, more), -1);
        assert_int_equal(open_files(), before);
    }
    assert_int_equal(begin_with_files(collector, 100), 0);
    collector_io_path.close(collector);
    assert_true(open_files() < before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_path_picks_the_cause),
        cmocka_unit_test(each_way_has_its_cause),
        cmocka_unit_test(interrupts_belong_by_number_and_by_name),
        cmocka_unit_test(the_interrupt_table_is_read),
        cmocka_unit_test(all_of_it_becomes_observations),
        cmocka_unit_test(interfaces_have_their_channels),
        cmocka_unit_test(what_was_not_counted_is_not_zero),
        cmocka_unit_test(a_beginning_that_fails_leaves_nothing_open),
    };
    return cmocka_run_group_tests(tests, make_machine, remove_machine);
}
