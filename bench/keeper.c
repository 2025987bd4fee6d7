// SPDX-License-Identifier: Apache-2.0
// A process between us and a program: the subreaper of all that the program starts. See keeper.h.
#include "bench/keeper.h"

#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 3 // between asking and killing

// --- the keeper's side
// ------------------------------------------------------------------------------------------------

// Sends a signal to all children, orphans that were handed to us included. False if there are none.
static bool signal_children(int number) {
    FILE *file = fopen("/proc/thread-self/children", "re");
    long pid;
    bool any = false;
    while (file && fscanf(file, "%ld", &pid) == 1) {
        kill((pid_t)pid, number);
        any = true;
    }
    if (file)
        fclose(file);
    return any;
}

static void wait_for_all(const sigset_t *signals) {
    const struct timespec moment = {0, 20000000};
    uint64_t give_up = clock_now_ns() + PATIENCE_S * 1000000000ULL;
    while (waitpid(-1, NULL, WNOHANG) >= 0) { // -1: nobody is left
        if (clock_now_ns() > give_up)
            signal_children(SIGKILL);
        sigtimedwait(signals, NULL, &moment);
    }
}

__attribute__((noreturn)) static void become(const char *const *argv, const char *variable,
                                             const char *const *environment) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM); // launchers clean up their other nodes then
    putenv((char *)variable);         // stays valid until exec
    for (const char *const *e = environment; e && *e; e++)
        putenv((char *)*e);
    execvp(argv[0], (char *const *)argv);
    fprintf(stderr, "starting %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

__attribute__((noreturn)) static void keep(const char *const *argv, const char *variable,
                                           const char *const *environment, int output, pid_t parent) {
    sigset_t signals;
    int number = 0;
    setsid(); // Ctrl-C is for us; we end the program in order
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    if (getppid() != parent)
        _exit(0);
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null_fd, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    pid_t program = fork();
    if (program == 0)
        become(argv, variable, environment);
    while (number != SIGTERM && program > 0) {
        sigwait(&signals, &number);
        pid_t ended;
        while (number == SIGCHLD && program > 0 && (ended = waitpid(-1, NULL, WNOHANG)) > 0)
            program = ended == program ? 0 : program;
    }
    signal_children(SIGTERM);
    wait_for_all(&signals);
    _exit(0);
}

// --- our side
// ---------------------------------------------------------------------------------------------------------

int keeper_start(struct keeper *k, const char *const *argv, const char *variable, const char *const *environment,
                 struct error *err) {
    int pipes[2];
    pid_t parent = getpid();
    *k = (struct keeper){.output = -1};
    if (pipe2(pipes, O_CLOEXEC) == 0) {
        fflush(NULL);
        k->pid = fork();
        if (k->pid == 0)
            keep(argv, variable, environment, pipes[1], parent);
        close(pipes[1]);
        if (k->pid > 0) {
            k->output = pipes[0];
            fcntl(k->output, F_SETFL, O_NONBLOCK);
            return 0;
        }
        close(pipes[0]);
        k->pid = 0;
    }
    error_set(err, EXIT_CODE_LACKS, "starting %s", argv[0]);
    return error_why(err, "%s", strerror(errno));
}

void keeper_read(struct keeper *k) {
    char bytes[KEEPER_TAIL / 2];
    ssize_t n = 1;
    while (k->output >= 0 && n > 0) {
        n = read(k->output, bytes, sizeof bytes);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            close(k->output);
            k->output = -1;
        }
        size_t used = strlen(k->tail);
        size_t got = n > 0 ? (size_t)n : 0;
        size_t drop = used + got >= KEEPER_TAIL ? used + got - KEEPER_TAIL + 1 : 0;
        for (size_t i = 0; i < got; i++)
            if (!bytes[i])
                bytes[i] = ' ';
        memmove(k->tail, k->tail + drop, used - drop);
        memcpy(k->tail + used - drop, bytes, got);
        k->tail[used - drop + got] = '\0';
    }
}

bool keeper_ended(const struct keeper *k) {
    siginfo_t info = {0};
    if (!k->pid)
        return true;
    return waitid(P_PID, (id_t)k->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == k->pid;
}

void keeper_stop(struct keeper *k) {
    if (k->pid > 0) {
        kill(k->pid, SIGTERM);
        while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (k->output >= 0)
        close(k->output);
    k->pid = 0;
    k->output = -1;
}
