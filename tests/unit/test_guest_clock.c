// SPDX-License-Identifier: Apache-2.0
// A guest's TSC as a time of the host's clock, held against 128-bit arithmetic.
#include "probes/guest_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

// The clock of a host of 3 GHz that has run for ten days, told a few milliseconds ago.
static const struct guest_clock_source host = {
    .cycle_last = 3000000000ULL * 864000,
    .ns = 864000000000000ULL,
    .mult = 5592405, // 2^24 / 3
    .shift = 24,
    .ratio_bits = 32,
};

static uint64_t guests(const struct guest_clock_source *s, uint64_t host_ticks) {
    unsigned __int128 product = (unsigned __int128)host_ticks * s->ratio;
    return s->offset + (s->ratio > 1 ? (uint64_t)(product >> s->ratio_bits) : host_ticks);
}

static void expect_times(const struct guest_clock_source *s) {
    for (int64_t away = -30000000; away <= 30000000; away += 333333) { // 10 ms before and behind
        struct kvm_clock clock = {0};
        uint64_t ns = s->ns + (uint64_t)(away / 3);
        guest_clock_make(s, guests(s, s->cycle_last + (uint64_t)away), &clock);
        assert_true(llabs((int64_t)(clock.ns - ns)) <= 5);
        for (int64_t later = 0; later < 60000000; later += 7654321) { // and up to 20 ms behind that
            uint64_t told = guest_clock_ns(&clock, guests(s, s->cycle_last + (uint64_t)(away + later)));
            assert_true(llabs((int64_t)(told - ns - (uint64_t)(later / 3))) <= 10);
        }
    }
}

static void test_a_guest_with_an_offset(void **state) {
    (void)state;
    struct guest_clock_source s = host;
    for (s.ratio = 0; s.ratio < 2; s.ratio++) {
        s.offset = 0;
        expect_times(&s);
        s.offset = 0 - host.cycle_last - 12345; // the guest's counter began a moment ago
        expect_times(&s);
    }
    s.ratio = 1ULL << 32;
    expect_times(&s);
}

static void test_a_guest_whose_counter_is_slower_or_faster(void **state) {
    (void)state;
    struct guest_clock_source s = host;
    s.offset = 0 - host.cycle_last;
    for (s.ratio_bits = 32; s.ratio_bits <= 48; s.ratio_bits += 16) {
        s.ratio = (1ULL << s.ratio_bits) / 3 * 2;
        expect_times(&s);
        s.ratio = (1ULL << s.ratio_bits) / 10 * 13;
        expect_times(&s);
    }
}

static void test_products_lose_no_bit(void **state) {
    (void)state;
    const uint64_t ticks[] = {0, 1, UINT32_MAX, 1ULL << 32, 0x123456789abcdefULL, UINT64_MAX >> 8};
    const uint64_t ratios[] = {3, 0xffffffffULL, 1ULL << 32, 0x1234567890abULL, 3ULL << 47};
    for (size_t i = 0; i < sizeof ticks / sizeof ticks[0]; i++)
        for (size_t j = 0; j < sizeof ratios / sizeof ratios[0]; j++)
            for (uint32_t bits = 32; bits <= 48; bits += 16)
                assert_true(guest_clock_scaled(ticks[i], ratios[j], bits) ==
                            (uint64_t)((unsigned __int128)ticks[i] * ratios[j] >> bits));
}

// Another offset was written behind our back: the time told is far away, which the caller sees.
static void test_another_offset_is_far_away(void **state) {
    (void)state;
    struct kvm_clock clock = {0};
    guest_clock_make(&host, host.cycle_last, &clock);
    assert_true(guest_clock_ns(&clock, host.cycle_last - 1000) < host.ns ||
                guest_clock_ns(&clock, host.cycle_last - 1000) > host.ns + 1000000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_guest_with_an_offset),
        cmocka_unit_test(test_a_guest_whose_counter_is_slower_or_faster),
        cmocka_unit_test(test_products_lose_no_bit),
        cmocka_unit_test(test_another_offset_is_far_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
