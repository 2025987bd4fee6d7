// SPDX-License-Identifier: Apache-2.0
// The PMU's self-test on made-up counts, real software events, and the topology.
#include "collectors/collectors.h"
#include "collectors/pmu_events.h"
#include "collectors/topology.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void lying_counters_are_found(void **state) {
    (void)state;
    const struct {
        double instructions, cycles;
        bool believable;
    } cases[] = {
        {1000, 1000, true},  {1090, 910, true},  {1000, 0, false},       {0, 1000, false},
        {1000, 1200, false}, {800, 1000, false}, {1000000, 1000, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[128] = "";
        const struct pmu_loop loop = {1000, 1000, cases[i].instructions, cases[i].cycles};
        assert_int_equal(pmu_loop_believable(&loop, why, sizeof why), cases[i].believable);
        assert_int_equal(why[0] != '\0', !cases[i].believable);
    }
}

static void self_test_gives_a_reason(void **state) {
    (void)state;
    char why[128] = "";
    char hint[128] = "";
    bool works = pmu_self_test(why, sizeof why, hint, sizeof hint);
    assert_int_equal(why[0] != '\0', !works);
    assert_int_equal(hint[0] != '\0', !works);
}

enum { PAGES = 64 };

static void touch_pages(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    volatile char *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    madvise((void *)memory, PAGES * page, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < PAGES; i++)
        memory[i * page] = 1;
    munmap((void *)memory, PAGES * page);
}

static void software_events_count(void **state) {
    (void)state;
    const struct pmu_target self = {.pid = 0, .cpu = -1, .user_only = true};
    int fd = pmu_open(pmu_software[PMU_PAGE_FAULTS].name, &self, -1);
    if (fd == -EACCES || fd == -EPERM) {
        print_message("skipped: perf_event_open is not permitted\n");
        skip();
    }
    assert_true(fd >= 0);
    assert_int_equal(pmu_enable(fd), 0);
    touch_pages();
    struct pmu_count count;
    assert_int_equal(pmu_read(fd, &count), 0);
    assert_true(count.value >= PAGES);
    assert_true(count.running_share == 1);
    close(fd);
    assert_true(pmu_read(-1, &count) < 0);
    assert_int_equal(pmu_open("perf::NO_SUCH_EVENT", &self, -1), -ENOSYS);
}

static void collector_counts_its_job(void **state) {
    (void)state;
    struct error err;
    struct collector_status status = {0};
    const struct collect_options options = {0};
    void *pmu = collector_pmu.open(&options, &status);
    if (!pmu) {
        print_message("skipped: %s\n", status.reason);
        skip();
    }
    struct observations obs = {0};
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof cpus, &cpus);
    struct collector_output out = {&obs, cJSON_CreateObject(), cJSON_CreateArray()};
    struct sample_window window = {.job = getpid(), .cpus = &cpus, .mode = MODE_ATTRIBUTION, .start_ns = 1};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(collector_pmu.begin(pmu, &window, &err), 0);
        touch_pages();
        window.end_ns = 2;
        assert_int_equal(collector_pmu.end(pmu, &window, &out, &err), 0);
    }
    const cJSON *faults = cJSON_GetObjectItem(out.circumstances, "pmu_page_faults");
    assert_true(cJSON_IsNumber(faults));
    assert_true(faults->valuedouble >= PAGES); // group members count, too, not only their leader
    assert_int_equal(cJSON_GetArraySize(out.notes), 0);
    collector_pmu.close(pmu);
    cJSON_Delete(out.circumstances);
    cJSON_Delete(out.notes);
}

static void topology(void **state) {
    (void)state;
    struct error err;
    cJSON *json = topology_to_json(&err);
    assert_non_null(json);
    char *line = json_print_line(json);
    cJSON_Delete(json);
    json = cJSON_Parse(line);
    free(line);
    static const char *const keys[] = {"cpus", "numa", "memory_bytes", "page_bytes"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        uint64_t value = 0;
        assert_int_equal(json_get_u64(json, keys[i], JSON_REQUIRED, &value, &err), 1);
        assert_true(value > 0);
    }
    uint64_t cpus = 0;
    json_get_u64(json, "cpus", JSON_REQUIRED, &cpus, &err);
    assert_int_equal(cpus, sysconf(_SC_NPROCESSORS_ONLN));
    cJSON_Delete(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lying_counters_are_found),
        cmocka_unit_test(self_test_gives_a_reason),
        cmocka_unit_test(software_events_count),
        cmocka_unit_test(collector_counts_its_job),
        cmocka_unit_test(topology),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
