// SPDX-License-Identifier: Apache-2.0
// What a run notes of its surroundings: limits of control groups, CPU features, libraries.
#include "collectors/cgroup_limits.h"
#include "collectors/circumstances.h"

#include "core/memory.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Writes a file, and the folders above it.
static void put(const char *root, const char *name, const char *text) {
    char *path = mem_printf("%s/%s", root, name);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    free(path);
}

static int take_away(const char *path, const struct stat *about, int kind, struct FTW *place) {
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

// Of a tree, which is gone then.
static cJSON *limits_of(const char *root) {
    cJSON *object = cJSON_CreateObject();
    char *proc = mem_printf("%s/proc", root);
    char *sys = mem_printf("%s/sys", root);
    cgroup_limits_add(object, proc, sys);
    free(proc);
    free(sys);
    nftw(root, take_away, 8, FTW_DEPTH | FTW_PHYS);
    return object;
}

static const char *limit(const cJSON *object, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static void the_tightest_group_counts(void **state) {
    (void)state;
    char root[] = "/tmp/metalgap-cgroup-XXXXXX";
    assert_non_null(mkdtemp(root));
    put(root, "proc/self/cgroup", "0::/batch/job1/step\n");
    put(root, "sys/fs/cgroup/batch/cpu.max", "400000 100000\n");
    put(root, "sys/fs/cgroup/batch/job1/cpu.max", "max 100000\n");
    put(root, "sys/fs/cgroup/batch/job1/step/cpu.max", "500000 100000\n");
    put(root, "sys/fs/cgroup/batch/job1/memory.max", "1073741824\n");
    put(root, "sys/fs/cgroup/batch/job1/step/memory.max", "max\n");
    put(root, "sys/fs/cgroup/batch/job2/cpu.max", "1000 100000\n"); // somebody else's
    cJSON *object = limits_of(root);
    assert_string_equal(limit(object, "cgroup_cpu_max"), "400000 100000");
    assert_string_equal(limit(object, "cgroup_memory_max"), "1073741824");
    assert_null(limit(object, "cgroup_cpu_quota_us"));
    cJSON_Delete(object);
}

static void version_1_has_a_tree_for_each_controller(void **state) {
    (void)state;
    char root[] = "/tmp/metalgap-cgroup-XXXXXX";
    assert_non_null(mkdtemp(root));
    put(root, "proc/self/cgroup", "4:memory:/m\n2:cpu,cpuacct:/\n0::/\n");
    put(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(root, "sys/fs/cgroup/memory/m/memory.limit_in_bytes", "2147483648\n");
    cJSON *object = limits_of(root);
    assert_null(limit(object, "cgroup_cpu_quota_us"));
    assert_string_equal(limit(object, "cgroup_memory_limit"), "2147483648");
    cJSON_Delete(object);
}

static void without_control_groups_there_is_nothing(void **state) {
    (void)state;
    cJSON *object = limits_of("/nonexistent");
    assert_null(object->child);
    cJSON_Delete(object);
}

static void this_machine_is_told(void **state) {
    (void)state;
    cJSON *object = circumstances_to_json();
    const cJSON *libraries = cJSON_GetObjectItemCaseSensitive(object, "libraries");
    assert_string_equal(limit(libraries, "libc"), gnu_get_libc_version());
    assert_non_null(limit(libraries, "libhwloc")); // we are built with it
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(object, "cpu_flags")) > 8);
    cJSON_Delete(object);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tightest_group_counts),
        cmocka_unit_test(version_1_has_a_tree_for_each_controller),
        cmocka_unit_test(without_control_groups_there_is_nothing),
        cmocka_unit_test(this_machine_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
