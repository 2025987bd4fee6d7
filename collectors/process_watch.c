// SPDX-License-Identifier: Apache-2.0
// A thread that looks up new processes. See process_watch.h.
#include "collectors/process_watch.h"

#include "core/memory.h"
#include "probes/exit_profiler.h"

#include <bpf/bpf.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct watched {
    struct profiler_process process;
    struct symbols *symbols; // may be NULL
};

struct process_watch {
    struct ring_buffer *ring;
    int stop_fd; // readable: the thread shall end
    bool running;
    pthread_t thread;
    struct watched *list; // the thread's, until it is stopped
    size_t count;
    size_t capacity;
};

static int on_process(void *context, void *data, size_t size) {
    struct process_watch *watch = context;
    (void)size;
    struct watched found = {.process = *(const struct profiler_process *)data};
    found.symbols = symbols_of_process((pid_t)found.process.process);
    ARRAY_PUSH(watch->list, watch->count, watch->capacity, found);
    return 0;
}

static void *listen_to_ring(void *context) {
    struct process_watch *watch = context;
    struct pollfd fds[] = {
        {.fd = ring_buffer__epoll_fd(watch->ring), .events = POLLIN},
        {.fd = watch->stop_fd, .events = POLLIN},
    };
    while (!(fds[1].revents & POLLIN)) {
        poll(fds, ARRAY_LEN(fds), -1);
        ring_buffer__consume(watch->ring);
    }
    return NULL;
}

static void forget_all(int fd) {
    struct profiler_process process;
    while (bpf_map_get_next_key(fd, NULL, &process) == 0)
        bpf_map_delete_elem(fd, &process);
}

// Signals are for the threads that were there before.
static int start_thread(struct process_watch *watch) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&watch->thread, NULL, listen_to_ring, watch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

struct process_watch *process_watch_start(const struct bpf_map *told, const struct bpf_map *known) {
    struct process_watch *watch = mem_alloc(sizeof *watch);
    forget_all(bpf_map__fd(known));
    watch->stop_fd = eventfd(0, EFD_CLOEXEC);
    watch->ring = ring_buffer__new(bpf_map__fd(told), on_process, watch, NULL);
    watch->running = watch->stop_fd >= 0 && watch->ring && start_thread(watch) == 0;
    if (watch->running)
        return watch;
    process_watch_free(watch);
    return NULL;
}

void process_watch_stop(struct process_watch *watch) {
    if (!watch || !watch->running || eventfd_write(watch->stop_fd, 1))
        return;
    pthread_join(watch->thread, NULL);
    watch->running = false;
}

struct symbols *process_watch_symbols(const struct process_watch *watch, unsigned process, unsigned image) {
    for (size_t i = 0; watch && i < watch->count; i++) {
        const struct watched *w = &watch->list[i];
        if (w->process.process == process && w->process.image == image)
            return w->symbols;
    }
    return NULL;
}

void process_watch_free(struct process_watch *watch) {
    if (!watch)
        return;
    process_watch_stop(watch);
    for (size_t i = 0; i < watch->count; i++)
        symbols_free(watch->list[i].symbols);
    free(watch->list);
    ring_buffer__free(watch->ring); // NULL is fine
    if (watch->stop_fd >= 0)
        close(watch->stop_fd);
    free(watch);
}
