// SPDX-License-Identifier: Apache-2.0
// Counts notifications of virtual devices. See io_kicks.h.
#include "collectors/io_kicks.h"

#include "collectors/probe.h"
#include "core/memory.h"
#include "probes/io_path_kick.skel.h"

#include <errno.h>
#include <stdlib.h>

// Names as of Linux 5.10 to 6.18. Another kernel's name is one more row.
static const struct {
    const char *name;
    const char *module; // that has it where it is not built in; NULL: none
    enum io_kick kind;
} functions[] = {
    {"vp_notify", "virtio_pci", KICK_VIRTIO},  {"vp_notify_with_data", "virtio_pci", KICK_VIRTIO},
    {"vm_notify", "virtio_mmio", KICK_VIRTIO}, {"vm_notify_with_data", "virtio_mmio", KICK_VIRTIO},
    {"notify_remote_via_irq", NULL, KICK_XEN},
};

struct io_kicks {
    const struct bpf_map *cpus;
    const struct bpf_map *channels;
    bool usable[ARRAY_LEN(functions)];                  // here, and once attached
    struct io_path_kick_bpf *bpf[ARRAY_LEN(functions)]; // NULL: not usable, or it did not attach the last time
    struct bpf_link *links[ARRAY_LEN(functions)];
};

static struct bpf_program *program_of(const struct io_path_kick_bpf *bpf, enum io_kick kind) {
    return kind == KICK_VIRTIO ? bpf->progs.virtio_is_notified : bpf->progs.channel_is_notified;
}

static int load(const struct io_kicks *kicks, size_t i) {
    struct io_path_kick_bpf *bpf = kicks->bpf[i];
    struct bpf_program *program;
    struct bpf_program *wanted = program_of(bpf, functions[i].kind);
    bpf_object__for_each_program(program, bpf->obj) bpf_program__set_autoload(program, program == wanted);
    if (bpf_map__reuse_fd(bpf->maps.cpus, bpf_map__fd(kicks->cpus)) ||
        bpf_map__reuse_fd(bpf->maps.channels, bpf_map__fd(kicks->channels)))
        return -errno;
    int result = bpf_program__set_attach_target(wanted, 0, functions[i].name);
    return result ? result : io_path_kick_bpf__load(bpf);
}

static bool attach(struct io_kicks *kicks, size_t i) {
    kicks->links[i] = bpf_program__attach(program_of(kicks->bpf[i], functions[i].kind));
    return kicks->links[i] != NULL;
}

// Loads what counts a function and attaches it. 0 or a negative error number; then it is as if it were not here.
static int load_and_attach(struct io_kicks *kicks, size_t i) {
    kicks->bpf[i] = io_path_kick_bpf__open();
    int result = kicks->bpf[i] ? load(kicks, i) : -errno;
    if (!result && !attach(kicks, i))
        result = -errno;
    if (result) {
        io_path_kick_bpf__destroy(kicks->bpf[i]); // NULL is fine
        kicks->bpf[i] = NULL;
    }
    return result;
}

// Linux before 5.13 attaches a program to a function once only: the next time takes a new one.
static bool attach_again(struct io_kicks *kicks, size_t i) {
    if (kicks->bpf[i] && attach(kicks, i))
        return true;
    io_path_kick_bpf__destroy(kicks->bpf[i]); // NULL is fine
    return load_and_attach(kicks, i) == 0;
}

struct io_kicks *io_kicks_open(const struct bpf_map *cpus, const struct bpf_map *channels, struct btf *types,
                               int *refused) {
    struct io_kicks *kicks = mem_alloc(sizeof *kicks);
    *refused = 0;
    kicks->cpus = cpus;
    kicks->channels = channels;
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        int result = probe_has_function(types, functions[i].name, functions[i].module)
                         ? load_and_attach(kicks, i) // loaded is not attachable: that is tried, too
                         : 0;
        kicks->usable[i] = kicks->bpf[i] != NULL;
        if (result && !*refused)
            *refused = -result;
    }
    io_kicks_detach(kicks);
    return kicks;
}

void io_kicks_close(struct io_kicks *kicks) {
    if (!kicks)
        return;
    io_kicks_detach(kicks);
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        io_path_kick_bpf__destroy(kicks->bpf[i]);
    free(kicks);
}

bool io_kicks_attach(struct io_kicks *kicks) {
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (kicks->usable[i] && !attach_again(kicks, i)) {
            io_kicks_detach(kicks);
            return false;
        }
    return true;
}

void io_kicks_detach(struct io_kicks *kicks) {
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        bpf_link__destroy(kicks->links[i]);
        kicks->links[i] = NULL;
    }
}

bool io_kicks_see(const struct io_kicks *kicks, enum io_kick kind) {
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (kicks->usable[i] && functions[i].kind == kind)
            return true;
    return false;
}

size_t io_kicks_programs(const struct io_kicks *kicks, struct bpf_program **out, size_t capacity) {
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LEN(functions); i++)
        if (kicks->bpf[i] && count < capacity)
            out[count++] = program_of(kicks->bpf[i], functions[i].kind);
    return count;
}
