// SPDX-License-Identifier: Apache-2.0
// `metalgap watch`: who takes the CPUs of this machine now, interval by interval.
#include "bench/watch.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "cli/watch_text.h"
#include "core/clock.h"
#include "core/memory.h"
#include "core/parse.h"
#include "detect/detect.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define LEAST_INTERVAL_S 0.1

static const char usage[] =
    "Usage: metalgap watch [--interval SEC] [--duration SEC] [--vm PID|NAME] [--json]\n"
    "\n"
    "Who takes the CPUs of this machine now: per cause, per second, and where exits\n"
    "come from. On a terminal a screen that is drawn over (q or Ctrl-C ends it),\n"
    "otherwise a line an interval. Shares are of the time of all CPUs.\n"
    "\n"
    "  --interval SEC   how long each look is (default: 1; at least 0.1)\n"
    "  --duration SEC   end after so long; takes s, m and h, too (default: never)\n"
    "  --vm PID|NAME    a KVM host's look at a virtual machine, or at all of them\n"
    "                   (--vm all): shares are of their vCPUs' time; in Xen's Dom0\n"
    "                   a domain's requests and packets\n"
    "  --json           an object a line (metalgap.watch/1)\n"
    "  -h, --help       this text\n"
    "\n"
    "Root sees most: exits, what they cost, and where they come from need eBPF. The\n"
    "others see steal, interrupts and load, and are told what is missing.\n"
    "\n"
    "Examples:\n"
    "  sudo metalgap watch\n"
    "  sudo metalgap watch --interval 5 --duration 1m >> exits.log\n"
    "  sudo metalgap watch --json --duration 10 | jq '.hypervisor_pct'\n"
    "  sudo metalgap watch --vm all          on a KVM host\n";

struct watch {
    struct watch_options options;
    double interval_s;
    double duration_s;
    bool json;
    // while it runs:
    const struct watch_source *source;
    void *state;
    char subject[128];
    bool on_terminal;
    struct terminal terminal;
    struct watch_view view; // the latest
    bool has_view;
    int signals;  // descriptor
    int ended_by; // signal, or 0
    bool stop;
};

// --- showing ------------------------------------------------------------------------------------------------------

static void now_text(const char *format, bool universal, char *out, size_t size) {
    time_t now = time(NULL);
    struct tm parts;
    if (universal)
        gmtime_r(&now, &parts);
    else
        localtime_r(&now, &parts);
    strftime(out, size, format, &parts);
}

static void draw(const struct watch *w, bool redraw) {
    struct watch_page page = {
        .subject = w->subject, .interval_s = w->interval_s, .redraw = redraw, .colour = !getenv("NO_COLOR")};
    struct str frame = {0};
    char time[16];
    now_text("%H:%M:%S", false, time, sizeof time);
    page.time = time;
    terminal_size(&page.columns, &page.rows);
    if (!redraw)
        page.rows--; // the shell's prompt wants a line
    watch_text_screen(&w->view, &page, &frame);
    terminal_draw(str_text(&frame));
    str_free(&frame);
}

static void print_json(const struct watch *w) {
    char time[32];
    now_text("%Y-%m-%dT%H:%M:%SZ", true, time, sizeof time);
    cJSON *object = watch_view_to_json(&w->view, time);
    char *text = json_print_line(object);
    puts(text);
    free(text);
    cJSON_Delete(object);
}

static void print_line(const struct watch *w) {
    struct str text = {0};
    char time[16];
    now_text("%H:%M:%S", false, time, sizeof time);
    watch_text_line(&w->view, time, &text);
    fputs(str_text(&text), stdout);
    str_free(&text);
}

static void show(struct watch *w) {
    if (w->json)
        print_json(w);
    else if (w->on_terminal)
        draw(w, true);
    else
        print_line(w);
    if (!w->on_terminal && fflush(stdout))
        w->stop = true; // nobody reads any more; main() says so
}

// Where no screen shows it: what the picture lacks.
static void tell_gaps(const struct watch *w) {
    const cJSON *source;
    cJSON_ArrayForEach(source, w->view.sources) {
        const char *texts[3] = {"", "", ""};
        static const char *const keys[3] = {"name", "reason", "hint"};
        for (int i = 0; i < 3; i++) {
            const cJSON *item = cJSON_GetObjectItemCaseSensitive(source, keys[i]);
            texts[i] = cJSON_IsString(item) ? item->valuestring : "";
        }
        if (texts[1][0])
            fprintf(stderr, "metalgap: not or not fully seen: %s: %s%s%s\n", texts[0], texts[1],
                    texts[2][0] ? "\n  try: " : "", texts[2]);
    }
}

// --- waiting ------------------------------------------------------------------------------------------------------

