// SPDX-License-Identifier: Apache-2.0
// Detection against recorded evidence: the project's own cases (all must be right) and, where they are beside the
// checkout, a set of recordings of real machines (scored, the misses printed).
#include "core/json.h"
#include "core/memory.h"
#include "detect/detect.h"
#include "detect/names.h"
#include "detect/signatures.h"
#include "tests/unit/detect_case.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const own_cases = "tests/fixtures/detect";
static const char *const recordings = "../shared/fixtures/detect";

// True if `have` is one of "a|b|c" (or "a-or-b"); "none" fits nothing.
static bool fits(const char *have, const char *want, const char *separator) {
    if (!have)
        have = "none";
    size_t length = strlen(have);
    for (const char *at = want; at; at = strstr(at, separator) ? strstr(at, separator) + strlen(separator) : NULL)
        if (!strncmp(at, have, length) && (!at[length] || !strncmp(at + length, separator, strlen(separator))))
            return true;
    return false;
}

static const char *field(const struct platform *p, const char *key) {
    static char buffer[256];
    if (!strcmp(key, "outer")) {
        *buffer = '\0';
        for (size_t i = 0; i < p->outer_count; i++)
            snprintf(buffer + strlen(buffer), sizeof buffer - strlen(buffer), "%s%s", i ? "," : "", p->outer[i]);
        return *buffer ? buffer : NULL;
    }
    if (!strcmp(key, "type")) {
        snprintf(buffer, sizeof buffer, "%d", p->type);
        return buffer;
    }
    const struct {
        const char *key, *value;
    } fields[] = {
        {"kind", p->kind},
        {"hypervisor", p->hypervisor},
        {"vmm", p->vmm},
        {"mode", p->mode},
        {"role", p->role},
        {"cloud", p->cloud},
        {"cvm", p->cvm},
        {"container", p->container},
        {"instance_type", p->instance_type},
        {"arch", p->arch},
        {"platform", p->cloud},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!strcmp(fields[i].key, key))
            return fields[i].value;
    return "?";
}

static bool path_fits(const struct platform *p, const char *resource, const char *want, bool via) {
    for (size_t i = 0; i < p->path_count; i++)
        if (!strcmp(p->paths[i].resource, resource) &&
            fits(via ? p->paths[i].via : path_kind_name(p->paths[i].path), want, "|"))
            return true;
    return false;
}

