// SPDX-License-Identifier: Apache-2.0
// What the agents on the nodes, and the launcher that keeps them, tell. See nodes_inside.h.
#include "bench/nodes_inside.h"

#include "core/clock.h"
#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#define GRACE_S        2.0 // for the launcher to end the ranks of which one has failed
#define LOST_TIMEOUT_S 1.0 // for the launcher to say why an agent was lost

int nodes_watch(const struct nodes *n, int fd, void *who) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = who};
    return epoll_ctl(n->epoll, EPOLL_CTL_ADD, fd, &event);
}

void node_free(struct node *node) {
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
    nodes_watch(n, fd, node);
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
void nodes_set_grace(struct nodes *n, double seconds) {
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
    nodes_set_grace(n, GRACE_S);
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
    nodes_set_grace(n, 0);
    n->expired = true;
}

// Handles what has happened, waiting at most so long for something to happen.
void nodes_handle_events(struct nodes *n, int timeout_ms) {
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
void nodes_add_launcher_words(const struct nodes *n, char *out, size_t size) {
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
void nodes_explain_loss(struct nodes *n) {
    uint64_t deadline = clock_now_ns() + (uint64_t)(LOST_TIMEOUT_S * 1e9);
    while (!keeper_ended(&n->keeper) && clock_now_ns() < deadline)
        nodes_handle_events(n, 50);
    keeper_read(&n->keeper);
    nodes_add_launcher_words(n, n->lost, sizeof n->lost);
}

const char *nodes_look(void *closure) {
    struct nodes *n = closure;
    nodes_handle_events(n, 0);
    if (!n->lost[0] && keeper_ended(&n->keeper))
        snprintf(n->lost, sizeof n->lost, "the launcher of the agents has ended");
    return n->lost[0] ? n->lost : n->expired ? n->failure : NULL;
}