static void on_signal(struct watch *w) {
    struct signalfd_siginfo info;
    if (read(w->signals, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGWINCH) {
        if (w->has_view && w->on_terminal)
            draw(w, true);
    } else if (info.ssi_signo == SIGTSTP) {
        terminal_leave(&w->terminal);
        raise(SIGSTOP); // and here it goes on after SIGCONT
        if (w->on_terminal)
            terminal_enter(&w->terminal);
    } else {
        w->ended_by = (int)info.ssi_signo;
        w->stop = true;
    }
}

static void on_key(struct watch *w) {
    char key;
    ssize_t got = read(STDIN_FILENO, &key, 1);
    if (got == 1 && (key == 'q' || key == 'Q'))
        w->stop = true;
    if (got <= 0)
        w->terminal.keys = false; // closed: never look again
}

static void wait_until(struct watch *w, uint64_t until_ns) {
    for (uint64_t now; !w->stop && (now = clock_now_ns()) < until_ns;) {
        struct pollfd fds[] = {
            {.fd = w->signals, .events = POLLIN},
            {.fd = w->terminal.entered && w->terminal.keys ? STDIN_FILENO : -1, .events = POLLIN},
        };
        const int timeout_ms = (int)fmin((double)(until_ns - now) * 1e-6 + 1, 1000 * 3600);
        if (poll(fds, ARRAY_LEN(fds), timeout_ms) <= 0)
            continue;
        if (fds[0].revents)
            on_signal(w);
        if (fds[1].revents)
            on_key(w);
    }
}

// --- the loop -----------------------------------------------------------------------------------------------------

static int look(struct watch *w, uint64_t until_ns, struct error *err) {
    struct watch_view view;
    if (w->source->begin(w->state, err))
        return -1;
    wait_until(w, until_ns);
    if (w->source->end(w->state, &view, err))
        return -1;
    if (w->stop) { // a broken-off look is none
        watch_view_free(&view);
        return 0;
    }
    watch_view_free(&w->view);
    w->view = view;
    if (!w->has_view && !w->on_terminal)
        tell_gaps(w);
    w->has_view = true;
    show(w);
    return 0;
}

static int look_on(struct watch *w, struct error *err) {
    const uint64_t start = clock_now_ns();
    const uint64_t interval_ns = (uint64_t)(w->interval_s * 1e9);
    int result = 0;
    while (!w->stop && result == 0) {
        const uint64_t now = clock_now_ns();
        const double left_s = w->duration_s - (double)(now - start) * 1e-9;
        if (left_s <= 0)
            break;
        const bool last = left_s < w->interval_s;
        result = look(w, now + (last ? (uint64_t)(left_s * 1e9) : interval_ns), err);
    }
    return result;
}

static int run(struct watch *w, struct error *err) {
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(caught); i++)
        sigaddset(&set, caught[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    w->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (w->on_terminal)
        terminal_enter(&w->terminal);
    int result = look_on(w, err);
    terminal_leave(&w->terminal);
    if (w->on_terminal && w->has_view)
        draw(w, false); // the last look stays on the shell's screen
    close(w->signals);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return result;
}

static void name_subject(struct watch *w, const cJSON *platform) {
    const cJSON *hypervisor = cJSON_GetObjectItemCaseSensitive(platform, "hypervisor");
    const cJSON *kind = cJSON_GetObjectItemCaseSensitive(platform, "kind");
    snprintf(w->subject, sizeof w->subject, "%s, hypervisor %s", cJSON_IsString(kind) ? kind->valuestring : "",
             cJSON_IsString(hypervisor) ? hypervisor->valuestring : "unknown");
}

static int watch(struct watch *w, struct error *err) {
    w->source = watch_choose(&w->options);
    w->on_terminal = !w->json && isatty(STDOUT_FILENO);
    cJSON *platform = detect_live_json(false);
    name_subject(w, platform);
    w->options.platform = platform;
    w->state = w->source->open(&w->options, err);
    int result = w->state ? run(w, err) : -1;
    watch_view_free(&w->view);
    if (w->state)
        w->source->close(w->state);
    w->options.platform = NULL;
    cJSON_Delete(platform);
    return result;
}

// --- the command --------------------------------------------------------------------------------------------------

enum { OPT_INTERVAL = 256, OPT_DURATION, OPT_VM, OPT_JSON };

static int set_option(struct watch *w, int option, const char *value, struct error *err) {
    switch (option) {
    case OPT_INTERVAL:
        if (parse_duration_s("--interval", value, &w->interval_s, err))
            return -1;
        if (w->interval_s >= LEAST_INTERVAL_S)
            return 0;
        error_set(err, EXIT_CODE_USAGE, "--interval %s", value);
        return error_why(err, "expected at least %.1f s", LEAST_INTERVAL_S);
    case OPT_DURATION:
        return parse_duration_s("--duration", value, &w->duration_s, err);
    case OPT_VM:
        w->options.vm = value;
        return 0;
    case OPT_JSON:
        w->json = true;
        return 0;
    default:
        return -1; // next_option() has said why
    }
}

static int refuse_word(const char *word, struct error *err) {
    error_set(err, EXIT_CODE_USAGE, "reading the options of `metalgap watch`");
    error_why(err, "it takes no \"%s\"", word);
    return error_remedy(err, "metalgap watch --help");
}

int cmd_watch(int argc, char **argv) {
    static const struct option options[] = {
        {"interval", required_argument, NULL, OPT_INTERVAL},
        {"duration", required_argument, NULL, OPT_DURATION},
        {"vm", required_argument, NULL, OPT_VM},
        {"json", no_argument, NULL, OPT_JSON},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct watch w = {.interval_s = 1, .duration_s = INFINITY};
    struct error err = {0};
    int failed = 0;
    for (int option; !failed && (option = next_option(argc, argv, "h", options, &err)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_CODE_DONE;
        }
        failed = set_option(&w, option, optarg, &err);
    }
    if (!failed && optind < argc)
        failed = refuse_word(argv[optind], &err);
    if (!failed)
        failed = watch(&w, &err);
    if (failed) {
        error_print(&err);
        return err.code;
    }
    if (w.ended_by) {
        fflush(NULL);
        signal(w.ended_by, SIG_DFL);
        raise(w.ended_by);
    }
    return EXIT_CODE_DONE;
}
