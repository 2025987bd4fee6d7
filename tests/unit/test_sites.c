// SPDX-License-Identifier: Apache-2.0
// Where in the program the exits were, from what journals say.
#include "core/memory.h"
#include "report/sites.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// One sample's line with one observation whose detail is `detail`.
static void add(struct sites *sites, bool valid, const char *detail) {
    struct observation o = {.cause = CAUSE_EXIT_CPUID, .detail = cJSON_Parse(detail)};
    struct observations obs = {0};
    assert_non_null(o.detail);
    observations_add(&obs, o);
    const struct journal_sample s = {.valid = valid, .mode = MODE_ATTRIBUTION, .obs = obs};
    sites_add(sites, &s);
    observations_free(&obs);
}

static void sums_over_samples(void **state) {
    (void)state;
    struct sites sites = {0};
    assert_null(sites_sentence(&sites, CAUSE_EXIT_CPUID));
    add(&sites, true,
        "{\"ticks\":20,\"sites\":[{\"address\":\"0x10\",\"site\":\"f+0x2\",\"module\":\"/usr/bin/a\","
        "\"line\":\"a.c:7\",\"ticks\":5},{\"address\":\"0x20\",\"ticks\":15}]}");
    add(&sites, true,
        "{\"ticks\":80,\"sites\":[{\"address\":\"0x110\",\"site\":\"f+0x2\",\"module\":\"/usr/bin/a\","
        "\"line\":\"a.c:7\",\"ticks\":75}]}");
    add(&sites, false, "{\"ticks\":1000,\"sites\":[{\"address\":\"0x30\",\"ticks\":1000}]}");
    sites_sort(&sites);
    assert_int_equal(sites.count, 2);
    char *sentence = sites_sentence(&sites, CAUSE_EXIT_CPUID);
    assert_string_equal(sentence, "exit.cpuid: 80 % at f+0x2 (a.c:7) in a, 15 % at 0x20");
    free(sentence);
    assert_null(sites_sentence(&sites, CAUSE_EXIT_PIO));
    sites_free(&sites);
}

static void bears_what_does_not_fit(void **state) {
    (void)state;
    struct sites sites = {0};
    add(&sites, true, "{\"ticks\":\"x\",\"sites\":[1,null,{},{\"site\":3,\"ticks\":-4},{\"site\":\"g\",\"ticks\":3}]}");
    add(&sites, true, "{\"ticks\":12,\"sites\":{}}");
    add(&sites, true, "[]");
    sites_sort(&sites);
    assert_true(sites.ticks[CAUSE_EXIT_CPUID] == 0);
    assert_null(sites_sentence(&sites, CAUSE_EXIT_CPUID)); // too few to say anything
    for (size_t i = 0; i < sites.count; i++)
        assert_true(sites_pct(&sites, &sites.items[i]) >= 0 && sites_pct(&sites, &sites.items[i]) <= 100);
    for (int i = 0; i < 1500; i++) {
        char *detail = mem_printf("{\"ticks\":1,\"sites\":[{\"address\":\"0x%x\",\"ticks\":1}]}", i);
        add(&sites, true, detail);
        free(detail);
    }
    assert_true(sites.count <= 1000 && sites.ticks[CAUSE_EXIT_CPUID] == 1500);
    sites_free(&sites);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_over_samples),
        cmocka_unit_test(bears_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
