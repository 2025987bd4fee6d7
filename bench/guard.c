// SPDX-License-Identifier: Apache-2.0
// Starts one rank and watches it. See agent.h.
#include "bench/agent.h"
#include "bench/link.h"
#include "bench/mpi_wait.h"

#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// --- which rank is this?
// ----------------------------------------------------------------------------------------------

// Variables by which launchers tell a process its place, best first: mpirun inside a Slurm job sets both kinds.
static const struct {
    const char *rank;
    const char *size;
    const char *local_size; // a number, or Slurm's list for all nodes
} launchers[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_TASKS_PER_NODE"},
};

static int number_in(const char *variable) {
    const char *text = getenv(variable);
    return text ? atoi(text) : 0;
}

// "2(x3),1": nodes 0 to 2 have two tasks each, node 3 has one. A plain number is the same for all.
static int tasks_on(const char *list, int node) {
    while (list && *list) {
        char *end;
        long tasks = strtol(list, &end, 10);
        long nodes = 1;
        if (end == list)
            return 0;
        if (strncmp(end, "(x", 2) == 0)
            nodes = strtol(end + 2, &end, 10);
        node -= (int)nodes;
        list = strchr(end, ',');
        if (node < 0 || !list)
            return (int)tasks;
        list++;
    }
    return 0;
}

static struct link_rank who_am_i(void) {
    struct link_rank r = {.rank = -1};
    for (size_t i = 0; i < ARRAY_LEN(launchers); i++) {
        if (!getenv(launchers[i].rank))
            continue;
        r.rank = number_in(launchers[i].rank);
        r.size = number_in(launchers[i].size);
        r.local_size = tasks_on(getenv(launchers[i].local_size), number_in("SLURM_NODEID"));
        break;
    }
    return r;
}

// --- the program
// ------------------------------------------------------------------------------------------------------

// The one thing that a signal handler can reach.
static volatile pid_t program;

static void pass_on(int number) {
    if (program > 0)
        kill(program, number);
}

static void catch_signals(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCONT};
    const struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &action, NULL);
}

// `waiting` is where the ranks tell how long they waited, -1: nowhere.
__attribute__((noreturn)) static void become(char *const *argv, pid_t guard, const char *exec_dir, int waiting) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGCONT};
    prctl(PR_SET_PDEATHSIG, SIGKILL); // nothing outlives its guard
    if (getppid() != guard)
        _exit(127);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        signal(signals[i], SIG_DFL);
    if (waiting >= 0)
        mpi_wait_preload(exec_dir, guard, waiting);
    execvp(argv[0], argv);
    fprintf(stderr, "metalgap: starting %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

// Asks the agent to begin. What it answers does not matter: if it is gone, the rank runs all the same.
static int register_rank(const struct agent_sample *sample) {
    struct link_rank told = who_am_i();
    char go;
    told.sample = sample->number;
    told.mode = (int)sample->mode;
    snprintf(told.pass, sizeof told.pass, "%s", sample->pass);
    int fd = link_local_connect(sample->run);
    if (fd >= 0 && send(fd, &told, sizeof told, MSG_NOSIGNAL) == (ssize_t)sizeof told && recv(fd, &go, 1, 0) < 0)
        errno = 0;
    return fd;
}

static double seconds(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static double since_1970(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// Ends as the program did, so that the launcher sees what it would have seen without us.
static int end_like(int status) {
    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    const struct rlimit no_core = {0, 0}; // the program's is there already
    setrlimit(RLIMIT_CORE, &no_core);
    fflush(NULL);
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}

// Until the program has ended. If the launcher's daemon dies, the program dies with it. (A death signal would come
// when the thread ends that started us, which daemons with threads do not mean.)
static void wait_with_launcher(int launcher_fd) {
    struct pollfd fds[] = {
        {.fd = pidfd_open(program, 0), .events = POLLIN},
        {.fd = launcher_fd, .events = POLLIN},
    };
    if (fds[0].fd < 0) // a sandbox forbids it: then only the program is waited for
        return;
    while (!fds[0].revents) {
        if (poll(fds, ARRAY_LEN(fds), -1) < 0)
            fds[0].revents = fds[1].revents = 0; // a signal, which has been passed on
        if (fds[1].revents)
            kill(program, SIGKILL);
        if (fds[1].revents)
            fds[1].fd = -1;
    }
    close(fds[0].fd);
}

int agent_guard(const struct agent_sample *sample, char *const *argv) {
    struct link_end end = {0};
    struct rusage use = {0};
    pid_t guard = getpid();
    pid_t launcher = getppid();
    int launcher_fd = pidfd_open(launcher, 0);
    if (getppid() != launcher)
        return 127;
    int fd = register_rank(sample);
    int waiting = fd >= 0 && sample->mode == MODE_ATTRIBUTION ? mpi_wait_open() : -1;
    catch_signals();
    end.start_ns = clock_now_ns();
    program = fork();
    if (program == 0)
        become(argv, guard, sample->exec_dir, waiting);
    if (program < 0) {
        fprintf(stderr, "metalgap: starting %s: %s\n", argv[0], strerror(errno));
        return 127;
    }
    wait_with_launcher(launcher_fd);
    while (wait4(program, &end.status, 0, &use) < 0 && errno == EINTR)
        ;
    program = 0;
    end.end_ns = clock_now_ns();
    end.ended_at = since_1970();
    end.cpu_s = seconds(use.ru_utime) + seconds(use.ru_stime);
    if (fd >= 0 && link_send_end(fd, &end, waiting))
        errno = 0; // the agent is gone; the runner knows
    return end_like(end.status);
}
