// SPDX-License-Identifier: Apache-2.0
// Replays a fuzz target's corpus (CORPUS, a folder) as a unit test, without libFuzzer.
#include "core/json.h"
#include "tests/fuzz/fuzz.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>

static void corpus(void **state) {
    (void)state;
    struct dirent **files = NULL;
    int count = scandir(CORPUS, &files, NULL, alphasort);
    assert_true(count > 2); // besides . and ..
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", CORPUS, files[i]->d_name);
        if (files[i]->d_name[0] != '.') {
            struct error err;
            size_t size = 0;
            char *data = json_read_file(path, (size_t)1 << 20, &size, &err);
            assert_non_null(data);
            assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)data, size), 0);
            free(data);
        }
        free(files[i]);
    }
    free(files);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(corpus)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