// One "KEY=VALUE" of a case.
static bool holds(const struct platform *p, const char *expect) {
    char key[64];
    size_t length = strcspn(expect, "=<>");
    snprintf(key, sizeof key, "%.*s", (int)length, expect);
    const char *want = expect + length + 1;
    if (!strcmp(key, "sure"))
        return expect[length] == '>' ? p->confidence * 100 > atof(want) : p->confidence * 100 < atof(want);
    if (!strncmp(key, "path:", 5) || !strncmp(key, "via:", 4))
        return path_fits(p, strchr(key, ':') + 1, want, *key == 'v');
    return fits(field(p, key), want, "|");
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_case(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return length > 5 && !strcmp(entry->d_name + length - 5, ".case");
}

static size_t check_case(const char *file, const char *name) {
    struct detect_case c;
    assert_true(case_read(&c, file));
    assert_true(c.expect_count > 0);
    struct sysroot root;
    struct platform p;
    sysroot_open_memory(&root, c.files, c.count);
    detect_sysroot(&root, true, &p, NULL);
    size_t wrong = 0;
    for (size_t i = 0; i < c.expect_count; i++) {
        if (holds(&p, c.expect[i]))
            continue;
        wrong++;
        char key[64];
        snprintf(key, sizeof key, "%.*s", (int)strcspn(c.expect[i], "=<>"), c.expect[i]);
        const char *have = strchr(key, ':') ? "another path" : field(&p, key);
        print_message("  MISS %s: %s, but it says %s (%.0f %% sure)\n", name, c.expect[i], have ? have : "none",
                      p.confidence * 100);
    }
    platform_free(&p);
    sysroot_close(&root);
    case_free(&c);
    return wrong;
}

static void own_cases_are_all_right(void **state) {
    (void)state;
    struct dirent **names;
    int count = scandir(own_cases, &names, is_case, by_name);
    assert_true(count >= 80);
    size_t wrong = 0;
    for (int i = 0; i < count; i++) {
        char *file = mem_printf("%s/%s", own_cases, names[i]->d_name);
        wrong += check_case(file, names[i]->d_name) != 0;
        free(file);
        free(names[i]);
    }
    free(names);
    print_message("  own cases: %d of %d right\n", count - (int)wrong, count);
    assert_int_equal(wrong, 0);
}

// expected.txt: KEY=VALUE lines; the ones that can be compared.
static bool recording_fits(const char *dir, const char *name, bool *sure) {
    static const char *const keys[] = {"kind",  "hypervisor", "vmm",      "mode", "role",
                                       "outer", "container",  "platform", "arch", "cvm"};
    char *path = mem_printf("%s/expected.txt", dir);
    FILE *in = fopen(path, "r");
    free(path);
    if (!in)
        return true;
    struct platform p;
    struct detect_options opt = {.root = dir, .timing = true};
    assert_int_equal(detect_platform(&opt, &p, NULL), 0);
    bool right = true;
    char line[512];
    char evidence[256] = "";
    char hypervisor[256] = "";
    while (fgets(line, sizeof line, in)) {
        char key[64];
        char want[256];
        if (sscanf(line, "%63[a-z_]=%255[^ \n]", key, want) != 2)
            continue;
        if (!strcmp(key, "from_this_evidence"))
            snprintf(evidence, sizeof evidence, "%s", want);
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            known |= !strcmp(keys[i], key);
        if (!known || fits(field(&p, key), want, "-or-"))
            continue;
        if (!strcmp(key, "hypervisor")) {
            snprintf(hypervisor, sizeof hypervisor, "%s", want);
            continue;
        }
        right = false;
        print_message("  MISS %s: %s=%s, but it says %s (%.0f %% sure)\n", name, key, want,
                      field(&p, key) ? field(&p, key) : "none", p.confidence * 100);
    }
    if (*hypervisor && !(*evidence && fits(p.hypervisor, evidence, "-or-"))) {
        right = false;
        print_message("  MISS %s: hypervisor=%s, but it says %s (%.0f %% sure)\n", name, hypervisor, p.hypervisor,
                      p.confidence * 100);
        *sure = p.confidence > 0.8;
    }
    fclose(in);
    platform_free(&p);
    return right;
}

static void recordings_score(void **state) {
    (void)state;
    struct dirent **names;
    int count = scandir(recordings, &names, NULL, by_name);
    if (count < 0) {
        print_message("  skipped: no recordings at %s\n", recordings);
        skip();
    }
    size_t right = 0;
    size_t all = 0;
    size_t confidently_wrong = 0;
    for (int i = 0; i < count; i++) {
        char *dir = mem_printf("%s/%s", recordings, names[i]->d_name);
        struct stat st;
        bool sure = false;
        if (names[i]->d_name[0] != '.' && !stat(dir, &st) && S_ISDIR(st.st_mode)) {
            all++;
            right += recording_fits(dir, names[i]->d_name, &sure);
            confidently_wrong += sure;
        }
        free(dir);
        free(names[i]);
    }
    free(names);
    print_message("  recordings: %zu of %zu right in every key, %zu confidently wrong about the hypervisor\n", right,
                  all, confidently_wrong);
    assert_int_equal(confidently_wrong, 0);
    assert_true(right * 100 >= all * 90);
}

// Every id that a table's claims use must be known, or the claim would be dropped without a word.
static void check_says(const char *says) {
    for (const char *at = says; at && *at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL) {
        const char *value = at + strcspn(at, "=") + 1;
        while (true) {
            size_t length = strcspn(value, "|: ");
            if (!name_intern(value, length))
                fail_msg("no name for \"%.*s\" in \"%s\"", (int)length, value, says);
            value += length;
            if (*value != '|')
                break;
            value++;
        }
    }
}

static void tables_use_known_names(void **state) {
    (void)state;
    for (size_t i = 0; i < cpuid_signature_count; i++)
        check_says(cpuid_signatures[i].says);
    for (size_t i = 0; i < model_signature_count; i++)
        check_says(model_signatures[i].says);
    for (size_t i = 0; i < firmware_rule_count; i++)
        check_says(firmware_rules[i].says);
    for (size_t i = 0; i < system_rule_count; i++)
        check_says(system_rules[i].says);
    for (size_t i = 0; i < acpi_signature_count; i++)
        check_says(acpi_signatures[i].says);
    for (size_t i = 0; i < log_signature_count; i++)
        check_says(log_signatures[i].says);
    for (size_t i = 0; i < pci_signature_count; i++)
        if (*pci_signatures[i].says)
            check_says(pci_signatures[i].says);
}

static char folder[] = "/tmp/metalgap-test-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/metalgap-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char *command[] = {"rm", "-rf", folder, NULL};
    pid_t pid = fork();
    if (!pid) {
        execvp("rm", command);
        _exit(127);
    }
    return pid < 0;
}

