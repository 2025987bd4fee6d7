// SPDX-License-Identifier: Apache-2.0
// Agents on the nodes of a job, as the runner sees them. See nodes.h.
#include "bench/nodes.h"

#include "bench/keeper.h"
#include "bench/launch.h"
#include "bench/link.h"

#include "core/clock.h"
#include "core/memory.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <unistd.h>

#define START_TIMEOUT_S  120.0 // a queue of ssh connections, calibration included
#define GATHER_TIMEOUT_S 10.0  // after the job's end; what the agents send is a few kilobytes
#define GRACE_S          2.0   // for the launcher to end the ranks of which one has failed
#define LOST_TIMEOUT_S   1.0   // for the launcher to say why an agent was lost

// One agent.
struct node {
    struct link_stream link;
    bool trusted; // it has said the key
    char name[64];
    uint64_t index; // its place among the agents
    cJSON *hello;   // NULL until it came
    uint64_t begun; // ranks of the sample in progress that it has begun to observe
    cJSON *sample;  // what it found in it
};

struct nodes {
    struct nodes_options options;
    struct link_invitation invitation;
    struct keeper keeper;
    struct worker_peer peer;
    int listener; // open while agents are expected
    int epoll;
    struct node **nodes;
    size_t count;
    struct node **guests; // that have connected and not said hello
    size_t guest_count;
    struct words launch; // of the sample in progress
    uint64_t sample;     // its number
    uint64_t size;       // ranks that it shall have; 0: not told yet
    struct nodes_rank *ranks;
    size_t rank_count;
    size_t rank_capacity;
    int grace;            // a timer: how long the launcher may take to end a job of which a rank has failed
    char failure[512];    // of that rank; empty: none
    bool expired;         // it has taken longer
    char lost[512];       // why the agents must be started anew; empty: all are there
    char reason[1024];    // of a failed sample
    struct error refusal; // an agent's
};

// --- events
// -----------------------------------------------------------------------------------------------------------

