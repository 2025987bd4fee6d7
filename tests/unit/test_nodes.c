// SPDX-License-Identifier: Apache-2.0
// Runs over several nodes, in parts: the words that start one agent a node, what agents and runner say to each other,
// and what is kept beside samples. The whole is tested end to end (test_nodes.sh, test_slurm.sh).
#include "bench/keeper.h"
#include "bench/launch.h"
#include "bench/link.h"

#include "core/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// --- launchers
// --------------------------------------------------------------------------------------------------------

static char *agents_of(const char *text) {
    const char *launch[32];
    size_t count = 0;
    struct words words = {0};
    struct str joined = {0};
    struct error err;
    char *copy = mem_strdup(text);
    char *rest = copy;
    for (char *word; (word = strsep(&rest, " "));)
        launch[count++] = word;
    launch[count] = NULL;
    int failed = launch_add_agents(&words, launch, "VAR", &err);
    if (failed)
        str_printf(&joined, "error: %s", err.why);
    for (size_t i = 0; !failed && i < words.count; i++)
        str_printf(&joined, "%s%s", i ? " " : "", words.items[i]);
    words_free(&words);
    free(copy);
    return joined.text;
}

static void one_agent_is_started_a_node(void **state) {
    (void)state;
    static const char mpi[] = "--map-by ppr:1:node --bind-to none -x VAR";
    static const char slurm[] = "-N 3 -n 3 --ntasks-per-node=1 --overlap --mpi=none --cpu-bind=none";
    static const struct {
        const char *launch;
        const char *before;
        const char *asked;
        const char *after;
    } known[] = {
        {"mpirun -np 576 --hostfile hosts", "mpirun ", mpi, " --hostfile hosts"},
        {"mpirun --hostfile hosts -np 4 --map-by core --bind-to core --mca btl tcp,self", "mpirun ", mpi,
         " --hostfile hosts --mca btl tcp,self"},
        {"/opt/bin/mpiexec -n 4 -npernode 2 --report-bindings -x A", "/opt/bin/mpiexec ", mpi, " -x A"},
        {"env A=1 mpirun --np 4 -H a,b numactl -l", "env A=1 mpirun ", mpi, " -H a,b numactl -l"},
        {"mpirun --n 4 --hostfile hosts", "mpirun ", mpi, " --hostfile hosts"},
        {"srun -N 16 --ntasks-per-node 36", "srun ", slurm, ""},
        {"srun -N16 -n576 --ntasks-per-node=36 --mpi=pmix -p fast --cpu-bind=cores -l", "srun ", slurm, " -p fast"},
    };
    setenv("SLURM_JOB_NUM_NODES", "3", 1);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char *got = agents_of(known[i].launch);
        char *wanted = mem_printf("%s%s%s", known[i].before, known[i].asked, known[i].after);
        assert_string_equal(got, wanted);
        free(got);
        free(wanted);
    }
    unsetenv("SLURM_JOB_NUM_NODES");
    char *got = agents_of("srun -n 4");
    assert_non_null(strstr(got, "allocation"));
    free(got);
}

static uint64_t ranks_of(const char *text) {
    const char *launch[32];
    size_t count = 0;
    char *copy = mem_strdup(text);
    char *rest = copy;
    for (char *word; (word = strsep(&rest, " "));)
        launch[count++] = word;
    launch[count] = NULL;
    uint64_t ranks = launch_ranks(launch);
    free(copy);
    return ranks;
}

static void the_words_say_how_many_ranks_there_are(void **state) {
    (void)state;
    unsetenv("SLURM_NTASKS");
    assert_int_equal(ranks_of("mpirun -np 576 --hostfile hosts"), 576);
    assert_int_equal(ranks_of("env A=-np mpiexec --hostfile hosts --n 4 --map-by core"), 4);
    assert_int_equal(ranks_of("mpirun --hostfile hosts"), 0);
    assert_int_equal(ranks_of("mpirun -np all"), 0);
    assert_int_equal(ranks_of("srun -N 16 --ntasks-per-node 36"), 576);
    assert_int_equal(ranks_of("srun -N2 --ntasks-per-node=2 -n3"), 3);
    assert_int_equal(ranks_of("srun --nodes=5"), 5);
    assert_int_equal(ranks_of("srun -N 2-4"), 0);
    assert_int_equal(ranks_of("srun"), 0);
    setenv("SLURM_NTASKS", "7", 1);
    assert_int_equal(ranks_of("srun --mpi=pmix"), 7);
    unsetenv("SLURM_NTASKS");
    assert_int_equal(ranks_of("ssh n1 solver -n 4"), 0);
}

static void other_launchers_are_not_known(void **state) {
    (void)state;
    const char *const env[] = {"env", "A=1", NULL};
    const char *const srun[] = {"/usr/bin/srun", "-n", "4", NULL};
    assert_null(launch_known(NULL));
    assert_null(launch_known(env));
    assert_string_equal(launch_known(srun), "srun");
}

// --- the link
// ---------------------------------------------------------------------------------------------------------

