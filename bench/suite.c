// SPDX-License-Identifier: Apache-2.0
// Reads suite files. See suite.h.
#include "bench/suite.h"

#include "bench/suite_read.h"
#include "bench/sweep.h"
#include "core/memory.h"

#include <math.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>

#define SUITE_LIMIT     (1U << 20) // bytes; a suite is written by hand
#define DEFAULT_REPS    5
#define DEFAULT_TIMEOUT 600.0
#define MAX_REPS        100000
#define MAX_INCLUDES    8 // levels

void suite_free(struct suite *suite) {
    for (size_t i = 0; i < suite->count; i++) {
        free(suite->cases[i].name);
        free(suite->cases[i].cpus);
        cJSON_Delete(suite->cases[i].params);
        cJSON_Delete(suite->cases[i].environment);
        cJSON_Delete(suite->cases[i].prerequisites);
    }
    for (size_t i = 0; i < suite->file_count; i++) {
        free(suite->files[i].path);
        free(suite->files[i].text);
    }
    free(suite->files);
    free(suite->cases);
    free(suite->name);
    free(suite->description);
    cJSON_Delete(suite->text);
    cJSON_Delete(suite->included);
    *suite = (struct suite){0};
}

static int read_bench(const cJSON *object, struct suite_case *c, struct error *err) {
    const char *name = NULL;
    if (json_get_string(object, "bench", JSON_REQUIRED, &name, err) < 0)
        return -1;
    c->ops = bench_find(name);
    if (c->ops)
        return bench_check(c->ops, err);
    suite_refuse(cJSON_GetObjectItemCaseSensitive(object, "bench"), err, "reading a suite");
    error_why(err, "there is no bench \"%s\"", name);
    return error_remedy(err, "metalgap list benches");
}

static int read_params(const cJSON *object, struct suite_case *c, enum bench_size size, struct error *err) {
    const cJSON *params = NULL;
    if (json_get_object(object, "params", JSON_OPTIONAL, &params, err) < 0)
        return -1;
    c->params = bench_params(c->ops, params, size, err);
    if (c->params)
        return 0;
    if (err && !err->node)
        err->node = params ? params : object;
    return -1;
}

static bool has_case(const struct suite *suite, const char *name) {
    for (size_t i = 0; i < suite->count; i++) {
        if (suite->cases[i].name && strcmp(suite->cases[i].name, name) == 0)
            return true;
    }
    return false;
}

// Where suites are read from: included ones add their cases to the same suite.
struct reading {
    struct suite *suite;
    const char *suite_dir; // where names are looked up; NULL: this suite comes from no file
    unsigned depth;
    const cJSON *root; // of the file that is being read; NULL: none
    size_t file;
    SHA2_CTX hash;
};

// What the file says for all of its cases, and then what the case says.
static int read_surroundings(const struct reading *r, const cJSON *object, struct suite_case *c, struct error *err) {
    const cJSON *levels[] = {r->root, object};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (levels[i] && (suite_read_texts(levels[i], "environment", &c->environment, err) ||
                          suite_read_texts(levels[i], "prerequisites", &c->prerequisites, err)))
            return -1;
    }
    return 0;
}

// Reads a case that has no sweep, or one combination of it. `origin` is what stands in the file.
static int read_one_case(struct reading *r, const cJSON *object, const cJSON *origin, struct error *err) {
    struct suite *suite = r->suite;
    const char *name = NULL;
    if (json_get_string(object, "case", JSON_REQUIRED, &name, err) < 0)
        return -1;
    if (has_case(suite, name)) {
        suite_refuse(cJSON_GetObjectItemCaseSensitive(object, "case"), err, "reading a suite");
        return error_why(err, "two cases are called \"%s\"", name);
    }
    struct suite_case empty = {.timeout_s = DEFAULT_TIMEOUT,
                               .until_pct = suite->until_pct,
                               .typical_s = NAN,
                               .origin = origin,
                               .file = r->file};
    ARRAY_PUSH(suite->cases, suite->count, suite->capacity, empty);
    struct suite_case *c = &suite->cases[suite->count - 1];
    c->name = mem_strdup(name);
    return read_bench(object, c, err) || read_params(object, c, suite->size, err) ||
                   suite_read_cpus(object, &c->cpus, err) ||
                   suite_read_count(object, "threads", CPU_SETSIZE, &c->threads, err) ||
                   suite_read_count(object, "reps", MAX_REPS, &c->reps, err) ||
                   suite_read_duration(object, "timeout", &c->timeout_s, err) ||
                   suite_read_until(object, &c->until_pct, err) ||
                   suite_read_typical(object, suite->size, &c->typical_s, err) || read_surroundings(r, object, c, err)
               ? -1
               : 0;
}

