// SPDX-License-Identifier: Apache-2.0
// What is read from /proc/PID/smaps_rollup and numa_maps.
#include "collectors/footprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void sums_resident_and_huge(void **state) {
    (void)state;
    struct footprint f;
    assert_true(
        footprint_parse("00400000-7ffe ---p 00000000 00:00 0    [rollup]\nRss:    10240 kB\nPss:  9000 kB\n"
                        "AnonHugePages:    4096 kB\nShmemPmdMapped:        0 kB\nFilePmdMapped:        0 kB\n"
                        "Shared_Hugetlb:        0 kB\nPrivate_Hugetlb:     2048 kB\nSwap: 7 kB\n",
                        &f));
    assert_int_equal(f.resident_bytes, (10240 + 2048) << 10);
    assert_int_equal(f.huge_bytes, (4096 + 2048) << 10);
    assert_false(footprint_parse("", &f));
    assert_false(footprint_parse("Pss: 12 kB\n", &f));
    assert_true(footprint_parse("Rss: 4 kB", &f)); // cut off behind the number
    assert_int_equal(f.resident_bytes, 4096);
}

static void sums_pages_on_nodes(void **state) {
    (void)state;
    uint64_t bytes[FOOTPRINT_NODES];
    assert_true(
        footprint_parse_nodes("00400000 default file=/bin/N7=9 mapped=12 N0=10 N1=2 kernelpagesize_kB=4\n"
                              "7f0000000000 bind:1 anon=3 dirty=3 N1=3 kernelpagesize_kB=2048\n"
                              "7f1000000000 default anon=1 N64=1 N0=1\n",
                              bytes));
    assert_int_equal(bytes[0], 11 * 4096);
    assert_int_equal(bytes[1], 2 * 4096 + 3 * (2048 << 10));
    assert_int_equal(bytes[7], 0);
    assert_false(footprint_parse_nodes("00400000 default\n", bytes));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_resident_and_huge),
        cmocka_unit_test(sums_pages_on_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
