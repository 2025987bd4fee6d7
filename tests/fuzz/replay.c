// SPDX-License-Identifier: Apache-2.0
// Replays a fuzz target's corpus as a unit test, without libFuzzer. Built as replay_NAME, it reads
// tests/fuzz/corpus/NAME.
#include "core/json.h"
#include "tests/fuzz/fuzz.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <string.h>

static void corpus(void **state) {
    const char *folder = *state;
    struct dirent **files = NULL;
    int count = scandir(folder, &files, NULL, alphasort);
    assert_true(count > 2); // besides . and ..
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, files[i]->d_name);
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

int main(int argc, char **argv) {
    (void)argc;
    char folder[256];
    const char *name = strstr(argv[0], "replay_");
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", name ? name + strlen("replay_") : "");
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(corpus, folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