static void an_invitation_is_read_back(void **state) {
    (void)state;
    struct link_invitation made;
    struct link_invitation read;
    struct error err;
    setenv(LINK_ADDRESS_VARIABLE, "127.0.0.1", 1);
    int listener = link_listen(&made, &err);
    assert_true(listener >= 0);
    assert_string_equal(made.addresses, "127.0.0.1");
    char *text = link_invitation_text(&made);
    assert_int_equal(link_invitation_read(text, &read, &err), 0);
    assert_string_equal(read.name, made.name);
    assert_string_equal(read.key, made.key);
    assert_int_equal(read.port, made.port);
    int fd = link_connect(&read, 5, &err);
    assert_true(fd >= 0);
    close(fd);
    close(listener);
    assert_int_equal(link_connect(&read, 5, &err), -1); // nobody listens any more
    assert_non_null(strstr(err.what, "127.0.0.1"));
    free(text);
    unsetenv(LINK_ADDRESS_VARIABLE);
    static const char no_port[] = "0123456789abcdef 0123456789abcdef0123456789abcdef 99999 127.0.0.1";
    const char *const bad[] = {NULL, "", "x", "0123456789abcdef 0123 7 a", no_port};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(link_invitation_read(bad[i], &read, &err), -1);
}

static void lines_arrive_whole(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct link_stream in = {.fd = fds[1]};
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "text", "with\na line end");
    assert_int_equal(link_send(fds[0], message), 0);
    assert_int_equal(link_send(fds[0], message), 0);
    assert_int_equal(write(fds[0], "{\"te", 4), 4); // the rest does not come
    assert_true(link_read(&in));
    for (int i = 0; i < 2; i++) {
        cJSON *got = link_take(&in);
        assert_true(cJSON_Compare(got, message, true));
        cJSON_Delete(got);
    }
    assert_null(link_take(&in));
    assert_int_equal(write(fds[0], "\n", 1), 1);
    assert_true(link_read(&in));
    assert_null(link_take(&in)); // not JSON: this peer is not one of ours
    assert_int_equal(in.fd, -1);
    assert_int_equal(link_send(fds[0], message), -1);
    close(fds[0]);
    cJSON_Delete(message);
}

static void a_peer_that_leaves_is_noticed(void **state) {
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct link_stream in = {.fd = fds[1]};
    assert_int_equal(write(fds[0], "{}\n", 3), 3);
    close(fds[0]);
    assert_false(link_read(&in));
    cJSON *last = link_take(&in); // what it said before can still be heard
    assert_non_null(last);
    cJSON_Delete(last);
    link_close(&in);
}

// --- the keeper
// -------------------------------------------------------------------------------------------------------

static void wait_until_ended(struct keeper *k) {
    for (int i = 0; i < 1000 && !keeper_ended(k); i++)
        poll(NULL, 0, 10);
    assert_true(keeper_ended(k));
    keeper_read(k);
}

static void a_kept_program_says_what_it_prints(void **state) {
    (void)state;
    struct keeper k;
    struct error err;
    const char *const argv[] = {"sh", "-c", "echo $GREETING; echo $OTHER >&2; exit 3", NULL};
    const char *const environment[] = {"OTHER=world", NULL};
    assert_int_equal(keeper_start(&k, argv, "GREETING=hello", environment, &err), 0);
    wait_until_ended(&k);
    assert_string_equal(k.tail, "hello\nworld\n");
    keeper_stop(&k);
    const char *const missing[] = {"/no/such/program", NULL};
    assert_int_equal(keeper_start(&k, missing, "A=1", NULL, &err), 0);
    wait_until_ended(&k);
    assert_non_null(strstr(k.tail, "/no/such/program"));
    keeper_stop(&k);
}

// What leaves its process group and session, and outlives its parent, ends with the keeper all the same.
static void nothing_outlives_the_keeper(void **state) {
    (void)state;
    struct keeper k;
    struct error err;
    int pipes[2];
    char byte;
    assert_int_equal(pipe(pipes), 0);
    char *script = mem_printf("setsid sh -c 'trap \"\" TERM; echo up; sleep 300' >&%d & sleep 300", pipes[1]);
    const char *const argv[] = {"sh", "-c", script, NULL};
    assert_int_equal(keeper_start(&k, argv, "A=1", NULL, &err), 0);
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &byte, 1), 1); // it is there and deaf to SIGTERM
    keeper_stop(&k);
    while (read(pipes[0], &byte, 1) == 1) // its end of the pipe is closed: it is gone
        ;
    close(pipes[0]);
    free(script);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_agent_is_started_a_node),
        cmocka_unit_test(the_words_say_how_many_ranks_there_are),
        cmocka_unit_test(other_launchers_are_not_known),
        cmocka_unit_test(an_invitation_is_read_back),
        cmocka_unit_test(lines_arrive_whole),
        cmocka_unit_test(a_peer_that_leaves_is_noticed),
        cmocka_unit_test(a_kept_program_says_what_it_prints),
        cmocka_unit_test(nothing_outlives_the_keeper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
