// SPDX-License-Identifier: Apache-2.0
// Recording a host. See run_host.h.
#include "cli/run_host.h"

#include "cli/run_header.h"
#include "collectors/host_source.h"
#include "collectors/host_windows.h"
#include "core/clock.h"
#include "core/journal.h"
#include "core/memory.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Windows are written and synced this many at a time: a kill loses a second, and the disk has one sync in a second.
#define WINDOWS_PER_WRITE 10

static volatile sig_atomic_t stopped;

static void on_signal(int number) {
    stopped = number;
}

static void catch_signals(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}; // no SA_RESTART: the sleep ends
    stopped = 0;
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int find_vm(const struct host_source *source, const char *name, int *guest, struct error *err) {
    *guest = name ? source->find(name) : HOST_ALL;
    if (!name || *guest >= 0)
        return 0;
    error_set(err, EXIT_CODE_LACKS, "recording the virtual machine %s", name);
    error_why(err, "%s", host_not_found(*guest));
    return error_remedy(err, "name it by its number: %s", source->how_to_name);
}

static int write_header(const struct host_run *run, const struct host_source *source,
                        const struct collector_status *status, struct journal_writer *journal, struct error *err) {
    cJSON *header = journal_header_begin();
    cJSON *rest = run_header(run->label, "host", run->argc, run->argv);
    cJSON *item;
    while ((item = cJSON_DetachItemFromArray(rest, 0)) != NULL)
        cJSON_AddItemToObject(header, item->string, item);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(header, "collectors"), host_state_to_json(source, status));
    int result = journal_write(journal, header, err);
    cJSON_Delete(rest);
    cJSON_Delete(header);
    return result;
}

// Sleeps until CLOCK_MONOTONIC reaches `until_ns`, or a signal comes.
static void sleep_until(uint64_t until_ns) {
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000), .tv_nsec = (long)(until_ns % 1000000000)};
    while (!stopped && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static int flush(struct journal_writer *journal, cJSON **pending, struct error *err) {
    int result = journal_write_all(journal, *pending, err);
    cJSON_Delete(*pending);
    *pending = cJSON_CreateArray();
    return result;
}

static int record(const struct host_run *run, const struct host_source *source, void *host,
                  struct journal_writer *journal, struct error *err) {
    const uint64_t step_ns = (uint64_t)(HOST_WINDOW_S * 1e9);
    uint64_t begin = clock_now_ns();
    uint64_t next = begin;
    cJSON *pending = cJSON_CreateArray();
    int result = 0;
    for (unsigned n = 1; !result && !stopped && (double)(clock_now_ns() - begin) * 1e-9 < run->duration_s; n++) {
        next += step_ns;
        if (next < clock_now_ns()) // the machine was too busy to come back in time: the window is longer
            next = clock_now_ns();
        sleep_until(next);
        cJSON *lines = source->next(host);
        cJSON *line;
        while ((line = cJSON_DetachItemFromArray(lines, 0)) != NULL)
            cJSON_AddItemToArray(pending, line);
        cJSON_Delete(lines);
        if (n % WINDOWS_PER_WRITE == 0)
            result = flush(journal, &pending, err);
    }
    if (!result)
        result = flush(journal, &pending, err);
    cJSON_Delete(pending);
    return result;
}

static int write_notes(const struct host_source *source, void *host, struct journal_writer *journal,
                       struct error *err) {
    cJSON *notes = source->notes(host);
    const cJSON *text;
    int result = 0;
    cJSON_ArrayForEach(text, notes) {
        fprintf(stderr, "metalgap: note: %s\n", text->valuestring);
        result = result ? result : journal_write_note(journal, true, text->valuestring, err);
    }
    cJSON_Delete(notes);
    return result;
}

static int record_all(const struct host_run *run, const struct host_source *source, void *host,
                      const struct collector_status *status, struct journal_writer *journal, struct error *err) {
    if (write_header(run, source, status, journal, err))
        return -1;
    uint64_t begin = clock_now_ns();
    cJSON_Delete(source->next(host)); // what went before
    fprintf(stderr, "metalgap: recording this host%s\n", isinf(run->duration_s) ? "; Ctrl-C ends it" : "");
    int result = record(run, source, host, journal, err);
    if (!result)
        result = write_notes(source, host, journal, err);
    // Without a duration a signal is how a recording ends.
    bool complete = !stopped || isinf(run->duration_s);
    return result ? result : journal_write_end(journal, complete, 0, (double)(clock_now_ns() - begin) * 1e-9, err);
}

static char *default_journal(void) {
    char stamp[32];
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &local);
    return mem_printf("host-%s.jsonl", stamp);
}

static void print_end(const struct host_run *run, const char *path) {
    if (run->json) {
        cJSON *object = cJSON_CreateObject();
        json_add_string(object, "journal", path);
        char *text = json_print_line(object);
        puts(text);
        free(text);
        cJSON_Delete(object);
    } else if (strcmp(path, "-") != 0) {
        fprintf(stderr, "The journal is %s. With a guest's: metalgap report guest.jsonl --host %s\n", path, path);
    }
}

int run_host(const struct host_run *run, struct error *err) {
    const struct host_source *source = host_source_here();
    struct collector_status status;
    int guest;
    if (find_vm(source, run->vm, &guest, err))
        return -1;
    void *host = source->open(guest, &status);
    if (!host) {
        error_set(err, EXIT_CODE_LACKS, "recording this host");
        error_why(err, "%s", status.reason);
        return error_remedy(err, "%s", status.hint);
    }
    if (status.state == COLLECTOR_DEGRADED)
        fprintf(stderr, "metalgap: note: %s\n", status.reason);
    catch_signals();
    char *path = run->journal ? mem_strdup(run->journal) : default_journal();
    struct journal_writer *journal = journal_open(path, false, err);
    int result = journal ? record_all(run, source, host, &status, journal, err) : -1;
    journal_close(journal);
    source->close(host);
    if (!result)
        print_end(run, path);
    free(path);
    return result;
}