static void put(const char *path, const char *text) {
    char *full = mem_printf("%s/%s", folder, path);
    for (char *slash = strchr(full + sizeof folder, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *out = fopen(full, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    free(full);
}

// A folder may come from anyone: pipes, devices, links that lead out, directories in place of files.
static void hostile_folders_do_no_harm(void **state) {
    (void)state;
    put("sys/class/dmi/id/product_name", "KVM\n");
    char *path = mem_printf("%s/sys/class/dmi/id/sys_vendor", folder);
    assert_int_equal(mkfifo(path, 0644), 0); // a plain open() would wait for a writer for ever
    free(path);
    path = mem_printf("%s/cpuid.txt", folder);
    assert_int_equal(symlink("/proc/cpuinfo", path), 0); // inside the folder there is no such file
    free(path);
    path = mem_printf("%s/uname_m.txt", folder);
    assert_int_equal(symlink("../../../../etc/hostname", path), 0);
    free(path);
    put("proc/self/cgroup/file", "");
    struct platform p;
    struct detect_options opt = {.root = folder, .timing = true};
    assert_int_equal(detect_platform(&opt, &p, NULL), 0);
    assert_string_equal(p.hypervisor, "kvm");
    assert_null(p.arch);
    platform_free(&p);
}

static void a_missing_folder_is_an_error_with_a_remedy(void **state) {
    (void)state;
    struct platform p;
    struct error err = {0};
    struct detect_options opt = {.root = "/nonexistent/evidence"};
    assert_int_equal(detect_platform(&opt, &p, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    assert_non_null(strstr(err.what, "/nonexistent/evidence"));
    assert_true(*err.remedy);
}

static bool same_verdict(const struct platform *a, const struct platform *b) {
    const char *const keys[] = {"kind", "hypervisor", "vmm",   "mode", "role", "outer",
                                "cvm",  "container",  "cloud", "arch", "type", "instance_type"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        char *first = mem_strdup(field(a, keys[i]) ? field(a, keys[i]) : "none");
        const char *second = field(b, keys[i]) ? field(b, keys[i]) : "none";
        bool same = !strcmp(first, second);
        if (!same)
            print_message("  %s: %s live, %s from the capture\n", keys[i], first, second);
        free(first);
        if (!same)
            return false;
    }
    return a->path_count == b->path_count;
}

static void a_capture_gives_the_same_verdict(void **state) {
    (void)state;
    struct platform live;
    struct platform again;
    char *dir = mem_printf("%s/evidence", folder);
    struct error err = {0};
    assert_int_equal(detect_capture(dir, false, &live, &err), 0);
    assert_int_equal(detect_capture(dir, false, &again, &err), -1); // never overwrites
    struct detect_options opt = {.root = dir};
    assert_int_equal(detect_platform(&opt, &again, &err), 0);
    assert_true(same_verdict(&live, &again));
    platform_free(&live);
    platform_free(&again);
    free(dir);
}

static void json_has_the_keys_of_the_schema(void **state) {
    (void)state;
    struct platform p;
    struct detect_options opt = {0};
    assert_int_equal(detect_platform(&opt, &p, NULL), 0);
    cJSON *json = platform_to_json(&p);
    static const char *const keys[] = {"schema",        "kind",       "hypervisor", "vmm",      "type",  "type_reason",
                                       "mode",          "role",       "cloud",      "outer",    "cvm",   "container",
                                       "instance_type", "confidence", "paths",      "evidence", "unread"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        assert_non_null(cJSON_GetObjectItemCaseSensitive(json, keys[i]));
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(json, "schema")->valuestring, "metalgap.platform/1");
    cJSON_Delete(json);
    platform_free(&p);
}

static void is_answers_words(void **state) {
    (void)state;
    struct platform p = {
        .kind = "vm", .hypervisor = "nitro", .cloud = "aws", .type = 1, .cvm = "none", .arch = "x86_64"};
    assert_int_equal(platform_is(&p, "vm"), 1);
    assert_int_equal(platform_is(&p, "nitro"), 1);
    assert_int_equal(platform_is(&p, "kvm"), 1); // Nitro is built on it
    assert_int_equal(platform_is(&p, "aws"), 1);
    assert_int_equal(platform_is(&p, "type1"), 1);
    assert_int_equal(platform_is(&p, "type2"), 0);
    assert_int_equal(platform_is(&p, "nested"), 0);
    assert_int_equal(platform_is(&p, "container"), 0);
    assert_int_equal(platform_is(&p, "confidential"), 0);
    assert_int_equal(platform_is(&p, "xen"), 0);
    assert_int_equal(platform_is(&p, "x86_64"), 1);
    assert_int_equal(platform_is(&p, "no-such-word"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_cases_are_all_right),
        cmocka_unit_test(recordings_score),
        cmocka_unit_test(tables_use_known_names),
        cmocka_unit_test_setup_teardown(hostile_folders_do_no_harm, make_folder, remove_folder),
        cmocka_unit_test(a_missing_folder_is_an_error_with_a_remedy),
        cmocka_unit_test_setup_teardown(a_capture_gives_the_same_verdict, make_folder, remove_folder),
        cmocka_unit_test(json_has_the_keys_of_the_schema),
        cmocka_unit_test(is_answers_words),
    };
    return cmocka_run_group_tests_name("detect", tests, NULL, NULL);
}
