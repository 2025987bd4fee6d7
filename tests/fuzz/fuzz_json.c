// SPDX-License-Identifier: Apache-2.0
// Fuzzes the JSON reader: no input may crash it, a refusal has a place, what is taken can be written and read again.
#include "core/json.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static const struct json_origin origin = {"input", 1};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {0};
    cJSON *tree = json_parse((const char *)data, size, origin, &err);
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
