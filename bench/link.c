// SPDX-License-Identifier: Apache-2.0
// Sockets between runner, agents and guards. See link.h.
#include "bench/link.h"

#include "core/clock.h"
#include "core/memory.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_LIMIT    ((size_t)16 << 20) // bytes; a sample of one node
#define MAX_ADDRESSES 32

static int system_error(struct error *err, const char *doing) {
    int why = errno;
    error_set(err, EXIT_CODE_LACKS, "%s", doing);
    return error_why(err, "%s", strerror(why));
}

// --- the invitation
// ---------------------------------------------------------------------------------------------------

static int random_digits(char *out, size_t count) {
    unsigned char bytes[64];
    if (getrandom(bytes, count / 2, 0) != (ssize_t)(count / 2))
        return -1;
    for (size_t i = 0; i < count / 2; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

// Link-local IPv6 addresses need the peer's own interface and are of no use to it.
static bool add_address(const struct ifaddrs *a, bool loopback, struct str *out) {
    char text[INET6_ADDRSTRLEN] = "";
    if (!a->ifa_addr || !(a->ifa_flags & IFF_UP) || !!(a->ifa_flags & IFF_LOOPBACK) != loopback)
        return false;
    if (a->ifa_addr->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)a->ifa_addr)->sin_addr, text, sizeof text);
    } else if (a->ifa_addr->sa_family == AF_INET6) {
        const struct in6_addr *address = &((const struct sockaddr_in6 *)a->ifa_addr)->sin6_addr;
        if (!IN6_IS_ADDR_LINKLOCAL(address))
            inet_ntop(AF_INET6, address, text, sizeof text);
    }
    if (*text)
        str_printf(out, "%s%s", out->length ? " " : "", text);
    return *text;
}

static void list_addresses(struct link_invitation *out) {
    struct str list = {0};
    struct ifaddrs *all = NULL;
    int count = 0;
    const char *chosen = getenv(LINK_ADDRESS_VARIABLE);
    if (chosen && *chosen)
        str_add(&list, chosen);
    else if (getifaddrs(&all) == 0)
        for (int loopback = 0; loopback < 2; loopback++) // the machine itself may be a node
            for (const struct ifaddrs *a = all; a; a = a->ifa_next)
                count += count < MAX_ADDRESSES && add_address(a, loopback, &list);
    if (all)
        freeifaddrs(all);
    snprintf(out->addresses, sizeof out->addresses, "%s", str_text(&list));
    str_free(&list);
}

int link_listen(struct link_invitation *out, struct error *err) {
    const int off = 0;
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
    struct sockaddr_in any4 = {.sin_family = AF_INET};
    socklen_t length = sizeof any;
    *out = (struct link_invitation){0};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off); // IPv4, too
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any)) {
        if (fd >= 0)
            close(fd);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); // a kernel without IPv6
        if (fd < 0 || bind(fd, (struct sockaddr *)&any4, sizeof any4)) {
            system_error(err, "opening a port for the agents on the nodes");
            if (fd >= 0)
                close(fd);
            return -1;
        }
    }
    if (listen(fd, SOMAXCONN) || getsockname(fd, (struct sockaddr *)&any, &length) ||
        random_digits(out->name, sizeof out->name - 1) || random_digits(out->key, sizeof out->key - 1)) {
        system_error(err, "opening a port for the agents on the nodes");
        close(fd);
        return -1;
    }
    out->port = ntohs(any.sin6_port); // at the same place in both structs
    list_addresses(out);
    return fd;
}

char *link_invitation_text(const struct link_invitation *i) {
    return mem_printf("%s %s %d %s", i->name, i->key, i->port, i->addresses);
}

int link_invitation_read(const char *text, struct link_invitation *out, struct error *err) {
    int used = 0;
    *out = (struct link_invitation){0};
    if (text && sscanf(text, "%16[0-9a-f] %32[0-9a-f] %d %n", out->name, out->key, &out->port, &used) == 3 && used &&
        strlen(out->name) == 16 && strlen(out->key) == 32 && out->port > 0 && out->port < 65536) {
        snprintf(out->addresses, sizeof out->addresses, "%s", text + used);
        return 0;
    }
    error_set(err, EXIT_CODE_LACKS, "finding the way back to the runner");
    error_why(err, "the environment variable " LINK_VARIABLE " %s",
              text ? "is not what the runner writes" : "is not set");
    return error_remedy(err, "agents are started by `metalgap run --launch`; a launcher must pass the environment on");
}

// --- connecting
// -------------------------------------------------------------------------------------------------------

static int start_connecting(const char *address, int port) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
        return -1;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int result =
        is_v4 ? connect(fd, (struct sockaddr *)&v4, sizeof v4) : connect(fd, (struct sockaddr *)&v6, sizeof v6);
    if (result == 0 || errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

static bool is_connected(int fd) {
    int why = 0;
    socklen_t length = sizeof why;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &length) == 0 && why == 0;
}

