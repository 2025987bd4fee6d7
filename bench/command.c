// SPDX-License-Identifier: Apache-2.0
// Running external programs. See command.h.
#include "bench/command.h"

#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536U

// One of the program's two outputs.
struct output {
    int fd;
    size_t used; // bytes of an unfinished line
    char line[LINE_MAX_BYTES + 1];
};

struct running {
    const struct command *command;
    struct command_outcome *out;
    pid_t pid;
    int pidfd;
    struct output outputs[2];
};

static int cannot_start(const struct command *command, int why, struct error *err) {
    error_set(err, EXIT_CODE_LACKS, "starting %s", command->argv[0]);
    error_why(err, "%s", strerror(why));
    return why == ENOENT ? error_remedy(err, "check the spelling, and that it is in PATH") : -1;
}

// In the child: never returns. A failure goes to the parent as errno through a pipe that exec closes.
__attribute__((noreturn)) static void become(const struct command *command, int out_fd, int err_fd, int report_fd,
                                             pid_t parent) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, command->launcher ? SIGTERM : SIGKILL);
    if (getppid() != parent)
        _exit(127);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); // fails for SIGKILL and SIGSTOP, which have no other
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null_fd, STDIN_FILENO);
    dup2(out_fd, STDOUT_FILENO);
    dup2(err_fd, STDERR_FILENO);
    for (const char *const *e = command->environment; e && *e; e++)
        putenv((char *)*e); // stays valid until exec
    execvp(command->argv[0], (char *const *)command->argv);
    int why = errno;
    if (write(report_fd, &why, sizeof why) < 0)
        _exit(126);
    _exit(127);
}

static void close_pair(int pair[2]) {
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

static int start(struct running *r, struct error *err) {
    int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}}; // standard output, standard error, errno of exec
    int why = 0;
    pid_t parent = getpid();
    for (int i = 0; i < 3 && !why; i++)
        why = pipe2(pipes[i], O_CLOEXEC) < 0 ? errno : 0;
    if (!why) {
        r->pid = fork();
        if (r->pid == 0)
            become(r->command, pipes[0][1], pipes[1][1], pipes[2][1], parent);
        why = r->pid < 0 ? errno : 0;
    }
    if (!why) {
        setpgid(r->pid, r->pid); // whichever of the two is first
        close(pipes[2][1]);
        pipes[2][1] = -1;
        if (read(pipes[2][0], &why, sizeof why) > 0)
            waitpid(r->pid, NULL, 0);
        else
            why = 0;
    }
    if (!why) {
        r->pidfd = pidfd_open(r->pid, 0);
        for (int i = 0; i < 2; i++) {
            r->outputs[i].fd = pipes[i][0];
            fcntl(pipes[i][0], F_SETFL, O_NONBLOCK);
            pipes[i][0] = -1;
        }
    }
    for (int i = 0; i < 3; i++)
        close_pair(pipes[i]);
    return why ? cannot_start(r->command, why, err) : 0;
}

static void add_to_tail(char *tail, const char *bytes, size_t count) {
    size_t room = COMMAND_TAIL - 1;
    if (count > room) {
        bytes += count - room;
        count = room;
    }
    size_t used = strlen(tail);
    size_t drop = used + count > room ? used + count - room : 0;
    memmove(tail, tail + drop, used - drop);
    memcpy(tail + used - drop, bytes, count);
    tail[used - drop + count] = '\0';
}

static void end_line(const struct command *command, struct output *o) {
    o->line[o->used] = '\0';
    o->used = 0;
    command->line(command->closure, o->line);
}

static void split(const struct command *command, struct output *o, const char *bytes, size_t count) {
    while (count) {
        const char *newline = memchr(bytes, '\n', count);
        size_t length = newline ? (size_t)(newline - bytes) : count;
        if (length > LINE_MAX_BYTES - o->used) {
            length = LINE_MAX_BYTES - o->used;
            newline = NULL;
        }
        memcpy(o->line + o->used, bytes, length);
        o->used += length;
        if (newline || o->used == LINE_MAX_BYTES)
            end_line(command, o);
        length += newline != NULL;
        bytes += length;
        count -= length;
    }
}

static void take(const struct running *r, struct output *o, char *bytes, size_t count) {
    if (r->command->pass_on && write(STDERR_FILENO, bytes, count) < 0)
        errno = 0; // nobody listens any more; the measurement goes on
    for (char *zero; (zero = memchr(bytes, '\0', count));)
        *zero = ' ';
    add_to_tail(r->out->tail, bytes, count);
    if (r->command->line)
        split(r->command, o, bytes, count);
}

// Reads what is there, but not for ever: a program may write faster than we read. Closes the output at its end.
static void drain(struct running *r, struct output *o) {
    enum { READS = 64 };
    char bytes[16384];
    for (int i = 0; i < READS && o->fd >= 0; i++) {
        ssize_t count = read(o->fd, bytes, sizeof bytes);
        if (count > 0) {
            take(r, o, bytes, (size_t)count);
            continue;
        }
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return;
        close(o->fd);
        o->fd = -1;
    }
}

// Leaves the program to be waited for, so that its number stays its own.
static bool has_ended(const struct running *r) {
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == r->pid;
}