static int read_case(struct reading *r, const cJSON *object, struct error *err) {
    static const char *const keys[] = {"case",          "bench",     "params",  "sweep", "cpus",
                                       "threads",       "reps",      "timeout", "until", "environment",
                                       "prerequisites", "typical_s", NULL};
    struct sweep sweep;
    if (!cJSON_IsObject(object))
        return suite_refuse(object, err, "reading a suite: a case is not an object");
    if (suite_check_keys(object, keys, err) || sweep_begin(&sweep, object, r->suite->size, err))
        return -1;
    if (!sweep.count)
        return read_one_case(r, object, object, err);
    do {
        cJSON *made = sweep_case(&sweep);
        int failed = read_one_case(r, made, object, err);
        if (failed && err)
            err->node = sweep_origin(&sweep, made, err->node);
        cJSON_Delete(made);
        if (failed)
            return -1;
    } while (sweep_next(&sweep));
    return 0;
}

static int read_order(const cJSON *root, struct suite *suite, struct error *err) {
    const char *order = "interleaved";
    if (json_get_string(root, "order", JSON_OPTIONAL, &order, err) < 0)
        return -1;
    suite->interleaved = strcmp(order, "interleaved") == 0;
    if (suite->interleaved || strcmp(order, "sequential") == 0)
        return 0;
    suite_refuse(cJSON_GetObjectItemCaseSensitive(root, "order"), err, "reading a suite");
    return error_why(err, "\"order\" is \"%s\"; expected \"interleaved\" or \"sequential\"", order);
}

static int check_schema(const cJSON *root, struct error *err) {
    static const char *const keys[] = {"schema", "name",  "description", "reps",          "until",   "budget",
                                       "order",  "cases", "environment", "prerequisites", "include", NULL};
    const char *schema = NULL;
    if (!cJSON_IsObject(root))
        return suite_refuse(root, err, "reading a suite: it is not an object");
    if (json_get_string(root, "schema", JSON_REQUIRED, &schema, err) < 0)
        return -1;
    if (strcmp(schema, SUITE_SCHEMA) == 0)
        return suite_check_keys(root, keys, err);
    suite_refuse(cJSON_GetObjectItemCaseSensitive(root, "schema"), err, "reading a suite");
    return error_why(err, "the schema is \"%s\"; this version reads " SUITE_SCHEMA, schema);
}

static int read_file(struct reading *r, const char *path, cJSON **tree, struct error *err);
static int read_include(struct reading *r, const cJSON *item, struct error *err);

// The cases of a suite, those of included ones first.
static int read_all_cases(struct reading *r, const cJSON *root, struct error *err) {
    const cJSON *includes = NULL;
    const cJSON *cases = NULL;
    const cJSON *item;
    if (json_get_array(root, "include", JSON_OPTIONAL, &includes, err) < 0 ||
        json_get_array(root, "cases", includes ? JSON_OPTIONAL : JSON_REQUIRED, &cases, err) < 0)
        return -1;
    cJSON_ArrayForEach(item, includes) {
        if (read_include(r, item, err))
            return -1;
    }
    cJSON_ArrayForEach(item, cases) {
        if (read_case(r, item, err))
            return -1;
    }
    return r->suite->count ? 0 : suite_refuse(cases ? cases : includes, err, "reading a suite: it has no cases");
}

// Each case reads them again; here they have their place.
static int check_surroundings(const cJSON *root, struct error *err) {
    cJSON *texts = NULL;
    int result =
        suite_read_texts(root, "environment", &texts, err) || suite_read_texts(root, "prerequisites", &texts, err);
    cJSON_Delete(texts);
    return result ? -1 : 0;
}

static int read_suite(struct reading *r, const cJSON *root, struct error *err) {
    struct suite *suite = r->suite;
    const char *name = NULL;
    const char *description = "";
    r->root = root;
    if (check_schema(root, err) || json_get_string(root, "name", JSON_REQUIRED, &name, err) < 0 ||
        json_get_string(root, "description", JSON_OPTIONAL, &description, err) < 0 || check_surroundings(root, err))
        return -1;
    if (r->depth) // of an included suite only the cases count
        return read_all_cases(r, root, err);
    if (suite_read_count(root, "reps", MAX_REPS, &suite->reps, err) || read_order(root, suite, err) ||
        suite_read_until(root, &suite->until_pct, err) || suite_read_duration(root, "budget", &suite->budget_s, err))
        return -1;
    suite->name = mem_strdup(name);
    suite->description = mem_strdup(description);
    return read_all_cases(r, root, err);
}