// Waits for the first of them that answers and closes the others.
static int first_connected(struct pollfd *fds, size_t count, double timeout_s) {
    uint64_t deadline = clock_now_ns() + (uint64_t)(timeout_s * 1e9);
    int chosen = -1;
    size_t open = count;
    while (chosen < 0 && open) {
        uint64_t now = clock_now_ns();
        if (now >= deadline || (poll(fds, count, (int)((deadline - now) / 1000000 + 1)) < 0 && errno != EINTR))
            break;
        for (size_t i = 0; i < count && chosen < 0; i++) {
            if (fds[i].fd < 0 || !fds[i].revents)
                continue;
            if (is_connected(fds[i].fd))
                chosen = fds[i].fd;
            else
                close(fds[i].fd);
            fds[i].fd = -1;
            open--;
        }
    }
    for (size_t i = 0; i < count; i++)
        if (fds[i].fd >= 0)
            close(fds[i].fd);
    return chosen;
}

int link_connect(const struct link_invitation *invitation, double timeout_s, struct error *err) {
    struct pollfd fds[MAX_ADDRESSES];
    size_t count = 0;
    char *list = mem_strdup(invitation->addresses);
    char *rest = list;
    for (char *address; (address = strsep(&rest, " ")) && count < MAX_ADDRESSES;) {
        int fd = *address ? start_connecting(address, invitation->port) : -1;
        if (fd >= 0)
            fds[count++] = (struct pollfd){.fd = fd, .events = POLLOUT};
    }
    free(list);
    int fd = first_connected(fds, count, timeout_s);
    if (fd >= 0)
        return fd;
    error_set(err, EXIT_CODE_LACKS, "connecting to the runner at port %d of %s", invitation->port,
              invitation->addresses);
    error_why(err, "none of these addresses answers");
    return error_remedy(
        err,
        "let the nodes reach the machine that runs metalgap, and name the address to use in " LINK_ADDRESS_VARIABLE);
}

void link_watch_peer(int fd) {
    const int on = 1;
    const int idle_s = 15;
    const int interval_s = 5;
    const int probes = 3;
    const unsigned unanswered_ms = 30000;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// --- lines
// ------------------------------------------------------------------------------------------------------------

int link_send(int fd, const cJSON *message) {
    char *text = json_print_line(message);
    size_t length = strlen(text) + 1;
    size_t done = 0;
    text[length - 1] = '\n';
    while (done < length) {
        ssize_t n = send(fd, text + done, length - done, MSG_NOSIGNAL);
        if (n > 0) {
            done += (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, -1); // a peer that is gone wakes it, too
        } else if (n == 0 || errno != EINTR) {
            break;
        }
    }
    free(text);
    return done == length ? 0 : -1;
}

bool link_read(struct link_stream *s) {
    char bytes[65536];
    for (;;) {
        ssize_t n = s->fd < 0 ? 0 : recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0 && s->in.length + (size_t)n <= LINE_LIMIT)
            str_add_bytes(&s->in, bytes, (size_t)n);
        else if (n < 0 && errno == EAGAIN)
            return true;
        else if (n >= 0 || errno != EINTR)
            return false;
    }
}

cJSON *link_take(struct link_stream *s) {
    char *end = s->in.length ? memchr(s->in.text, '\n', s->in.length) : NULL;
    if (!end)
        return NULL;
    size_t length = (size_t)(end - s->in.text);
    cJSON *message = json_parse(s->in.text, length, (struct json_origin){"a message", 1}, NULL);
    s->in.length -= length + 1;
    memmove(s->in.text, end + 1, s->in.length + 1);
    if (!message)
        link_close(s);
    return message;
}

void link_close(struct link_stream *s) {
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    str_free(&s->in);
}

// --- on one node
// ------------------------------------------------------------------------------------------------------

void link_node_name(char *out, size_t size) {
    const char *slurm = getenv("SLURMD_NODENAME");
    if (slurm && *slurm)
        snprintf(out, size, "%s", slurm);
    else if (gethostname(out, size))
        snprintf(out, size, "?");
    out[size - 1] = '\0';
}

// An abstract address: it is gone with the agent, and each network namespace has its own.
static socklen_t local_address(const char *run_name, struct sockaddr_un *out) {
    char node[64];
    link_node_name(node, sizeof node);
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "metalgap-%s-%s", run_name, node);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

int link_local_listen(const char *run_name) {
    struct sockaddr_un address;
    socklen_t length = local_address(run_name, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return -1;
}

int link_local_connect(const char *run_name) {
    struct sockaddr_un address;
    socklen_t length = local_address(run_name, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, length) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

// Room for one descriptor, aligned as its header wants it.
union one_file {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

int link_send_end(int fd, const struct link_end *end, int file) {
    struct link_end copy = *end;
    struct iovec words = {&copy, sizeof copy};
    union one_file passed = {.room = {0}};
    struct msghdr message = {.msg_iov = &words, .msg_iovlen = 1};
    if (file >= 0) {
        passed.header = (struct cmsghdr){CMSG_LEN(sizeof file), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&passed.header), &file, sizeof file);
        message.msg_control = &passed;
        message.msg_controllen = sizeof passed;
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof copy ? 0 : -1;
}

bool link_take_end(int fd, struct link_end *out, int *file) {
    struct iovec words = {out, sizeof *out};
    union one_file passed = {.room = {0}};
    struct msghdr message = {
        .msg_iov = &words, .msg_iovlen = 1, .msg_control = &passed, .msg_controllen = sizeof passed};
    *file = -1;
    ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = length > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof *file))
        memcpy(file, CMSG_DATA(header), sizeof *file);
    return length == (ssize_t)sizeof *out;
}