// Waits for output or the end of the program, at most until `deadline_ns` (0: none). False when the program has ended.
static bool watch(struct running *r, uint64_t deadline_ns) {
    struct pollfd events[3] = {
        {.fd = r->pidfd, .events = POLLIN}, // poll() passes over negative ones
        {.fd = r->outputs[0].fd, .events = POLLIN},
        {.fd = r->outputs[1].fd, .events = POLLIN},
    };
    uint64_t now = clock_now_ns();
    int wait_ms = r->pidfd >= 0 ? 1000 : 10; // without a pidfd (a sandbox forbids it) the end is only seen by looking
    if (deadline_ns && deadline_ns < now + (uint64_t)wait_ms * 1000000U)
        wait_ms = deadline_ns > now ? (int)((deadline_ns - now) / 1000000U + 1) : 0;
    poll(events, 3, wait_ms);
    if (has_ended(r))
        return false;
    drain(r, &r->outputs[0]);
    drain(r, &r->outputs[1]);
    return true;
}

static void wait_for_end(struct running *r) {
    double timeout_s = r->command->timeout_s;
    uint64_t deadline_ns = timeout_s > 0 ? clock_now_ns() + (uint64_t)(timeout_s * 1e9) : 0;
    bool asked = false; // SIGTERM was sent
    while (watch(r, deadline_ns)) {
        if (!deadline_ns || clock_now_ns() < deadline_ns)
            continue;
        r->out->timed_out = true;
        kill(-r->pid, asked ? SIGKILL : SIGTERM);
        asked = true;
        deadline_ns = clock_now_ns() + 2000000000U;
    }
}

int command_run(const struct command *command, struct command_outcome *out, struct error *err) {
    struct running *r = mem_alloc(sizeof *r);
    struct sigaction old;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    *out = (struct command_outcome){0};
    r->command = command;
    r->out = out;
    uint64_t begin = clock_raw_ns();
    if (start(r, err) < 0) {
        free(r);
        return -1;
    }
    sigaction(SIGPIPE, &ignore, &old);
    wait_for_end(r);
    out->wall_s = (double)(clock_raw_ns() - begin) * 1e-9;
    kill(-r->pid, SIGKILL); // what it left behind; before the wait, while the number cannot mean anyone else
    while (waitpid(r->pid, &out->status, 0) < 0 && errno == EINTR)
        ;
    for (int i = 0; i < 2; i++) {
        struct output *o = &r->outputs[i];
        drain(r, o);
        if (o->fd >= 0)
            close(o->fd);
        if (o->used && command->line)
            end_line(command, o);
    }
    sigaction(SIGPIPE, &old, NULL);
    if (r->pidfd >= 0)
        close(r->pidfd);
    free(r);
    return 0;
}

static void say_how(const struct command_outcome *outcome, char *why, size_t size) {
    if (outcome->timed_out)
        snprintf(why, size, "it ran into its time limit after %.3g s", outcome->wall_s);
    else if (WIFSIGNALED(outcome->status))
        snprintf(why, size, "it was ended by signal %d (%s)", WTERMSIG(outcome->status),
                 strsignal(WTERMSIG(outcome->status)));
    else
        snprintf(why, size, "it ended with exit status %d", WEXITSTATUS(outcome->status));
}

bool command_succeeded(const struct command_outcome *outcome, char *why, size_t size) {
    if (outcome->status == 0 && !outcome->timed_out)
        return true;
    say_how(outcome, why, size);
    size_t used = strlen(why);
    size_t length = strlen(outcome->tail);
    while (length && (outcome->tail[length - 1] == '\n' || outcome->tail[length - 1] == ' '))
        length--;
    if (!length || used + 8 > size)
        return false;
    size_t room = size - used - 3;
    const char *from = outcome->tail + (length > room ? length - room : 0);
    snprintf(why + used, size - used, ": %.*s", (int)(outcome->tail + length - from), from);
    for (char *c = why; *c; c++)
        if (*c == '\n')
            *c = ' ';
    return false;
}

bool command_number(const regex_t *pattern, const char *line, double *out) {
    regmatch_t match[2];
    if (regexec(pattern, line, 2, match, 0) != 0)
        return false;
    const regmatch_t *found = match[1].rm_so >= 0 ? &match[1] : &match[0];
    const char *text = line + found->rm_so;
    char *end;
    double value = strtod(text, &end);
    if (end == text || end > line + found->rm_eo || !isfinite(value))
        return false;
    *out = value;
    return true;
}

bool command_exists(const char *name) {
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    const char *path = getenv("PATH");
    char *folders = mem_strdup(path ? path : "/usr/bin:/bin");
    char *rest = folders;
    bool found = false;
    for (char *folder = strsep(&rest, ":"); folder && !found; folder = strsep(&rest, ":")) {
        char *file = mem_printf("%s/%s", *folder ? folder : ".", name);
        found = access(file, X_OK) == 0;
        free(file);
    }
    free(folders);
    return found;
}

int command_lacking(const char *name, const char *package, struct error *err) {
    if (strchr(name, '/') ? access(name, R_OK) == 0 : command_exists(name))
        return 0;
    error_set(err, EXIT_CODE_LACKS, "%s is not here", name);
    return *package ? error_remedy(err, "apt-get install %s", package) : -1;
}
