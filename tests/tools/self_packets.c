// SPDX-License-Identifier: Apache-2.0
// Sends this machine packets that nobody answers (ICMP echo replies), one after the other, and prints how many it
// received and for how long in all: what its network stack takes of a ping, both ways, without interface and without an
// answer. Usage: self_packets ADDRESS COUNT     -> "COUNT SECONDS"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DATA 56 // as ping sends

struct packet {
    struct icmphdr head;
    char data[DATA];
};

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// The Internet's checksum (RFC 1071).
static unsigned short checksum(const struct packet *packet) {
    const unsigned char *at = (const unsigned char *)packet;
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof *packet; i += 2)
        sum += (unsigned)at[i] << 8 | at[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((unsigned short)~sum);
}

// Seconds from sending a packet to having it; negative: it failed, errno tells why.
static double one(int fd, const struct sockaddr_in *to, unsigned short sequence) {
    char buffer[sizeof(struct iphdr) + 40 + sizeof(struct packet)];
    struct packet packet = {.head = {.type = ICMP_ECHOREPLY}};
    packet.head.un.echo.id = htons((unsigned short)getpid());
    packet.head.un.echo.sequence = htons(sequence);
    packet.head.checksum = checksum(&packet);
    double begin = now_s();
    if (sendto(fd, &packet, sizeof packet, 0, (const struct sockaddr *)to, sizeof *to) < 0)
        return -1;
    for (;;) {
        struct icmphdr head;
        ssize_t length = recv(fd, buffer, sizeof buffer, 0);
        double end = now_s();
        if (length < 0)
            return -1;
        size_t header = length > 0 ? (size_t)(buffer[0] & 15) * 4 : 0;
        if ((size_t)length < header + sizeof head)
            continue;
        memcpy(&head, buffer + header, sizeof head);
        if (head.un.echo.id == packet.head.un.echo.id && head.un.echo.sequence == packet.head.un.echo.sequence)
            return end - begin;
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (argc < 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
        fprintf(stderr, "usage: self_packets ADDRESS COUNT\n");
        return 2;
    }
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    long count = strtol(argv[2], NULL, 10);
    double seconds = 0;
    for (long i = 0; i < count; i++) {
        double each = fd < 0 ? -1 : one(fd, &to, (unsigned short)i);
        if (each < 0) {
            fprintf(stderr, "self_packets: %s: %s\n", argv[1], strerror(errno));
            return 5;
        }
        seconds += each;
    }
    printf("%ld %.6f\n", count, seconds);
    return 0;
}
