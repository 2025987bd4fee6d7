// SPDX-License-Identifier: Apache-2.0
// External programs, and the bench "command". See command.h.
#include "bench/command.h"
#include "bench/launch.h"

#include "core/clock.h"
#include "core/memory.h"
#include "core/parse.h"

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

// --- running a program ----------------------------------------------------------------------------------------------

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

// --- the bench ------------------------------------------------------------------------------------------------------

static const struct bench_param params[] = {
    {"argv", {NULL}, "the program and its arguments, as an array of strings"},
    {"pattern",
     {""},
     "extended regular expression that finds the figure of merit; its first group is the number, the "
     "last matching line of standard output or error counts; empty: wall time is compared"},
    {"fom", {"figure of merit"}, "what the figure is called"},
    {"unit", {""}, "its unit"},
    {"better", {""}, "lower | higher: which is better; needed with a pattern"},
    {"timeout", {"0"}, "time limit such as 90s or 10m; 0: none"},
    {NULL, {NULL}, NULL},
};

static int refuse(const struct bench_context *context, const char *name, const char *why, struct error *err) {
    error_set(err, EXIT_CODE_INPUT, "the parameter \"%s\" of the bench command cannot be used", name);
    error_why(err, "%s", why);
    return bench_param_blame(context, name, err);
}

// Fills `pattern` (regfree() it) if the case has one. 1: it has, 0: it has not, -1: `err`.
static int compile_pattern(const struct bench_context *context, regex_t *pattern, struct error *err) {
    const char *text = bench_param_text(context, "pattern");
    char why[256];
    if (!*text)
        return 0;
    int failed = regcomp(pattern, text, REG_EXTENDED);
    if (!failed)
        return 1;
    regerror(failed, pattern, why, sizeof why);
    return refuse(context, "pattern", why, err);
}

static int timeout_param(const struct bench_context *context, double *out, struct error *err) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(context->params, "timeout");
    if (cJSON_IsNumber(item) && item->valuedouble >= 0) {
        *out = item->valuedouble;
        return 0;
    }
    if (cJSON_IsString(item) && parse_duration_s("timeout", item->valuestring, out, NULL) == 0)
        return 0;
    return refuse(context, "timeout", "it must be a duration such as 90s or 10m, or 0 for none", err);
}

static int check_argv(const struct bench_context *context, struct error *err) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(context->params, "argv");
    const cJSON *word;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) == 0)
        return refuse(context, "argv", "it must be an array of at least one string", err);
    cJSON_ArrayForEach(word, list) {
        if (!cJSON_IsString(word))
            return refuse(context, "argv", "all of its values must be strings", err);
    }
    return 0;
}

static int fom(const struct bench_context *context, struct bench_fom *out, struct error *err) {
    const char *better = bench_param_text(context, "better");
    double timeout_s;
    regex_t pattern;
    if (check_argv(context, err) < 0 || timeout_param(context, &timeout_s, err) < 0)
        return -1;
    int found = compile_pattern(context, &pattern, err);
    if (found <= 0)
        return found < 0 ? -1 : 1;
    regfree(&pattern);
    bool higher = strcmp(better, "higher") == 0;
    if (!higher && strcmp(better, "lower") != 0)
        return refuse(context, "better", "say lower or higher: a figure without a direction cannot be compared", err);
    out->better = higher ? FOM_HIGHER : FOM_LOWER;
    snprintf(out->name, sizeof out->name, "%s", bench_param_text(context, "fom"));
    snprintf(out->unit, sizeof out->unit, "%s", bench_param_text(context, "unit"));
    return 0;
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

int command_lacking(const char *shown, const char *name, const char *package, struct error *err) {
    if (strchr(name, '/') ? access(name, R_OK) == 0 : command_exists(name))
        return 0;
    error_set(err, EXIT_CODE_LACKS, "%s is not here", shown);
    return *package ? error_remedy(err, "apt-get install %s", package) : -1;
}

static const char *unavailable(const struct bench_context *context) {
    const cJSON *argv = cJSON_GetObjectItemCaseSensitive(context->params, "argv");
    const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(argv, 0));
    if (context->launch) // the program may be on other nodes only
        name = context->launch[0];
    return !name || command_exists(name)
               ? NULL
               : "there is no such program: check its name, install it, or add its folder to PATH";
}

static struct words full_argv(const struct bench_context *context) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(context->params, "argv");
    const cJSON *word;
    struct words argv = {0};
    if (context->launch)
        launch_add(&argv, context, 0, false);
    cJSON_ArrayForEach(word, list) {
        words_add(&argv, mem_strdup(word->valuestring));
    }
    words_add(&argv, NULL);
    return argv;
}

struct search {
    const regex_t *pattern;
    bool found;
    double value;
};

static void look(void *closure, const char *text) {
    struct search *search = closure;
    if (command_number(search->pattern, text, &search->value))
        search->found = true;
}

static int run(struct bench_context *context, struct bench_result *result, struct error *err) {
    regex_t pattern;
    struct search search = {.pattern = &pattern, .value = NAN};
    struct command_outcome outcome;
    struct command command = {.launcher = context->launch, .pass_on = true, .closure = &search};
    int has_pattern = compile_pattern(context, &pattern, err);
    if (has_pattern < 0 || timeout_param(context, &command.timeout_s, err) < 0)
        return -1;
    struct words argv = full_argv(context);
    command.argv = (const char *const *)argv.items;
    command.line = has_pattern ? look : NULL;
    int ran = command_run(&command, &outcome, err);
    words_free(&argv);
    if (has_pattern)
        regfree(&pattern);
    if (ran < 0)
        return -1;
    result->wall_s = outcome.wall_s;
    result->fom = search.value;
    result->valid = command_succeeded(&outcome, result->why, sizeof result->why);
    if (result->valid && has_pattern && !search.found) {
        result->valid = false;
        snprintf(result->why, sizeof result->why, "no line of its output matched the pattern %s",
                 bench_param_text(context, "pattern"));
    }
    return 0;
}

const struct bench_ops bench_command = {
    .abi = BENCH_ABI,
    .name = "command",
    .summary = "any program: wall time, exit status, a figure of merit by regular expression",
    .launches = true,
    .params = params,
    .fom = fom,
    .unavailable = unavailable,
    .run = run,
};
