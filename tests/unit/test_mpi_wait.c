// SPDX-License-Identifier: Apache-2.0
// What is made of the file that the preloaded MPI library writes.
#include "bench/mpi_wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char folder[64];
    struct mpi_wait wait;
};

// A folder that has the library, as far as is looked at here.
static int begin(void **state) {
    struct place *p = calloc(1, sizeof *p);
    char path[128];
    snprintf(p->folder, sizeof p->folder, "/tmp/test-mpi-wait-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    assert_false(mpi_wait_begin(&p->wait, p->folder)); // not built: nothing is asked for
    assert_null(p->wait.file);
    snprintf(path, sizeof path, "%s/libmetalgap-wait.so", p->folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_true(mpi_wait_begin(&p->wait, p->folder));
    *state = p;
    return 0;
}

static int end(void **state) {
    struct place *p = *state;
    char path[128];
    struct stat there;
    char *file = strdup(p->wait.file);
    mpi_wait_end(&p->wait);
    assert_int_not_equal(stat(file, &there), 0); // nothing is left
    free(file);
    snprintf(path, sizeof path, "%s/libmetalgap-wait.so", p->folder);
    unlink(path);
    rmdir(p->folder);
    free(p);
    return 0;
}

static void put(const struct place *p, const char *text) {
    FILE *f = fopen(p->wait.file, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void ranks_are_read_and_summed(void **state) {
    struct place *p = *state;
    struct error err;
    struct observation sum;
    put(p,
        "{\"metalgap_mpi_wait\":1,\"calls\":12,\"compared\":10,\"ranks\":["
        "{\"rank\":0,\"node\":\"n0\",\"wait_s\":0.5,\"late\":3,\"caused_s\":0.1,\"group_s\":0,\"point_s\":0},"
        "{\"rank\":1,\"node\":\"n1\",\"wait_s\":0.25,\"late\":7,\"caused_s\":0.65,\"group_s\":0,\"point_s\":0}]}\n");
    assert_int_equal(mpi_wait_read(&p->wait, &err), 0);
    assert_int_equal(p->wait.count, 2);
    assert_int_equal(p->wait.ranks[1].rank, 1);
    assert_int_equal(p->wait.ranks[1].observation.count, 3); // it waited where it was not the last
    assert_true(mpi_wait_sum(&p->wait, &sum));
    assert_true(fabs(sum.seconds - 0.75) < 1e-12);
    assert_int_equal(sum.count, 10);
    assert_int_equal(sum.cause, CAUSE_MPI_WAIT);
    assert_int_equal(sum.scope, SCOPE_LATENCY); // never in a sum
    cJSON_Delete(sum.detail);
}

static void no_file_is_no_waiting(void **state) {
    struct place *p = *state;
    struct error err;
    struct observation sum;
    assert_int_equal(mpi_wait_read(&p->wait, &err), 0);
    assert_false(mpi_wait_sum(&p->wait, &sum));
}

static void a_broken_file_is_an_error(void **state) {
    struct place *p = *state;
    struct error err;
    put(p, "{\"compared\":10,\"ranks\":[{\"rank\":0}");
    assert_int_equal(mpi_wait_read(&p->wait, &err), -1);
    assert_int_equal(err.code, EXIT_CODE_INPUT);
    put(p, "{\"compared\":10,\"ranks\":[{\"rank\":0}]}");
    assert_int_equal(mpi_wait_read(&p->wait, &err), -1);
    assert_non_null(strstr(err.what, "late"));
}

static void the_words_name_library_and_file(void **state) {
    const struct place *p = *state;
    char *words[MPI_WAIT_WORDS];
    mpi_wait_words(p->folder, "/x/wait.json", words);
    assert_string_equal(words[0], "env");
    assert_non_null(strstr(words[1], "libmetalgap-wait.so"));
    assert_string_equal(words[2], "METALGAP_MPI_WAIT=/x/wait.json");
    for (size_t i = 0; i < MPI_WAIT_WORDS; i++)
        free(words[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ranks_are_read_and_summed, begin, end),
        cmocka_unit_test_setup_teardown(no_file_is_no_waiting, begin, end),
        cmocka_unit_test_setup_teardown(a_broken_file_is_an_error, begin, end),
        cmocka_unit_test_setup_teardown(the_words_name_library_and_file, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