static int watch(const struct nodes *n, int fd, void *who) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
    return epoll_ctl(n->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void free_node(struct node *node) {
    link_close(&node->link);
    cJSON_Delete(node->hello);
    cJSON_Delete(node->sample);
    free(node);
}

static void add_to(struct node ***list, size_t *count, struct node *node) {
    *list = mem_resize(*list, (*count + 1) * sizeof(struct node *));
    (*list)[(*count)++] = node;
}

static void accept_agent(struct nodes *n) {
    int fd = accept4(n->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct node *node = mem_alloc(sizeof *node);
    node->link.fd = fd;
    link_watch_peer(fd);
    watch(n, fd, node);
    add_to(&n->guests, &n->guest_count, node);
}

static void welcome(struct nodes *n, struct node *node) {
    for (size_t i = 0; i < n->guest_count; i++)
        if (n->guests[i] == node)
            n->guests[i] = n->guests[--n->guest_count];
    add_to(&n->nodes, &n->count, node);
}

static void on_key(struct nodes *n, struct node *node, cJSON *message) {
    const char *key = NULL;
    const char *name = NULL;
    json_get_string(message, "key", JSON_OPTIONAL, &key, NULL);
    json_get_string(message, "node", JSON_OPTIONAL, &name, NULL);
    node->trusted = key && name && strcmp(key, n->invitation.key) == 0;
    if (node->trusted)
        snprintf(node->name, sizeof node->name, "%s", name);
    else
        link_close(&node->link);
}

static void on_error(struct nodes *n, const struct node *node, const cJSON *message) {
    const char *text = "";
    uint64_t code = EXIT_CODE_LACKS;
    json_get_string(message, "text", JSON_OPTIONAL, &text, NULL);
    json_get_u64(message, "code", JSON_OPTIONAL, &code, NULL);
    error_set(&n->refusal, (enum exit_code)code, "starting the agent on the node %s", node->name);
    error_why(&n->refusal, "%s", text);
}

// An expired timer is readable for good; setting it anew stops that.
static void set_grace(struct nodes *n, double seconds) {
    const struct itimerspec once = {.it_value = {.tv_sec = (time_t)seconds}};
    timerfd_settime(n->grace, 0, &once, NULL);
}

static bool is_current(const struct nodes *n, const cJSON *message) {
    uint64_t sample = 0;
    return json_get_u64(message, "sample", JSON_OPTIONAL, &sample, NULL) > 0 && sample == n->sample;
}

static void on_begin(struct nodes *n, struct node *node, const cJSON *message) {
    if (!is_current(n, message))
        return;
    json_get_u64(message, "ranks", JSON_OPTIONAL, &node->begun, NULL);
    json_get_u64(message, "size", JSON_OPTIONAL, &n->size, NULL);
}

static void on_failed(struct nodes *n, const struct node *node, const cJSON *message) {
    const char *failure = "";
    double rank = -1;
    if (!is_current(n, message) || n->failure[0])
        return;
    json_get_double(message, "rank", JSON_OPTIONAL, &rank, NULL);
    json_get_string(message, "failure", JSON_OPTIONAL, &failure, NULL);
    snprintf(n->failure, sizeof n->failure, "rank %.0f on the node %s: %s", rank, node->name, failure);
    set_grace(n, GRACE_S);
}

// Takes the message, or leaves it to be deleted.
static bool on_message(struct nodes *n, struct node *node, cJSON *message) {
    const char *type = "";
    json_get_string(message, "t", JSON_OPTIONAL, &type, NULL);
    if (!node->trusted) {
        if (strcmp(type, "key") == 0)
            on_key(n, node, message);
        else
            link_close(&node->link);
    } else if (strcmp(type, "error") == 0) {
        on_error(n, node, message);
    } else if (strcmp(type, "hello") == 0 && !node->hello) {
        json_get_u64(message, "index", JSON_OPTIONAL, &node->index, NULL);
        node->hello = message;
        welcome(n, node);
        return true;
    } else if (strcmp(type, "begin") == 0) {
        on_begin(n, node, message);
    } else if (strcmp(type, "failed") == 0) {
        on_failed(n, node, message);
    } else if (strcmp(type, "sample") == 0 && is_current(n, message) && !node->sample) {
        node->sample = message;
        return true;
    }
    return false;
}

static void hear(struct nodes *n, struct node *node) {
    bool there = link_read(&node->link);
    cJSON *message;
    while ((message = link_take(&node->link)))
        if (!on_message(n, node, message))
            cJSON_Delete(message);
    if (there && node->link.fd >= 0)
        return;
    link_close(&node->link);
    if (node->hello && !n->lost[0])
        snprintf(n->lost, sizeof n->lost, "the agent on the node %s is gone", node->name);
}

static void on_expired(struct nodes *n) {
    set_grace(n, 0);
    n->expired = true;
}

// Handles what has happened, waiting at most so long for something to happen.
static void handle_events(struct nodes *n, int timeout_ms) {
    struct epoll_event events[64];
    int count = epoll_wait(n->epoll, events, (int)ARRAY_LEN(events), timeout_ms);
    for (int i = 0; i < count; i++) {
        void *who = events[i].data.ptr;
        if (who == n)
            accept_agent(n);
        else if (who == &n->keeper)
            keeper_read(&n->keeper);
        else if (who == &n->grace)
            on_expired(n);
        else
            hear(n, who);
    }
}

// What a launcher prints around its reason: rulers, blank lines.
static void add_launcher_words(const struct nodes *n, char *out, size_t size) {
    size_t used = strlen(out);
    size_t begin = used;
    for (const char *c = n->keeper.tail; *c && used + 4 < size; c++) {
        bool blank = *c == '\n' || *c == ' ' || *c == '\t' ||
                     (*c == '-' && (c[1] == '-' || (c > n->keeper.tail && c[-1] == '-')));
        if (blank && (used == begin || out[used - 1] == ' '))
            continue;
        if (used == begin) {
            out[used++] = ':';
            out[used++] = ' ';
        }
        out[used++] = blank ? ' ' : *c;
    }
    while (used > begin && out[used - 1] == ' ')
        used--;
    out[used] = '\0';
}

// The launcher may know why.
static void explain_loss(struct nodes *n) {
    uint64_t deadline = clock_now_ns() + (uint64_t)(LOST_TIMEOUT_S * 1e9);
    while (!keeper_ended(&n->keeper) && clock_now_ns() < deadline)
        handle_events(n, 50);
    keeper_read(&n->keeper);
    add_launcher_words(n, n->lost, sizeof n->lost);
}

static const char *look(void *closure) {
    struct nodes *n = closure;
    handle_events(n, 0);
    if (!n->lost[0] && keeper_ended(&n->keeper))
        snprintf(n->lost, sizeof n->lost, "the launcher of the agents has ended");
    return n->lost[0] ? n->lost : n->expired ? n->failure : NULL;
}

// --- starting and stopping
// --------------------------------------------------------------------------------------------

static int by_index(const void *a, const void *b) {
    const struct node *const *x = a;
    const struct node *const *y = b;
    return ((*x)->index > (*y)->index) - ((*x)->index < (*y)->index);
}

static void add_option(struct words *words, const char *option, const char *value) {
    if (!value)
        return;
    words_add(words, mem_strdup(option));
    words_add(words, mem_strdup(value));
}

static int start_launcher(struct nodes *n, struct error *err) {
    struct words argv = {0};
    char *invitation = link_invitation_text(&n->invitation);
    char *variable = mem_printf(LINK_VARIABLE "=%s", invitation);
    int result = launch_add_agents(&argv, n->options.launch, LINK_VARIABLE, err);
    if (!result) {
        words_add_program(&argv);
        words_add(&argv, mem_strdup("agent"));
        words_add(&argv, mem_strdup("serve"));
        add_option(&argv, "--collectors", n->options.collectors);
        add_option(&argv, "--label", n->options.label);
        add_option(&argv, "--role", n->options.role);
        words_add(&argv, NULL);
        result = keeper_start(&n->keeper, (const char *const *)argv.items, variable, launch_environment(), err);
    }
    if (!result)
        watch(n, n->keeper.output, &n->keeper);
    words_free(&argv);
    free(invitation);
    free(variable);
    return result;
}

static bool all_here(const struct nodes *n) {
    uint64_t agents = 0;
    if (n->count)
        json_get_u64(n->nodes[0]->hello, "agents", JSON_OPTIONAL, &agents, NULL);
    return n->count && n->count >= agents;
}

static int not_here(struct nodes *n, const volatile int *stop, bool timeout, struct error *err) {
    char why[512] = "";
    if (n->refusal.what[0]) {
        if (err)
            *err = n->refusal;
        return -1;
    }
    error_set(err, EXIT_CODE_LACKS, "starting an agent on each node through %s", launch_known(n->options.launch));
    if (*stop)
        return error_why(err, "stopped by the user");
    keeper_read(&n->keeper);
    snprintf(why, sizeof why, timeout ? "after %.0f s %zu had answered" : "the launcher ended", START_TIMEOUT_S,
             n->count);
    add_launcher_words(n, why, sizeof why);
    return error_why(err, "%s", why);
}

static int wait_for_agents(struct nodes *n, const volatile int *stop, struct error *err) {
    uint64_t deadline = clock_now_ns() + (uint64_t)(START_TIMEOUT_S * 1e9);
    while (!all_here(n)) {
        bool timeout = clock_now_ns() >= deadline;
        if (*stop || timeout || n->refusal.what[0] || n->lost[0] || keeper_ended(&n->keeper))
            return not_here(n, stop, timeout, err);
        handle_events(n, 100);
    }
    return 0;
}

static void end_agents(struct nodes *n) {
    keeper_stop(&n->keeper);
    for (size_t i = 0; i < n->count; i++)
        free_node(n->nodes[i]);
    for (size_t i = 0; i < n->guest_count; i++)
        free_node(n->guests[i]);
    n->count = n->guest_count = n->rank_count = 0;
    if (n->listener >= 0)
        close(n->listener);
    if (n->epoll >= 0)
        close(n->epoll);
    if (n->grace >= 0)
        close(n->grace);
    n->listener = n->epoll = n->grace = n->peer.fd = -1;
}

static int start_agents(struct nodes *n, const volatile int *stop, struct error *err) {
    n->lost[0] = n->reason[0] = '\0';
    n->refusal = (struct error){0};
    n->epoll = epoll_create1(EPOLL_CLOEXEC);
    n->grace = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    watch(n, n->grace, &n->grace);
    n->listener = link_listen(&n->invitation, err);
    if (n->listener < 0)
        return -1;
    watch(n, n->listener, n);
    if (start_launcher(n, err) || wait_for_agents(n, stop, err))
        return -1;
    close(n->listener); // nobody else is expected; closing also takes it out of the epoll set
    n->listener = -1;
    qsort(n->nodes, n->count, sizeof(struct node *), by_index);
    n->peer = (struct worker_peer){.pid = n->keeper.pid, .fd = n->epoll, .look = look, .closure = n};
    return 0;
}

static const char *text_in(const cJSON *object, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

// One node that is this machine: the runner's own collectors see everything, without guards between.
static bool is_here_alone(const struct nodes *n) {
    struct utsname name;
    return n->count == 1 && uname(&name) == 0 && strcmp(text_in(nodes_header(n, 0), "host"), name.nodename) == 0;
}

int nodes_start(const struct nodes_options *o, const volatile int *stop, struct nodes **out, struct error *err) {
    *out = NULL;
    if (!launch_known(o->launch))
        return 0;
    struct nodes *n = mem_alloc(sizeof *n);
    n->options = *o;
    n->listener = n->epoll = n->grace = n->keeper.output = -1;
    int result = start_agents(n, stop, err);
    if (result || is_here_alone(n)) {
        nodes_stop(n);
        return result;
    }
    *out = n;
    return 0;
}

void nodes_stop(struct nodes *n) {
    if (!n)
        return;
    end_agents(n);
    words_free(&n->launch);
    free(n->nodes);
    free(n->guests);
    free(n->ranks);
    free(n);
}

// --- what the nodes are
// -----------------------------------------------------------------------------------------------

size_t nodes_count(const struct nodes *n) {
    return n->count;
}

const char *nodes_name(const struct nodes *n, size_t i) {
    return n->nodes[i]->name;
}

const cJSON *nodes_header(const struct nodes *n, size_t i) {
    return cJSON_GetObjectItemCaseSensitive(n->nodes[i]->hello, "header");
}

// What must be equal on all nodes of a job for its figures to mean one thing. `close`: numbers that differ by less than
// 2 % are equal (memory sizes differ by what each firmware keeps).
static const struct {
    const char *object;
    const char *key; // NULL: all
    bool close;
} facts[] = {
    {"platform", "kind", false},  {"platform", "hypervisor", false},    {"platform", "vmm", false},
    {"platform", "cloud", false}, {"platform", "instance_type", false}, {"topology", "cpus", false},
    {"topology", "cores", false}, {"topology", "packages", false},      {"topology", "numa", false},
    {"topology", "smt", false},   {"topology", "memory_bytes", true},   {"kernel", "release", false},
    {"clock", "source", false},   {"circumstances", NULL, false},
};

static bool same_value(const cJSON *a, const cJSON *b, bool close) {
    if (close && cJSON_IsNumber(a) && cJSON_IsNumber(b))
        return fabs(a->valuedouble - b->valuedouble) <= 0.02 * fmax(fabs(a->valuedouble), fabs(b->valuedouble));
    return cJSON_Compare(a, b, true);
}

static void add_value(struct str *out, const cJSON *value) {
    char *text = value ? json_print_line(value) : mem_strdup("nothing");
    str_printf(out, "%.60s", text);
    free(text);
}

static void compare_value(struct str *out, const char *key, const cJSON *first, const cJSON *other, bool close) {
    if ((!first && !other) || (first && other && same_value(first, other, close)))
        return;
    str_printf(out, "%s%s is ", out->length ? ", " : "", key);
    add_value(out, other);
    str_add(out, " and not ");
    add_value(out, first);
}

static void compare_all(struct str *out, const cJSON *first, const cJSON *other) {
    const cJSON *item;
    cJSON_ArrayForEach(item, first)
        compare_value(out, item->string, item, cJSON_GetObjectItemCaseSensitive(other, item->string), false);
    cJSON_ArrayForEach(item, other) {
        if (!cJSON_GetObjectItemCaseSensitive(first, item->string))
            compare_value(out, item->string, NULL, item, false);
    }
}

char *nodes_difference(const struct nodes *n, size_t i) {
    struct str out = {0};
    for (size_t f = 0; f < ARRAY_LEN(facts); f++) {
        const cJSON *first = cJSON_GetObjectItemCaseSensitive(nodes_header(n, 0), facts[f].object);
        const cJSON *other = cJSON_GetObjectItemCaseSensitive(nodes_header(n, i), facts[f].object);
        if (facts[f].key)
            compare_value(&out, facts[f].key, cJSON_GetObjectItemCaseSensitive(first, facts[f].key),
                          cJSON_GetObjectItemCaseSensitive(other, facts[f].key), facts[f].close);
        else
            compare_all(&out, first, other);
    }
    return out.text;
}

// --- a sample
// ---------------------------------------------------------------------------------------------------------

int nodes_prepare(struct nodes *n, enum sample_mode mode, const char *pass, const volatile int *stop,
                  struct error *err) {
    int again = 0;
    look(n);
    if (n->lost[0] || !n->count) {
        end_agents(n);
        if (start_agents(n, stop, err)) {
            snprintf(n->lost, sizeof n->lost, "they could not be started"); // the next sample tries again
            return -1;
        }
        again = 1;
    }
    for (size_t i = 0; i < n->count; i++) {
        cJSON_Delete(n->nodes[i]->sample);
        n->nodes[i]->sample = NULL;
        n->nodes[i]->begun = 0;
    }
    n->sample++;
    n->size = n->rank_count = 0;
    n->reason[0] = n->failure[0] = '\0';
    n->expired = false;
    set_grace(n, 0);
    words_free(&n->launch);
    for (const char *const *word = n->options.launch; *word; word++)
        words_add(&n->launch, mem_strdup(*word));
    words_add_program(&n->launch);
    words_add(&n->launch, mem_strdup("agent"));
    words_add(&n->launch, mem_strdup("exec"));
    words_add(&n->launch, mem_strdup(n->invitation.name));
    words_add(&n->launch, mem_printf("%llu", (unsigned long long)n->sample));
    words_add(&n->launch, mem_strdup(sample_mode_names[mode]));
    words_add(&n->launch, mem_strdup(pass ? pass : "-"));
    words_add(&n->launch, mem_strdup("--"));
    words_add(&n->launch, NULL);
    return again;
}

const char *const *nodes_launch(const struct nodes *n) {
    return (const char *const *)n->launch.items;
}

struct worker_peer *nodes_peer(struct nodes *n) {
    return &n->peer;
}

// True when each agent that has begun has also delivered, and no more ranks are to come.
static bool all_gathered(const struct nodes *n) {
    uint64_t begun = 0;
    for (size_t i = 0; i < n->count; i++) {
        const struct node *node = n->nodes[i];
        begun += node->begun;
        if (node->begun && !node->sample && node->link.fd >= 0)
            return false;
    }
    return begun >= n->size;
}

static void wait_for_samples(struct nodes *n, double timeout_s, const volatile int *stop) {
    uint64_t deadline = clock_now_ns() + (uint64_t)(timeout_s * 1e9);
    handle_events(n, 0);
    while (!all_gathered(n) && !*stop && clock_now_ns() < deadline)
        handle_events(n, 20);
}

static void kill_ranks(const struct nodes *n) {
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "t", "kill");
    for (size_t i = 0; i < n->count; i++)
        if (n->nodes[i]->link.fd >= 0)
            link_send(n->nodes[i]->link.fd, message);
    cJSON_Delete(message);
}

static int by_rank(const void *a, const void *b) {
    const struct nodes_rank *x = a;
    const struct nodes_rank *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

// The rank that failed first took the others with it.
static void find_reason(struct nodes *n, double *first, const struct nodes_rank *r, const cJSON *rank) {
    double ended_at = INFINITY;
    if (!r->failure)
        return;
    json_get_double(rank, "ended_at", JSON_OPTIONAL, &ended_at, NULL);
    if (ended_at >= *first && n->reason[0])
        return;
    *first = ended_at;
    snprintf(n->reason, sizeof n->reason, "rank %lld on the node %s: %s", (long long)r->rank, r->node, r->failure);
}

static void list_ranks(struct nodes *n, const struct node *node, double *first) {
    const cJSON *ranks = cJSON_GetObjectItemCaseSensitive(node->sample, "ranks");
    const cJSON *rank;
    size_t begin = n->rank_count;
    cJSON_ArrayForEach(rank, ranks) {
        uint64_t number = 0;
        struct nodes_rank r = {.node = node->name, .rank = -1, .cpu_s = NAN};
        if (json_get_u64(rank, "rank", JSON_OPTIONAL, &number, NULL) > 0)
            r.rank = (int64_t)number;
        json_get_u64(rank, "start_ns", JSON_OPTIONAL, &r.start_ns, NULL);
        json_get_double(rank, "wall_s", JSON_OPTIONAL, &r.wall_s, NULL);
        json_get_double(rank, "cpu_s", JSON_OPTIONAL, &r.cpu_s, NULL);
        json_get_string(rank, "failure", JSON_OPTIONAL, &r.failure, NULL);
        find_reason(n, first, &r, rank);
        ARRAY_PUSH(n->ranks, n->rank_count, n->rank_capacity, r);
    }
    if (n->rank_count == begin)
        return;
    qsort(n->ranks + begin, n->rank_count - begin, sizeof *n->ranks, by_rank);
    n->ranks[begin].sample = node->sample;
}

size_t nodes_gather(struct nodes *n, bool failed, const volatile int *stop, const struct nodes_rank **out) {
    double first = INFINITY;
    wait_for_samples(n, failed ? GATHER_TIMEOUT_S / 5 : GATHER_TIMEOUT_S, stop);
    if (!all_gathered(n)) {
        kill_ranks(n); // what the launcher has left
        wait_for_samples(n, GATHER_TIMEOUT_S / 5, stop);
    }
    n->rank_count = 0;
    for (size_t i = 0; i < n->count; i++)
        list_ranks(n, n->nodes[i], &first);
    qsort(n->ranks, n->rank_count, sizeof *n->ranks, by_rank);
    if (n->lost[0]) {
        explain_loss(n);
        snprintf(n->reason, sizeof n->reason, "%s", n->lost);
    }
    *out = n->ranks;
    return n->rank_count;
}

const char *nodes_reason(const struct nodes *n) {
    return n->reason[0] ? n->reason : NULL;
}