static char *find_file(const char *path_or_name, const char *suite_dir) {
    size_t length = strlen(path_or_name);
    bool is_path = strchr(path_or_name, '/') || (length > 5 && strcmp(path_or_name + length - 5, ".json") == 0);
    return is_path ? mem_strdup(path_or_name) : mem_printf("%s/%s.json", suite_dir, path_or_name);
}

static int read_include(struct reading *r, const cJSON *item, struct error *err) {
    if (!cJSON_IsString(item))
        return suite_refuse(item, err, "reading a suite: what is included is not the name or path of a suite");
    if (!r->suite_dir || r->depth == MAX_INCLUDES) {
        suite_refuse(item, err, "reading a suite");
        return error_why(err, "\"%s\" is included more than 8 levels deep: does it include itself?", item->valuestring);
    }
    char *path = find_file(item->valuestring, r->suite_dir);
    cJSON *tree = NULL;
    const struct reading outer = *r;
    size_t file = r->suite->file_count;
    r->depth++;
    int result = read_file(r, path, &tree, err);
    r->depth = outer.depth;
    r->root = outer.root;
    r->file = outer.file;
    if (result && err && !err->where[0])
        err->node = item; // the file is not there
    if (!result) {
        cJSON_AddItemToArray(r->suite->included, tree);
        r->suite->files[file].root = tree;
    }
    free(path);
    return result;
}

// Reads a suite file into r->suite; *tree is its content (NULL after a failure).
static int read_file(struct reading *r, const char *path, cJSON **tree, struct error *err) {
    struct suite *suite = r->suite;
    struct json_origin origin = {path, 1};
    struct suite_file file = {0};
    *tree = NULL;
    file.text = json_read_file(path, SUITE_LIMIT, &file.length, err);
    if (!file.text)
        return error_remedy(err, "metalgap list suites shows the ones that come with the program");
    SHA256Update(&r->hash, (const uint8_t *)file.text, file.length);
    file.path = mem_strdup(path);
    r->file = suite->file_count;
    ARRAY_PUSH(suite->files, suite->file_count, suite->file_capacity, file);
    cJSON *root = json_parse(file.text, file.length, origin, err);
    int result = root ? read_suite(r, root, err) : -1;
    if (result && root)
        json_place(err, root, file.text, file.length, origin);
    if (result)
        cJSON_Delete(root);
    else
        *tree = root;
    return result;
}

static void begin(struct reading *r, struct suite *suite, const char *suite_dir, enum bench_size size) {
    *suite = (struct suite){
        .reps = DEFAULT_REPS, .budget_s = INFINITY, .until_pct = NAN, .size = size, .included = cJSON_CreateArray()};
    *r = (struct reading){.suite = suite, .suite_dir = suite_dir};
    SHA256Init(&r->hash);
}

int suite_load(const char *path_or_name, const char *suite_dir, enum bench_size size, struct suite *out,
               struct error *err) {
    struct reading r;
    begin(&r, out, suite_dir, size);
    char *path = find_file(path_or_name, suite_dir);
    int result = read_file(&r, path, &out->text, err);
    if (!result)
        out->files[0].root = out->text;
    SHA256End(&r.hash, out->sha256);
    free(path);
    return result;
}

int suite_from_command(const char *name, char *const *argv, struct suite *out, struct error *err) {
    struct reading r;
    begin(&r, out, NULL, SIZE_DEFAULT);
    const char *slash = strrchr(argv[0], '/');
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "schema", SUITE_SCHEMA);
    cJSON_AddStringToObject(root, "name", "command");
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(cJSON_AddArrayToObject(root, "cases"), object);
    json_add_string(object, "case", name ? name : slash && slash[1] ? slash + 1 : argv[0]);
    cJSON_AddStringToObject(object, "bench", "command");
    cJSON *words = cJSON_AddArrayToObject(cJSON_AddObjectToObject(object, "params"), "argv");
    for (size_t i = 0; argv[i]; i++)
        cJSON_AddItemToArray(words, cJSON_CreateString(argv[i]));
    out->text = root;
    char *text = json_print_line(root);
    SHA256Update(&r.hash, (const uint8_t *)text, strlen(text));
    SHA256End(&r.hash, out->sha256);
    free(text);
    return read_suite(&r, root, err);
}
