// SPDX-License-Identifier: Apache-2.0
// How the runner, the agents on the nodes and the guards of the ranks talk (docs/nodes.md): lines of JSON over TCP from
// agent to runner, small structs over a local socket from guard to agent. Nothing here uses MPI or the launcher, so
// what happens to a rank does not reach it. May include: core.
#pragma once

#include "core/json.h"
#include "core/str.h"

// The environment variable that takes the way back to the runner onto the nodes: "NAME KEY PORT ADDRESS...". NAME is
// the run's (16 hexadecimal digits, no secret), KEY the secret that the runner expects first (32 digits).
#define LINK_VARIABLE "METALGAP_LINK"
// Set by the user: the address of this machine that the nodes can reach. Default: all that it has.
#define LINK_ADDRESS_VARIABLE "METALGAP_ADDRESS"

struct link_invitation {
    char name[17];
    char key[33];
    int port;
    char addresses[1024]; // separated by blanks
};

// Opens a TCP port on all addresses of this machine. The descriptor, or -1 with `err` (code 4).
int link_listen(struct link_invitation *out, struct error *err);
char *link_invitation_text(const struct link_invitation *invitation); // free() it
int link_invitation_read(const char *text, struct link_invitation *out, struct error *err);

// Connects to the first address that answers, all being tried at once, within timeout_s. The descriptor, or -1 with
// `err` (code 4).
int link_connect(const struct link_invitation *invitation, double timeout_s, struct error *err);

// The other end is declared gone when it has not answered for about half a minute, even if its machine vanished.
void link_watch_peer(int fd);

// --- lines ----------------------------------------------------------------------------------------------------------

struct link_stream {
    int fd; // not blocking; -1: closed
    struct str in;
};

// Sends one object as a line, waiting while the peer does not read. 0, or -1 if the peer is gone.
int link_send(int fd, const cJSON *message);

// Reads what is there. False if the peer is gone; lines that came before can still be taken.
bool link_read(struct link_stream *stream);

// The next whole line, or NULL if there is none yet; the caller owns it. A line that is not JSON ends the stream.
cJSON *link_take(struct link_stream *stream);

void link_close(struct link_stream *stream);

// --- on one node
// ------------------------------------------------------------------------------------------------------

// What a guard tells its agent before its rank starts; the agent answers with one byte when collectors have begun.
struct link_rank {
    uint64_t sample; // as the runner numbers them
    int mode;        // enum sample_mode
    char pass[32];   // of an attribution sample: the collector's name or "common"
    int rank;
    int size;       // ranks of the job, 0: not known
    int local_size; // of them on this node, 0: not known
};

// What it tells when the rank has ended.
struct link_end {
    int status; // as of waitpid()
    double cpu_s;
    uint64_t start_ns, end_ns; // CLOCK_MONOTONIC
    double ended_at;           // seconds since 1970: what is comparable between nodes
};

// The name by which agent and guards of one node find each other: Slurm's name of the node, else the host's.
void link_node_name(char *out, size_t size);

// The agent's end and a guard's end of the local socket of a run, in this node's network namespace. -1: errno.
int link_local_listen(const char *run_name);
int link_local_connect(const char *run_name);

// How a rank ended, with a descriptor (-1: none) of what it has left. Taking it: false if the guard is gone without a
// word; *file is the caller's then on, or -1.
int link_send_end(int fd, const struct link_end *end, int file);
bool link_take_end(int fd, struct link_end *out, int *file);
