// SPDX-License-Identifier: Apache-2.0
// Fuzzes the JSON readers: no input may crash them, a refusal has a place, what is taken can be written and read again;
// what the quick one takes the strict one takes, too, and makes the same of it.
#include "core/json_quick.h"
#include "core/str.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_same.h"

#include <stdlib.h>
#include <string.h>

static const struct json_origin origin = {"input", 1};

// A second text in the same memory: nothing of the first may be left.
static void check_quick(const char *text, size_t length, const cJSON *tree) {
    struct json_quick *quick = json_quick_new();
    json_quick_parse(quick, "[{\"a\":\"b\"},[1,2,[3]],true,null]", 33);
    const cJSON *same = json_quick_parse(quick, text, length);
    FUZZ_CHECK(!same || (tree && json_same(same, tree)));
    json_quick_free(quick);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {0};
    cJSON *tree = json_parse((const char *)data, size, origin, &err);
    struct str terminated = {0};
    str_add_bytes(&terminated, (const char *)data, size);
    check_quick(terminated.text, size, tree);
    str_free(&terminated);
    if (!tree) {
        FUZZ_CHECK(err.code == EXIT_CODE_INPUT && err.where[0] && err.why[0]);
        return 0;
    }
    const char *text = NULL;
    double number = 0;
    if (json_get_string(tree, "a", JSON_REQUIRED, &text, &err) < 0 ||
        json_get_double(tree, "b", JSON_REQUIRED, &number, &err) < 0) {
        json_place(&err, tree, (const char *)data, size, origin);
        FUZZ_CHECK(err.where[0]);
    }
    char *line = json_print_line(tree);
    cJSON *again = json_parse(line, strlen(line), origin, &err);
    FUZZ_CHECK(again);
    cJSON_Delete(again);
    free(line);
    cJSON_Delete(tree);
    return 0;
}
